/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing. Per run of blocks: where they are written already, the data just goes there. Elsewhere
 * three steps: blocks are allocated as unwritten (one handle), the data goes to the device (no
 * handle, no inode->lock), the blocks become written and the size grows (second handle). Whatever
 * stops in between leaves unwritten blocks, which read as zeroes. (Block maps: file-claim.c.)
 */
#include "ext4/file.h"

#include <errno.h>
#include <limits.h>

#include "ext4/balloc.h"
#include "ext4/dataloss.h"
#include "ext4/file-inline.h"
#include "ext4/inode-check.h"
#include "ext4/inode-disk.h"

/* One call of e4_write(). */
struct writing {
	struct e4_inode *inode;
	uint8_t *buf;
	uint64_t off, end; /* where buf begins and ends in the file */
	bool may_clobber, use_reserve;
	bool held; /* E4_WRITE_HELD */
};

int file_check_writable(struct e4_inode *inode)
{
	int r = fs_check_writable(inode->fs);

	if (r < 0)
		return r;
	if (!inode_is_reg(inode))
		return inode_is_dir(inode) ? -EISDIR : -EINVAL;
	return 0;
}

/* ---- data ---------------------------------------------------------------------------------- */

/* Bytes [from, to) of the file to where physical block pblk holds block lblk. */
static int put_data(const struct writing *w, uint64_t from, uint64_t to,
	const struct extent_run *run)
{
	struct e4_fs *fs = w->inode->fs;
	uint64_t in_run = from - fs_blocks_to_bytes(fs, run->lblk);
	uint64_t to_dev = fs_blocks_to_bytes(fs, run->pblk) + in_run;
	struct blkdev_write how = dataloss_how(w->inode, w->may_clobber);
	uint8_t *src = w->buf + (from - w->off);
	size_t len = (size_t)(to - from);

	if (!len)
		return 0;
	atomic_fetch_add(&fs->bytes_written, len);
	return blkdev_write_how(fs->dev, src, len, to_dev, &how);
}

/* A whole new block of which the caller gives only [from, to): zeroes around it. */
static int put_partial(const struct writing *w, uint64_t from, uint64_t to,
	const struct extent_run *run)
{
	struct e4_fs *fs = w->inode->fs;
	uint64_t start = round_down_u64(from, fs->block_bytes);
	CLEANUP_FREE uint8_t *block = calloc(1, fs->block_bytes);
	struct blkdev_write how = dataloss_how(w->inode, true);

	if (!block)
		return -ENOMEM;
	memcpy(block + (from - start), w->buf + (from - w->off), (size_t)(to - from));
	return blkdev_write_how(fs->dev, block, fs->block_bytes,
		fs_blocks_to_bytes(fs, run->pblk) + (start - fs_blocks_to_bytes(fs, run->lblk)), &how);
}

/* All bytes of new blocks: [from, to) from the caller, zeroes up to the blocks' edges. */
static int put_new(const struct writing *w, uint64_t from, uint64_t to,
	const struct extent_run *run)
{
	uint64_t size = w->inode->fs->block_bytes;
	uint64_t first = round_up_u64(from, size), last = round_down_u64(to, size);
	int r = 0;

	if (first > last)
		return put_partial(w, from, to, run);
	if (from < first)
		r = put_partial(w, from, first, run);
	if (r == 0)
		r = put_data(w, first, last, run);
	if (r == 0 && last < to)
		r = put_partial(w, last, to, run);
	return r;
}

/* ---- one run ------------------------------------------------------------------------------- */

void file_grow_size(struct e4_inode *inode, uint64_t to, bool held)
{
	if (to > inode->size)
		inode->size = to;
	if (!held)
		inode->mtime = inode->ctime = inode_disk_time(inode, inode_now());
}

