/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of a file, and blocks behind it: truncation, eviction, fallocate. */
#include "ext4/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>

#include "ext4/inode-check.h"
#include "ext4/inode-disk.h"

int file_zero_tail(struct e4_inode *inode, uint64_t from, uint64_t to)
{
	struct e4_fs *fs = inode->fs;
	uint64_t in_block = from & (fs->block_bytes - 1);
	CLEANUP_FREE uint8_t *zero = NULL;
	struct extent_run run;
	size_t len;
	int r;

	if (!in_block || from >= to)
		return 0;
	len = (size_t)min_u64(to - from, fs->block_bytes - in_block);
	r = file_map(inode, from >> fs->block_bits, &run);
	if (r < 0)
		return r;
	if (!run.pblk || run.unwritten)
		return 0;
	zero = calloc(1, len);
	if (!zero)
		return -ENOMEM;
	return blkdev_write_clobber(fs->dev, zero, len,
		fs_blocks_to_bytes(fs, run.pblk) + in_block);
}

/* Stores a new size, with the times that go with it. */
static int store_size(struct e4_inode *inode, uint64_t size)
{
	struct handle h;
	int r = handle_begin(inode->fs, INODE_CREDITS + 1, &h);

	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&inode->lock);
	r = inode_reserve(&h, inode);
	if (r == 0) {
		inode->size = size;
		inode->mtime = inode->ctime = inode_disk_time(inode, inode_now());
		r = inode_store(&h, inode, true);
	}
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	return r;
}

/* Frees the blocks from lblk on, in as many handles as it takes. */
static int remove_blocks(struct e4_inode *inode, uint64_t lblk)
{
	bool done = lblk > EXTENT_LBLK_MAX;
	int r = 0;

	while (r == 0 && !done) {
		struct handle h;
		int stored;

		r = handle_begin(inode->fs, EXTENT_REMOVE_CREDITS, &h);
		if (r < 0)
			return r;
		pthread_rwlock_wrlock(&inode->lock);
		r = inode_reserve(&h, inode);
		if (r == 0) {
			/* What it has done before it failed counts all the same. */
			r = extent_remove(&h, inode, (uint32_t)lblk, EXTENT_LBLK_MAX, &done);
			stored = inode_store(&h, inode, true);
			r = r < 0 ? r : stored;
		}
		pthread_rwlock_unlock(&inode->lock);
		handle_end(&h);
	}
	return r;
}

/* The size first: what is behind the end is nobody's, whenever the rest gets done. */
static int shrink(struct e4_inode *inode, uint64_t size)
{
	struct e4_fs *fs = inode->fs;
	int r = store_size(inode, size);

	if (r == 0)
		r = remove_blocks(inode, (size + fs->block_bytes - 1) >> fs->block_bits);
	if (r == 0)
		r = file_zero_tail(inode, size, UINT64_MAX);
	return r;
}

static int set_size_locked(struct e4_inode *inode, uint64_t size)
{
	uint64_t old = file_size(inode);
	int r;

	if (size <= old)
		return shrink(inode, size);
	r = file_check_writable(inode);
	if (r < 0)
		return r;
	if (size > file_max_bytes(inode))
		return -EFBIG;
	r = file_zero_tail(inode, old, size);
	return r < 0 ? r : store_size(inode, size);
}

int file_set_size(struct e4_inode *inode, uint64_t size)
{
	int r;

	if (file_is_inline(inode))
		return -EOPNOTSUPP;
	pthread_rwlock_wrlock(&inode->io_lock);
	r = set_size_locked(inode, size);
	pthread_rwlock_unlock(&inode->io_lock);
	return r;
}

/* Whether i_block maps blocks, and does not hold a target, a device number or data. */
static bool has_block_map(const struct e4_inode *inode)
{
	if (inode->flags & EXT4_INLINE_DATA_FL)
		return false;
	if (inode->flags & EXT4_EXTENTS_FL)
		return true;
	if (inode_is_symlink(inode))
		return inode->size >= sizeof(inode->i_block);
	return inode_is_reg(inode) || inode_is_dir(inode);
}

int file_free_all(struct e4_inode *inode)
{
	int r;

	if (!has_block_map(inode))
		return 0;
	r = store_size(inode, 0);
	return r < 0 ? r : remove_blocks(inode, 0);
}

/* ---- fallocate ----------------------------------------------------------------------------- */

static int allocate_range(struct e4_inode *inode, uint64_t lblk, uint64_t end)
{
	while (lblk < end) {
		struct extent_run run;
		int r = file_map(inode, lblk, &run);

		if (r == 0 && !run.pblk)
			r = file_allocate(inode, (uint32_t)lblk, end - lblk, &run);
		if (r < 0)
			return r;
		lblk = (uint64_t)run.lblk + run.count;
	}
	return 0;
}

static int fallocate_locked(struct e4_inode *inode, bool keep_size, uint64_t off, uint64_t end)
{
	struct e4_fs *fs = inode->fs;
	uint64_t old = file_size(inode);
	int r = allocate_range(inode, off >> fs->block_bits,
		(end + fs->block_bytes - 1) >> fs->block_bits);

	if (r < 0 || keep_size || end <= old)
		return r;
	r = file_zero_tail(inode, old, end);
	return r < 0 ? r : store_size(inode, end);
}

int e4_fallocate(struct e4_inode *inode, int mode, uint64_t off, uint64_t len)
{
	uint64_t end;
	int r;

	if (mode & ~FALLOC_FL_KEEP_SIZE)
		return -EOPNOTSUPP;
	if (!len)
		return -EINVAL;
	r = file_check_writable(inode);
	if (r == 0)
		r = inode_check_fallocate(inode, mode);
	if (r == 0 && file_needs_claims(inode))
		r = -EOPNOTSUPP; /* a block map has no unwritten blocks */
	if (r < 0)
		return r;
	if (!add_u64(off, len, &end) || end > file_max_bytes(inode))
		return -EFBIG;
	pthread_rwlock_wrlock(&inode->io_lock);
	r = fallocate_locked(inode, mode & FALLOC_FL_KEEP_SIZE, off, end);
	pthread_rwlock_unlock(&inode->io_lock);
	return r;
}
