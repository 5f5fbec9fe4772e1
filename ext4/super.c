/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The super block at run time: counters, state, checksum. What it must hold to be accepted is in
 * super-check.c.
 *
 * fs->super is the copy that is changed, under fs->super_lock; super_store() puts it into its
 * buffer as part of each commit. Backup super blocks are left to e2fsck, as the kernel does.
 */
#include "ext4/super.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

enum { SUPER_OFFSET = 1024 };

static const char ERROR_FUNCTION[] = "sealdrive"; /* e2fsck and dumpe2fs show it */

static size_t offset_in_block(const struct e4_fs *fs)
{
	return fs->block_bytes == SUPER_OFFSET ? 0 : SUPER_OFFSET;
}

static void super_csum(const struct e4_fs *fs, struct ext2_super_block *super)
{
	if (fs_has_csum(fs))
		super->s_checksum = htole32(
			fs_crc32c(~0u, super, offsetof(struct ext2_super_block, s_checksum)));
}

static void super_seal(struct e4_fs *fs, struct buf *buf, void *data)
{
	super_csum(fs, (void *)((uint8_t *)data + offset_in_block(fs)));
}

static const struct buf_type super_type = {.name = "super block", .seal = super_seal};

static void store_now(__u32 *low, __u8 *high)
{
	uint64_t now = (uint64_t)time(NULL);

	*low = htole32((uint32_t)now);
	*high = now >> 32;
}

/* Under super_lock. */
static void count_written(struct e4_fs *fs)
{
	uint64_t kib = atomic_load(&fs->bytes_written) >> 10;

	atomic_fetch_sub(&fs->bytes_written, kib << 10);
	fs->super.s_kbytes_written = htole64(le64toh(fs->super.s_kbytes_written) + kib);
}

/* Not from disk after the first time: it is pinned in memory as fs->super. */
int super_store(struct handle *h)
{
	struct e4_fs *fs = h->fs;
	uint64_t blocks = min_u64(atomic_load(&fs->free_blocks), fs->blocks_count);
	CLEANUP_BUF struct buf *buf = NULL;
	int r = buf_get(fs, SUPER_OFFSET >> fs->block_bits, &super_type, 0, 0, &buf);

	if (r < 0)
		return r;
	r = buf_modify(h, buf);
	if (r < 0)
		return r;
	pthread_mutex_lock(&fs->super_lock);
	fs->super.s_free_blocks_count = htole32((uint32_t)blocks);
	if (fs_has_incompat(fs, EXT4_FEATURE_INCOMPAT_64BIT))
		fs->super.s_free_blocks_hi = htole32(blocks >> 32);
	fs->super.s_free_inodes_count = htole32(min_u64(atomic_load(&fs->free_inodes), fs->inodes_count));
	store_now(&fs->super.s_wtime, &fs->super.s_wtime_hi);
	count_written(fs);
	fs->super.s_feature_compat = htole32(fs->feature_compat);
	fs->super.s_feature_ro_compat = htole32(fs->feature_ro_compat);
	memcpy(buf->data + offset_in_block(fs), &fs->super, sizeof(fs->super));
	pthread_mutex_unlock(&fs->super_lock);
	return 0;
}

/* Where nothing says whether names are hashed with signed characters, the kernel takes what its
 * processor has. What we take must be said, or the next computer finds nothing. */
static void settle_hash_sign(struct e4_fs *fs)
{
	uint32_t flags = le32toh(fs->super.s_flags);

	if (fs_has_compat(fs, EXT2_FEATURE_COMPAT_DIR_INDEX) &&
		!(flags & (EXT2_FLAGS_SIGNED_HASH | EXT2_FLAGS_UNSIGNED_HASH)))
		fs->super.s_flags = htole32(flags | EXT2_FLAGS_SIGNED_HASH);
}

/*
 * With a journal the volume stays valid while it is mounted: "needs recovery" says that the journal
 * has to be looked at. Without one it has to be checked.
 *
 * Written in place, because no journal is in use then; and nothing but this bit and the checksum, so that
 * what a drive leaves that writes only one of the two sectors can be told from damage (super-check.c).
 */