/* The blocks of [from, to) have their data. */
static int convert(const struct writing *w, uint64_t from, uint64_t to)
{
	struct e4_inode *inode = w->inode;
	struct e4_fs *fs = inode->fs;
	uint32_t lblk = (uint32_t)(from >> fs->block_bits);
	uint32_t end = (uint32_t)((to + fs->block_bytes - 1) >> fs->block_bits);
	unsigned credits;
	struct handle h;
	int r, stored;

	pthread_rwlock_rdlock(&inode->lock);
	credits = extent_credits(inode) + INODE_CREDITS + 1;
	pthread_rwlock_unlock(&inode->lock);
	r = handle_begin(fs, credits, &h);
	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&inode->lock);
	r = inode_reserve(&h, inode);
	if (r == 0) {
		r = extent_convert(&h, inode, lblk, end - lblk, false);
		if (r == 0)
			file_grow_size(inode, to, w->held);
		/* A conversion that fails may have changed the tree's shape before. */
		stored = inode_store(&h, inode, true);
		r = r < 0 ? r : stored;
	}
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	return r;
}

/* Into the beginning of a hole of a block map. *ret_to == from: somebody else was faster, and his
 * blocks are to be overwritten. */
static int fill_hole_once(const struct writing *w, uint64_t from, const struct extent_run *hole,
	uint64_t *ret_to)
{
	struct e4_fs *fs = w->inode->fs;
	uint64_t end = (w->end + fs->block_bytes - 1) >> fs->block_bits;
	struct writing kept = *w;
	struct extent_run run;
	uint64_t to;
	int r = file_claim(w->inode, hole, end - hole->lblk, w->use_reserve, &run);

	if (r < 0)
		return r;
	to = min_u64(w->end, fs_blocks_to_bytes(fs, (uint64_t)run.lblk + run.count));
	kept.may_clobber = false; /* it may have to be written once more */
	r = put_new(&kept, from, to, &run);
	if (r < 0) {
		balloc_unclaim(fs, run.pblk, run.count);
		return r;
	}
	r = file_map_claim(w->inode, &run, to, w->held);
	if (r < 0 && r != -EEXIST)
		return r;
	*ret_to = r == -EEXIST ? from : to;
	return 0;
}

static int fill_hole(const struct writing *w, uint64_t from, const struct extent_run *hole,
	uint64_t *ret_to)
{
	unsigned tries = 0;
	int r;

	do
		r = fill_hole_once(w, from, hole, ret_to);
	while (r == -ENOSPC && balloc_retry(w->inode->fs, &tries));
	return r;
}

/* Writes the beginning of [from, w->end), as much as lies in one run. */
static int write_run(const struct writing *w, uint64_t from, bool *ret_dirty, uint64_t *ret_to)
{
	struct e4_inode *inode = w->inode;
	struct e4_fs *fs = inode->fs;
	uint64_t lblk = from >> fs->block_bits;
	uint64_t end = (w->end + fs->block_bytes - 1) >> fs->block_bits;
	struct extent_run run;
	uint64_t to;
	int r = file_map(inode, lblk, &run);

	if (r == 0 && !run.pblk && file_needs_claims(inode))
		return fill_hole(w, from, &run, ret_to);
	if (r == 0 && !run.pblk)
		r = file_allocate(inode, (uint32_t)lblk, end - lblk, w->use_reserve, &run);
	if (r < 0)
		return r;
	to = min_u64(w->end, fs_blocks_to_bytes(fs, (uint64_t)run.lblk + run.count));
	if (run.unwritten) {
		r = put_new(w, from, to, &run);
		if (r == 0)
			r = convert(w, from, to);
	} else {
		r = put_data(w, from, to, &run);
		*ret_dirty = true;
	}
	if (r == 0)
		*ret_to = to;
	return r;
}

/* Size and times after data has gone to blocks that were written already. */
static int store_progress(const struct writing *w, uint64_t to)
{
	struct e4_inode *inode = w->inode;
	struct handle h;
	int r = handle_begin(inode->fs, INODE_CREDITS + 1, &h);

	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&inode->lock);
	r = inode_reserve(&h, inode);
	if (r == 0) {
		bool grows = to > inode->size;

		file_grow_size(inode, to, w->held);
		r = inode_store(&h, inode, grows);
	}
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	return r;
}

static ssize_t write_locked(const struct writing *w)
{
	uint64_t at = w->off;
	bool dirty = false;
	int r = 0;

	while (r == 0 && at < w->end)
		r = write_run(w, at, &dirty, &at);
	if (at == w->off)
		return r;
	if (dirty) {
		int stored = store_progress(w, at);

		if (stored < 0)
			return stored;
	}
	if (r < 0 && r != -ENOSPC)
		return r;
	return (ssize_t)(at - w->off);
}

