/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/xattr-block.h"

#include <errno.h>
#include <ext2fs/ext2_ext_attr.h>

static uint32_t checksum(struct e4_fs *fs, uint64_t block, const uint8_t *data)
{
	static const uint8_t zero[4];
	size_t at = offsetof(struct ext2_ext_attr_header, h_checksum);
	le64 number = le64_make(block);
	uint32_t sum = fs_crc32c(fs->csum_seed, &number, sizeof(number));

	sum = fs_crc32c(sum, data, at);
	sum = fs_crc32c(sum, zero, sizeof(zero));
	return fs_crc32c(sum, data + at + sizeof(zero), fs->block_bytes - at - sizeof(zero));
}

static int xattr_block_verify(struct e4_fs *fs, struct buf *buf)
{
	const struct ext2_ext_attr_header *header = (const void *)buf->data;

	if (le32toh(header->h_magic) != EXT2_EXT_ATTR_MAGIC || le32toh(header->h_blocks) != 1 ||
		!header->h_refcount)
		return fs_damaged(fs, "attribute block %llu: bad header",
			(unsigned long long)buf->block);
	if (fs_has_csum(fs) && le32toh(header->h_checksum) != checksum(fs, buf->block, buf->data))
		return fs_damaged(fs, "attribute block %llu: bad checksum",
			(unsigned long long)buf->block);
	return 0;
}

static void xattr_block_seal(struct e4_fs *fs, struct buf *buf, void *data)
{
	struct ext2_ext_attr_header *header = data;

	if (fs_has_csum(fs))
		header->h_checksum = htole32(checksum(fs, buf->block, data));
}

const struct buf_type xattr_block_type = {
	.name = "attribute block",
	.verify = xattr_block_verify,
	.seal = xattr_block_seal,
};

/* Takes one owner away; *ret_last: it was the only one, and the block is to be freed. */
static int drop_share(struct handle *h, struct buf *buf, bool *ret_last)
{
	struct ext2_ext_attr_header *header = (void *)buf->data;
	int r = 0;

	pthread_mutex_lock(&buf->lock);
	*ret_last = le32toh(header->h_refcount) == 1;
	if (!*ret_last) {
		r = buf_modify(h, buf);
		if (r == 0)
			header->h_refcount = htole32(le32toh(header->h_refcount) - 1);
	}
	pthread_mutex_unlock(&buf->lock);
	return r;
}

int xattr_block_release(struct handle *h, struct e4_inode *inode)
{
	CLEANUP_BUF struct buf *buf = NULL;
	uint64_t units = 1ull << (inode->fs->block_bits - 9);
	bool last = false;
	int r;

	if (!inode->file_acl)
		return 0;
	r = buf_get(inode->fs, inode->file_acl, &xattr_block_type, 0, 0, &buf);
	if (r == 0)
		r = drop_share(h, buf, &last);
	if (r < 0)
		return r;
	if (last) {
		buf_put(take_ptr(buf));
		r = balloc_free(h, inode->file_acl, 1, true);
		if (r < 0)
			return r;
	}
	inode->blocks -= min_u64(inode->blocks, units);
	inode->file_acl = 0;
	return 0;
}
