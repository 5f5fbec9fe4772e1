/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A file of whole blocks: inode numbers, 0 where there is none, and a tail with magic and checksum.
 * Source: kernel Documentation/filesystems/ext4/orphan.rst
 *
 * An entry is cleared after its inode is finished; when power fails in between, its inode is free and
 * the entry means nothing.
 */
#include "ext4/orphan-file.h"

#include <errno.h>

#include "ext4/extent.h"
#include "ext4/orphan.h"
#include "ext4/super.h"

enum {
	TAIL_MAGIC = 0x0b10ca04,
	RO_COMPAT_ORPHAN_PRESENT = 0x10000,
};

struct tail {
	le32 magic, checksum;
};

static struct tail *tail_of(const struct e4_fs *fs, uint8_t *block)
{
	return (struct tail *)(block + fs->block_bytes - sizeof(struct tail));
}

static uint32_t checksum(const struct e4_fs *fs, const struct buf *buf, const uint8_t *data)
{
	le64 number = le64_make(buf->block);
	uint32_t sum = fs_inode_seed(fs, buf->owner_ino, buf->owner_generation);

	sum = fs_crc32c(sum, &number, sizeof(number));
	return fs_crc32c(sum, data, fs->block_bytes - sizeof(struct tail));
}

static int verify(struct e4_fs *fs, struct buf *buf)
{
	const struct tail *tail = tail_of(fs, buf->data);

	if (le32_get(tail->magic) != TAIL_MAGIC ||
		(fs_has_csum(fs) && le32_get(tail->checksum) != checksum(fs, buf, buf->data)))
		return fs_damaged(fs, "bad block %llu of the orphan file", (unsigned long long)buf->block);
	return 0;
}

static void seal(struct e4_fs *fs, struct buf *buf, void *data)
{
	if (fs_has_csum(fs))
		tail_of(fs, data)->checksum = le32_make(checksum(fs, buf, data));
}

static const struct buf_type orphan_block_type = {
	.name = "block of the orphan file", .verify = verify, .seal = seal};

static int clear_entry(struct e4_fs *fs, struct buf *buf, uint32_t *entry)
{
	struct handle h;
	int r = handle_begin(fs, 1, &h);

	if (r < 0)
		return r;
	r = buf_modify(&h, buf);
	if (r == 0)
		*entry = 0;
	handle_end(&h);
	return r;
}

static int finish_block(struct e4_fs *fs, struct buf *buf)
{
	uint32_t *entries = (uint32_t *)buf->data;
	size_t count = (fs->block_bytes - sizeof(struct tail)) / sizeof(*entries);
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		if (!entries[i])
			continue;
		r = orphan_finish(fs, le32toh(entries[i]));
		if (r == 0)
			r = clear_entry(fs, buf, &entries[i]);
	}
	return r;
}

static int finish_file(struct e4_fs *fs, struct e4_inode *file)
{
	uint64_t blocks = file->size >> fs->block_bits;
	int r = 0;

	if (!inode_is_reg(file) || blocks > EXTENT_LBLK_MAX)
		return fs_damaged(fs, "bad orphan file");
	for (uint64_t i = 0; r == 0 && i < blocks; i++) {
		CLEANUP_BUF struct buf *buf = NULL;

		r = extent_block_get(file, (uint32_t)i, &orphan_block_type, &buf);
		if (r == 0)
			r = finish_block(fs, buf);
	}
	return r;
}

int orphan_file_finish(struct e4_fs *fs)
{
	struct e4_inode *file;
	struct handle h;
	int r;

	if (!fs_has_compat(fs, EXT4_FEATURE_COMPAT_ORPHAN_FILE) ||
		!fs_has_ro_compat(fs, RO_COMPAT_ORPHAN_PRESENT))
		return 0;
	r = inode_get_system(fs, le32toh(fs->super.s_orphan_file_inum), &file);
	if (r == 0) {
		r = finish_file(fs, file);
		e4_iput(file);
	}
	r = r < 0 ? r : handle_begin(fs, 1, &h);
	if (r < 0)
		return r == -ENOENT ? fs_damaged(fs, "no orphan file") : r;
	atomic_fetch_and(&fs->feature_ro_compat, ~(uint32_t)RO_COMPAT_ORPHAN_PRESENT);
	r = super_store(&h);
	handle_end(&h);
	return r;
}