/* ---- locking ------------------------------------------------------------------------------- */

/* Whether the block at the edge `off` of the request would be filled only partly. */
static int edge_is_new(struct e4_inode *inode, uint64_t off, bool *ret_new)
{
	struct e4_fs *fs = inode->fs;
	struct extent_run run;
	int r;

	*ret_new = false;
	if (!(off & (fs->block_bytes - 1)))
		return 0;
	r = file_map(inode, off >> fs->block_bits, &run);
	if (r == 0)
		*ret_new = !run.pblk || run.unwritten;
	return r;
}

/* Invariant 4 of file.c. io_lock held in either way. */
static int needs_exclusive(const struct writing *w, bool *ret_exclusive)
{
	struct e4_inode *inode = w->inode;
	uint64_t size = file_size(inode);
	bool head, tail;
	int r = edge_is_new(inode, w->off, &head);

	if (r == 0)
		r = edge_is_new(inode, w->end, &tail);
	if (r == 0)
		*ret_exclusive = head || tail ||
			(w->off > size && (size & (inode->fs->block_bytes - 1)));
	return r;
}

static ssize_t write_exclusive(const struct writing *w)
{
	struct e4_inode *inode = w->inode;
	int r = file_zero_tail(inode, file_size(inode), w->off);

	return r < 0 ? r : write_locked(w);
}

/* 0: the data goes to blocks. */
static ssize_t write_inline(const struct writing *w)
{
	struct e4_inode *inode = w->inode;
	ssize_t r;

	if (!file_may_be_inline(inode))
		return 0;
	pthread_rwlock_wrlock(&inode->io_lock);
	r = file_inline_write(inode, w->buf, (size_t)(w->end - w->off), w->off,
		w->use_reserve);
	pthread_rwlock_unlock(&inode->io_lock);
	return r;
}

static ssize_t write_any(const struct writing *w)
{
	struct e4_inode *inode = w->inode;
	bool exclusive;
	ssize_t r = write_inline(w);

	if (r != 0)
		return r;
	pthread_rwlock_rdlock(&inode->io_lock);
	r = needs_exclusive(w, &exclusive);
	if (r == 0 && !exclusive)
		r = write_locked(w);
	pthread_rwlock_unlock(&inode->io_lock);
	if (r != 0 || !exclusive)
		return r;
	pthread_rwlock_wrlock(&inode->io_lock);
	r = write_exclusive(w);
	pthread_rwlock_unlock(&inode->io_lock);
	return r;
}

/* What a program writes itself to a file with chattr +S is on the medium when it goes on, or it is told:
 * mark is from before the writing. */
static ssize_t sync_written(struct e4_inode *inode, ssize_t written, unsigned flags, uint64_t mark)
{
	int r;

	if (written <= 0 || flags & E4_WRITE_HELD || !(e4_get_flags(inode) & EXT2_SYNC_FL))
		return written;
	r = inode_sync(inode, EXT2_SYNC_FL);
	r = r < 0 ? r : e4_loss_check(inode, &mark);
	return r < 0 ? r : written;
}

ssize_t e4_write(struct e4_inode *inode, void *buf, size_t len, uint64_t off, unsigned flags)
{
	struct writing w = {
		.inode = inode,
		.buf = buf,
		.off = off,
		.may_clobber = flags & E4_WRITE_MAY_CLOBBER,
		.use_reserve = flags & E4_WRITE_USE_RESERVE,
		.held = flags & E4_WRITE_HELD,
	};
	uint64_t max = file_max_bytes(inode);
	uint64_t mark = e4_loss_mark(inode);
	ssize_t written;
	int r = file_check_writable(inode);

	if (r == 0 && !(flags & E4_WRITE_HELD))
		r = inode_check_mutable(inode);
	if (r < 0)
		return r;
	if (!len)
		return 0;
	if (len > SSIZE_MAX)
		return -EINVAL;
	if (off >= max)
		return -EFBIG;
	w.end = off + min_u64(len, max - off);
	written = write_any(&w);
	if (written >= 0 && (size_t)written < len && (flags & E4_WRITE_WHOLE))
		return off + (size_t)written == max ? -EFBIG : -ENOSPC;
	return sync_written(inode, written, flags, mark);
}
