/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of a file, and blocks behind it: truncation, eviction. */
#include "ext4/file.h"

#include <errno.h>

#include "ext4/balloc.h"
#include "ext4/file-inline.h"
#include "ext4/inode-check.h"
#include "ext4/inode-disk.h"
#include "ext4/orphan.h"

/* orphan: blocks behind the new end are still to be freed, and until then it is one. */
static int store_size(struct e4_inode *inode, uint64_t size, bool orphan)
{
	struct handle h;
	int r = handle_begin(inode->fs, INODE_CREDITS + (orphan ? ORPHAN_CREDITS : 0) + 1, &h);

	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&inode->lock);
	r = inode_reserve(&h, inode);
	if (r == 0 && orphan)
		r = orphan_add(&h, inode);
	if (r == 0) {
		inode->size = size;
		inode->mtime = inode->ctime = inode_disk_time(inode, inode_now());
		r = inode_store(&h, inode, true);
	}
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	return r;
}

int file_store_size(struct e4_inode *inode, uint64_t size)
{
	return store_size(inode, size, false);
}

static int remove_some(struct e4_inode *inode, uint32_t from, uint32_t to, bool *ret_done)
{
	struct handle h;
	int stored, r = handle_begin(inode->fs, EXTENT_REMOVE_CREDITS, &h);

	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&inode->lock);
	r = inode_reserve(&h, inode);
	if (r == 0) {
		r = extent_remove(&h, inode, from, to, ret_done);
		/* What fails may have removed something before. */
		stored = inode_store(&h, inode, true);
		r = r < 0 ? r : stored;
	}
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	return r;
}

int file_remove_blocks(struct e4_inode *inode, uint64_t from, uint64_t end)
{
	uint64_t limit = min_u64(end, EXTENT_LBLK_MAX + 1ull);
	bool done = from >= limit;
	unsigned tries = 0;
	int r = 0;

	while (r == 0 && !done) {
		do
			r = remove_some(inode, (uint32_t)from, (uint32_t)(limit - 1), &done);
		while (r == -ENOSPC && balloc_retry(inode->fs, &tries));
	}
	return r;
}

/* Nothing is left to do, or it failed and stays as it is. A deleted file stays an orphan. */
static int leave_orphans(struct e4_inode *inode)
{
	struct handle h;
	int r;

	if (!orphan_is_listed(inode))
		return 0;
	r = handle_begin(inode->fs, INODE_CREDITS + ORPHAN_CREDITS, &h);
	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&inode->lock);
	if (inode->nlink > 0)
		r = orphan_remove(&h, inode);
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	/* It must not leave memory while it is listed. */
	return r < 0 ? fs_io_error(inode->fs, r, "end of a truncation") : 0;
}

/* Frees what is behind the end, and zeroes what is left of the last block. */
static int cut_tail(struct e4_inode *inode, uint64_t size)
{
	struct e4_fs *fs = inode->fs;
	int r = file_remove_blocks(inode, (size + fs->block_bytes - 1) >> fs->block_bits, UINT64_MAX);
	int left;

	if (r == 0)
		r = file_zero_tail(inode, size, UINT64_MAX);
	left = leave_orphans(inode);
	return r < 0 ? r : left;
}

/* The size first: what is behind the end is nobody's, whenever the rest gets done. */
static int shrink(struct e4_inode *inode, uint64_t size)
{
	int r = store_size(inode, size, true);

	return r < 0 ? r : cut_tail(inode, size);
}

int file_finish_truncate(struct e4_inode *inode)
{
	if (!inode_is_reg(inode) || file_is_inline(inode))
		return leave_orphans(inode);
	return cut_tail(inode, file_size(inode));
}

static int set_size_locked(struct e4_inode *inode, uint64_t size)
{
	uint64_t old = file_size(inode);
	int r;

	if (size <= old)
		return file_is_inline(inode) ? file_inline_shrink(inode, size)
					     : shrink(inode, size);
	r = file_check_writable(inode);
	if (r < 0)
		return r;
	if (size > file_max_bytes(inode))
		return -EFBIG;
	/* As the kernel does, though there might be room. */
	if (file_is_inline(inode)) {
		r = file_inline_leave(inode, false);
		if (r < 0)
			return r;
	}
	r = file_zero_tail(inode, old, size);
	return r < 0 ? r : file_store_size(inode, size);
}

int file_set_size(struct e4_inode *inode, uint64_t size)
{
	int r;

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
	r = file_store_size(inode, 0);
	return r < 0 ? r : file_remove_blocks(inode, 0, UINT64_MAX);
}
