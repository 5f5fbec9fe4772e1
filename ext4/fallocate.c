/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fallocate: blocks before their data, holes, zeroes that need not be written.
 *
 * 1. A call holds io_lock exclusively from beginning to end: no reader or writer sees it half done.
 *    A crash leaves any of its transactions, each of them a whole file system: a range filled,
 *    emptied or unwritten in part.
 * 2. Space is counted before it is taken, and given back when it does not suffice after all: a call
 *    that fails with -ENOSPC has changed nothing. (The kernel's ext4 leaves what it got.)
 * 3. Only partial blocks at the edges are written, with zeroes. Whole blocks are freed, or become
 *    unwritten, whatever the size. Where that needs a block for the tree and there is none, zeroes
 *    are written after all.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>

#include "ext4/balloc.h"
#include "ext4/file-inline.h"

/* Where the kernel cuts a hole off that reaches behind the end of the file. */
enum { PAGE_BYTES = 4096 };

/* The blocks that were put into holes, to be taken out again. */
struct filled {
	struct {
		uint32_t lblk, count;
	} *runs;
	size_t count, room;
};

static uint64_t blocks_up(const struct e4_fs *fs, uint64_t bytes)
{
	return (bytes + fs->block_bytes - 1) >> fs->block_bits;
}

/* ---- blocks into holes ----------------------------------------------------------------------- */

/* -ENOSPC when the holes of [lblk, end) are more than there is. */
static int check_space(struct e4_inode *inode, uint64_t lblk, uint64_t end, bool use_reserve)
{
	uint64_t missing = 0;

	while (lblk < end) {
		struct extent_run run;
		int r = file_map(inode, lblk, &run);

		if (r < 0)
			return r;
		if (!run.pblk)
			missing += min_u64(run.count, end - lblk);
		lblk += run.count;
	}
	return missing > balloc_available(inode->fs, use_reserve) ? -ENOSPC : 0;
}

static int filled_make_room(struct filled *filled)
{
	size_t room = filled->room ? 2 * filled->room : 16;
	void *runs;

	if (filled->count < filled->room)
		return 0;
	runs = reallocarray(filled->runs, room, sizeof(*filled->runs));
	if (!runs)
		return -ENOMEM;
	filled->runs = runs;
	filled->room = room;
	return 0;
}

static int fill(struct e4_inode *inode, uint64_t lblk, uint64_t end, bool use_reserve,
	struct filled *filled)
{
	while (lblk < end) {
		struct extent_run run;
		int r = file_map(inode, lblk, &run);

		if (r == 0 && !run.pblk) {
			r = filled_make_room(filled);
			if (r == 0)
				r = file_allocate(inode, (uint32_t)lblk, end - lblk, use_reserve,
					&run);
			if (r == 0) {
				filled->runs[filled->count].lblk = run.lblk;
				filled->runs[filled->count++].count = run.count;
			}
		}
		if (r < 0)
			return r;
		lblk = (uint64_t)run.lblk + run.count;
	}
	return 0;
}

/* Unwritten blocks for every hole of [lblk, end), or none. */
static int fill_holes(struct e4_inode *inode, uint64_t lblk, uint64_t end, bool use_reserve)
{
	struct filled filled = {0};
	int undo = 0, r = check_space(inode, lblk, end, use_reserve);

	if (r == 0)
		r = fill(inode, lblk, end, use_reserve, &filled);
	while (r < 0 && undo == 0 && filled.count-- > 0)
		undo = file_remove_blocks(inode, filled.runs[filled.count].lblk,
			(uint64_t)filled.runs[filled.count].lblk + filled.runs[filled.count].count);
	free(filled.runs);
	return undo < 0 ? undo : r;
}

/* ---- written blocks to unwritten ones -------------------------------------------------------- */

static int unwrite_once(struct e4_inode *inode, const struct extent_run *run)
{
	struct handle h;
	unsigned credits;
	int stored, r;

	pthread_rwlock_rdlock(&inode->lock);
	credits = extent_credits(inode) + INODE_CREDITS;
	pthread_rwlock_unlock(&inode->lock);
	r = handle_begin(inode->fs, credits, &h);
	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&inode->lock);
	r = inode_reserve(&h, inode);
	if (r == 0) {
		r = extent_convert(&h, inode, run->lblk, run->count, true);
		stored = inode_store(&h, inode, true);
		r = r < 0 ? r : stored;
	}
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	return r;
}

static int unwrite_run(struct e4_inode *inode, const struct extent_run *run)
{
	struct e4_fs *fs = inode->fs;
	unsigned tries = 0;
	int r;

	do
		r = unwrite_once(inode, run);
	while (r == -ENOSPC && balloc_retry(fs, &tries));
	if (r == -ENOSPC)
		r = file_zero_bytes(inode, fs_blocks_to_bytes(fs, run->lblk),
			fs_blocks_to_bytes(fs, extent_run_end(run)));
	return r;
}