static int set_in_use(struct e4_fs *fs, bool in_use)
{
	struct ext2_super_block super;
	int r = blkdev_read(fs->dev, &super, sizeof(super), SUPER_OFFSET);

	if (r == 0) {
		pthread_mutex_lock(&fs->super_lock);
		if (in_use && fs_has_journal(fs))
			fs->feature_incompat |= EXT3_FEATURE_INCOMPAT_RECOVER;
		else
			fs->feature_incompat &= ~(uint32_t)EXT3_FEATURE_INCOMPAT_RECOVER;
		if (!in_use)
			fs->super.s_state |= htole16(EXT2_VALID_FS);
		else if (!fs_has_journal(fs))
			fs->super.s_state &= htole16((uint16_t)~EXT2_VALID_FS);
		fs->super.s_feature_incompat = htole32(fs->feature_incompat);
		super.s_feature_incompat = fs->super.s_feature_incompat;
		super.s_state = fs->super.s_state;
		pthread_mutex_unlock(&fs->super_lock);
		super_csum(fs, &super);
		r = blkdev_write(fs->dev, &super, sizeof(super), SUPER_OFFSET);
	}
	if (r == 0)
		r = blkdev_flush(fs->dev);
	return r < 0 ? fs_io_error(fs, r, "super block") : 0;
}

int super_mark_mounted(struct e4_fs *fs)
{
	return set_in_use(fs, true);
}

int super_count_mount(struct e4_fs *fs)
{
	struct handle h;
	int r = handle_begin(fs, 1, &h);

	if (r < 0)
		return r;
	pthread_mutex_lock(&fs->super_lock);
	store_now(&fs->super.s_mtime, &fs->super.s_mtime_hi);
	settle_hash_sign(fs);
	fs->super.s_mnt_count = htole16(le16toh(fs->super.s_mnt_count) + 1);
	pthread_mutex_unlock(&fs->super_lock);
	r = super_store(&h);
	handle_end(&h);
	return r;
}

int super_mark_clean(struct e4_fs *fs)
{
	/* "clean" may be on the drive only after everything else is */
	int r = txn_commit(fs, txn_running_id(fs));

	return r < 0 ? r : set_in_use(fs, false);
}

/* The counters on the drive stay as they are: those in memory belong to what was never written. */
int super_mark_errors(struct e4_fs *fs)
{
	struct ext2_super_block super;
	uint32_t now = (uint32_t)time(NULL);
	int r = blkdev_read(fs->dev, &super, sizeof(super), SUPER_OFFSET);

	if (r < 0)
		return r;
	if (super.s_magic != fs->super.s_magic || memcmp(super.s_uuid, fs->super.s_uuid, sizeof(super.s_uuid)) != 0)
		return -EUCLEAN;
	super.s_state = htole16((le16toh(super.s_state) | EXT2_ERROR_FS) & ~EXT2_VALID_FS);
	super.s_error_count = htole32(le32toh(super.s_error_count) + 1);
	super.s_last_error_time = htole32(now);
	memcpy(super.s_last_error_func, ERROR_FUNCTION, sizeof(ERROR_FUNCTION));
	if (!super.s_first_error_time) {
		super.s_first_error_time = super.s_last_error_time;
		memcpy(super.s_first_error_func, ERROR_FUNCTION, sizeof(ERROR_FUNCTION));
	}
	super_csum(fs, &super);
	r = blkdev_write(fs->dev, &super, sizeof(super), SUPER_OFFSET);
	return r < 0 ? r : fs_flush(fs);
}

/* A volume of revision 0 has no features until it becomes one of revision 1. */
static void super_raise_revision(struct e4_fs *fs)
{
	pthread_mutex_lock(&fs->super_lock);
	if (le32toh(fs->super.s_rev_level) == EXT2_GOOD_OLD_REV) {
		fs->super.s_rev_level = htole32(EXT2_DYNAMIC_REV);
		fs->super.s_first_ino = htole32(EXT2_GOOD_OLD_FIRST_INO);
		fs->super.s_inode_size = htole16(EXT2_GOOD_OLD_INODE_SIZE);
	}
	pthread_mutex_unlock(&fs->super_lock);
}

int super_add_compat(struct handle *h, uint32_t feature)
{
	super_raise_revision(h->fs);
	atomic_fetch_or(&h->fs->feature_compat, feature);
	return super_store(h);
}

int super_add_ro_compat(struct handle *h, uint32_t feature)
{
	super_raise_revision(h->fs);
	atomic_fetch_or(&h->fs->feature_ro_compat, feature);
	return super_store(h);
}

void e4_set_mounted_on(struct e4_fs *fs, const char *path)
{
	size_t len = strlen(path);

	pthread_mutex_lock(&fs->super_lock);
	memset(fs->super.s_last_mounted, 0, sizeof(fs->super.s_last_mounted));
	memcpy(fs->super.s_last_mounted, path, min_u64(len, sizeof(fs->super.s_last_mounted)));
	pthread_mutex_unlock(&fs->super_lock);
}
