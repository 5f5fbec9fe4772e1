/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/symlink.h"

#include <errno.h>

#include "ext4/inline.h"

static const struct buf_type symlink_block_type = {.name = "symbolic link block"};

int symlink_store(struct handle *h, struct e4_inode *inode, const char *target, size_t len)
{
	CLEANUP_BUF struct buf *buf = NULL;
	uint32_t lblk;
	int r;

	if (!len)
		return -ENOENT;
	if (len >= inode->fs->block_bytes)
		return -ENAMETOOLONG;
	if (len < sizeof(inode->i_block)) {
		memset(inode->i_block, 0, sizeof(inode->i_block));
		memcpy(inode->i_block, target, len);
		inode->flags &= ~(uint32_t)EXT4_EXTENTS_FL;
		inode->size = len;
		return 0;
	}
	if (fs_has_incompat(inode->fs, EXT3_FEATURE_INCOMPAT_EXTENTS))
		inode->flags |= EXT4_EXTENTS_FL;
	extent_init(inode);
	r = extent_block_append(h, inode, &symlink_block_type, &lblk, &buf);
	if (r < 0)
		return r;
	memcpy(buf->data, target, len);
	inode->size = len;
	return 0;
}

/* The target's bytes, checked: what a drive calls a target may be anything. */
static ssize_t take_target(struct e4_inode *inode, const void *from, char *buf, size_t buf_len)
{
	size_t len = (size_t)inode->size;

	if (len >= buf_len)
		return -ENAMETOOLONG;
	if (!len || memchr(from, 0, len))
		return fs_damaged(inode->fs, "inode %u: bad link target", inode->ino);
	memcpy(buf, from, len);
	buf[len] = 0;
	return (ssize_t)len;
}

static ssize_t readlink_inline(struct e4_inode *inode, char *buf, size_t buf_len)
{
	uint8_t data[INLINE_MAX];
	size_t have;
	int r = inline_get(inode, data, &have);

	if (r < 0)
		return r;
	if (inode->size > have)
		return fs_damaged(inode->fs, "inode %u: link target too long", inode->ino);
	return take_target(inode, data, buf, buf_len);
}

static ssize_t readlink_locked(struct e4_inode *inode, char *buf, size_t buf_len)
{
	CLEANUP_BUF struct buf *block = NULL;
	int r;

	if (inode->flags & EXT4_INLINE_DATA_FL)
		return readlink_inline(inode, buf, buf_len);
	if (!(inode->flags & EXT4_EXTENTS_FL) && inode->size < sizeof(inode->i_block))
		return take_target(inode, inode->i_block, buf, buf_len);
	if (inode->size >= inode->fs->block_bytes)
		return fs_damaged(inode->fs, "inode %u: link target too long", inode->ino);
	r = extent_block_get(inode, 0, &symlink_block_type, &block);
	if (r < 0)
		return r;
	return take_target(inode, block->data, buf, buf_len);
}

ssize_t e4_readlink(struct e4_inode *inode, char *buf, size_t buf_len)
{
	ssize_t r;

	if (!inode_is_symlink(inode))
		return -EINVAL;
	pthread_rwlock_rdlock(&inode->lock);
	r = readlink_locked(inode, buf, buf_len);
	pthread_rwlock_unlock(&inode->lock);
	return r;
}