static int unwrite(struct e4_inode *inode, uint64_t lblk, uint64_t end)
{
	while (lblk < end) {
		struct extent_run run;
		int r = file_map(inode, lblk, &run);

		run.count = r == 0 ? (uint32_t)min_u64(run.count, end - lblk) : 0;
		if (r == 0 && run.pblk && !run.unwritten)
			r = unwrite_run(inode, &run);
		if (r < 0)
			return r;
		lblk += run.count;
	}
	return 0;
}

/* ---- the modes, with io_lock held ------------------------------------------------------------ */

/* The parts of [off, end) that are not whole blocks; *ret_lblk, *ret_end: the whole blocks. */
static int zero_edges(struct e4_inode *inode, uint64_t off, uint64_t end, uint64_t *ret_lblk,
	uint64_t *ret_end)
{
	struct e4_fs *fs = inode->fs;
	uint64_t first = round_up_u64(off, fs->block_bytes);
	uint64_t last = round_down_u64(end, fs->block_bytes);
	int r;

	*ret_lblk = *ret_end = first >> fs->block_bits;
	if (first > last)
		return file_zero_bytes(inode, off, end);
	*ret_end = last >> fs->block_bits;
	r = file_zero_bytes(inode, off, first);
	return r < 0 ? r : file_zero_bytes(inode, last, end);
}

/* The size of the file is end now, or what it was. */
static int finish(struct e4_inode *inode, bool keep_size, uint64_t end)
{
	uint64_t old = file_size(inode);
	int r = 0;

	if (keep_size || end <= old)
		end = old;
	else
		r = file_zero_tail(inode, old, end);
	return r < 0 ? r : file_store_size(inode, end);
}

static int allocate_range(struct e4_inode *inode, int mode, uint64_t off, uint64_t end)
{
	struct e4_fs *fs = inode->fs;
	int r = fill_holes(inode, off >> fs->block_bits, blocks_up(fs, end),
		mode & E4_FALLOC_USE_RESERVE);

	return r < 0 ? r : finish(inode, mode & FALLOC_FL_KEEP_SIZE, end);
}

static int zero_range(struct e4_inode *inode, int mode, uint64_t off, uint64_t end)
{
	struct e4_fs *fs = inode->fs;
	uint64_t first, last;
	int r = fill_holes(inode, off >> fs->block_bits, blocks_up(fs, end),
		mode & E4_FALLOC_USE_RESERVE);

	if (r == 0)
		r = zero_edges(inode, off, end, &first, &last);
	if (r == 0)
		r = unwrite(inode, first, last);
	return r < 0 ? r : finish(inode, mode & FALLOC_FL_KEEP_SIZE, end);
}

/* Blocks behind the end of the file stay, as with the kernel's ext4. */
static int punch_hole(struct e4_inode *inode, uint64_t off, uint64_t end)
{
	struct e4_fs *fs = inode->fs;
	uint64_t size = file_size(inode), first, last;
	int r;

	if (off >= size)
		return file_store_size(inode, size);
	if (end >= size)
		end = min_u64(round_up_u64(size, max_u64(fs->block_bytes, PAGE_BYTES)),
			file_max_bytes(inode));
	r = zero_edges(inode, off, end, &first, &last);
	if (r < 0)
		return r;
	r = file_remove_blocks(inode, first, last);
	if (r == -ENOSPC)
		r = file_zero_bytes(inode, fs_blocks_to_bytes(fs, first),
			fs_blocks_to_bytes(fs, last));
	return r < 0 ? r : file_store_size(inode, size);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static bool is_mode(int mode)
{
	switch (mode & ~E4_FALLOC_USE_RESERVE) {
	case 0:
	case FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
		return true;
	default:
		return false;
	}
}

static int fallocate_locked(struct e4_inode *inode, int mode, uint64_t off, uint64_t end)
{
	int r = file_inline_leave(inode, mode & E4_FALLOC_USE_RESERVE);

	if (r < 0)
		return r;
	if (mode & FALLOC_FL_PUNCH_HOLE)
		return punch_hole(inode, off, end);
	/* Block maps know no unwritten blocks. */
	if (file_needs_claims(inode))
		return -EOPNOTSUPP;
	if (mode & FALLOC_FL_ZERO_RANGE)
		return zero_range(inode, mode, off, end);
	return allocate_range(inode, mode, off, end);
}

int e4_fallocate(struct e4_inode *inode, int mode, uint64_t off, uint64_t len)
{
	uint64_t end;
	int r;

	if (!is_mode(mode))
		return -EOPNOTSUPP;
	if (!len)
		return -EINVAL;
	r = file_check_writable(inode);
	if (r == 0)
		r = inode_check_fallocate(inode, mode & ~E4_FALLOC_USE_RESERVE);
	if (r < 0)
		return r;
	if (!add_u64(off, len, &end) || end > file_max_bytes(inode))
		return -EFBIG;
	pthread_rwlock_wrlock(&inode->io_lock);
	r = fallocate_locked(inode, mode, off, end);
	pthread_rwlock_unlock(&inode->io_lock);
	return r < 0 ? r : inode_sync(inode, EXT2_SYNC_FL);
}
