/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * File data. It moves between the caller's buffer and the device directly; only the mapping is
 * metadata. Invariants:
 *
 *	1. io_lock is held while data moves, so no block can be taken away under a transfer.
 *	   inode->lock is held for looking up or changing the mapping, never during data I/O.
 *	2. A block becomes `written` only after all of its bytes are on the device: what was not
 *	   given by the caller has been zeroed. Nobody ever reads what lay on the drive before.
 *	3. Bytes behind the end of a file count for nothing: whoever moves the end over them zeroes
 *	   them first (file_zero_tail), and shrinking zeroes the rest of the last block.
 *	4. io_lock is exclusive for: taking blocks away; filling a new block only partly (two such
 *	   writers would each zero the other's bytes); zeroing a tail. All else shares it.
 */
#include "ext4/file.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "ext4/atime.h"
#include "ext4/balloc.h"
#include "ext4/file-inline.h"
#include "ext4/inode-check.h"

int file_map(struct e4_inode *inode, uint64_t lblk, struct extent_run *ret_run)
{
	int r;

	if (lblk > EXTENT_LBLK_MAX)
		return -EFBIG;
	pthread_rwlock_rdlock(&inode->lock);
	r = extent_map(inode, (uint32_t)lblk, ret_run);
	pthread_rwlock_unlock(&inode->lock);
	return r;
}

uint64_t file_size(struct e4_inode *inode)
{
	uint64_t size;

	pthread_rwlock_rdlock(&inode->lock);
	size = inode->size;
	pthread_rwlock_unlock(&inode->lock);
	return size;
}

bool file_is_inline(struct e4_inode *inode)
{
	uint32_t flags;

	pthread_rwlock_rdlock(&inode->lock);
	flags = inode->flags;
	pthread_rwlock_unlock(&inode->lock);
	return flags & EXT4_INLINE_DATA_FL;
}

uint64_t file_max_bytes(struct e4_inode *inode)
{
	uint64_t max;

	pthread_rwlock_rdlock(&inode->lock);
	max = inode_max_bytes(inode);
	pthread_rwlock_unlock(&inode->lock);
	return max;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* What to read from the device for len bytes at off: up to the end of the last block where buf has room for
 * it, as devices that encrypt have whole blocks at once, and pieces of one in two steps. */
static size_t with_tail(const struct e4_fs *fs, uint64_t off, size_t len, size_t room)
{
	uint64_t whole = round_up_u64(off + len, fs->block_bytes) - off;

	return whole <= room ? (size_t)whole : len;
}

/* Reads the beginning of [off, end), as much as lies in one run; io_lock held. buf has room bytes, of
 * which those behind what was read may change. */
static int read_run(struct e4_inode *inode, uint8_t *buf, uint64_t off, uint64_t end, size_t room,
	size_t *ret_len)
{
	struct e4_fs *fs = inode->fs;
	uint64_t lblk = off >> fs->block_bits;
	uint64_t in_block = off & (fs->block_bytes - 1);
	struct extent_run run;
	size_t len;
	int r = file_map(inode, lblk, &run);

	if (r < 0)
		return r;
	len = (size_t)min_u64(end - off, fs_blocks_to_bytes(fs, run.count) - in_block);
	if (!run.pblk || run.unwritten) {
		memset(buf, 0, len);
	} else {
		r = blkdev_read(fs->dev, buf, with_tail(fs, off, len, room),
			fs_blocks_to_bytes(fs, run.pblk) + in_block);
		if (r < 0)
			return r;
	}
	*ret_len = len;
	return 0;
}

/* room: as in read_run(); 0: none but for what is read. */
static ssize_t read_locked(struct e4_inode *inode, uint8_t *buf, size_t len, size_t room, uint64_t off)
{
	uint64_t size = file_size(inode), end;
	size_t done = 0;

	if (off >= size)
		return 0;
	end = off + min_u64(len, size - off);
	if (room == 0)
		room = (size_t)(end - off);
	while (off + done < end) {
		size_t part;
		int r = read_run(inode, buf + done, off + done, end, room - done, &part);

		if (r < 0)
			return r;
		done += part;
	}
	return (ssize_t)done;
}

static ssize_t read_any(struct e4_inode *inode, void *buf, size_t len, size_t room, uint64_t off)
{
	ssize_t r;

	if (!inode_is_reg(inode))
		return inode_is_dir(inode) ? -EISDIR : -EINVAL;
	if (len > SSIZE_MAX)
		return -EINVAL;
	pthread_rwlock_rdlock(&inode->io_lock);
	r = file_is_inline(inode) ? file_inline_read(inode, buf, len, off)
				  : read_locked(inode, buf, len, room, off);
	pthread_rwlock_unlock(&inode->io_lock);
	return r;
}

ssize_t e4_read(struct e4_inode *inode, void *buf, size_t len, uint64_t off)
{
	return read_any(inode, buf, len, 0, off);
}

ssize_t e4_read_room(struct e4_inode *inode, void *buf, size_t len, size_t room, uint64_t off)
{
	assert(room >= len);
	return read_any(inode, buf, len, room, off);
}

/* ---- holes --------------------------------------------------------------------------------- */

static int seek_locked(struct e4_inode *inode, uint64_t off, bool data, uint64_t *ret_off)
{
	struct e4_fs *fs = inode->fs;
	uint64_t size = file_size(inode);

	if (off >= size)
		return -ENXIO;
	if (file_is_inline(inode)) {
		*ret_off = data ? off : size;
		return 0;
	}
	while (off < size) {
		struct extent_run run;
		int r = file_map(inode, off >> fs->block_bits, &run);

		if (r < 0)
			return r;
		if ((run.pblk && !run.unwritten) == data) {
			*ret_off = off;
			return 0;
		}
		off = fs_blocks_to_bytes(fs, (uint64_t)run.lblk + run.count);
	}
	if (data)
		return -ENXIO;
	*ret_off = size;
	return 0;
}

int e4_seek(struct e4_inode *inode, uint64_t off, int whence, uint64_t *ret_off)
{
	int r;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	if (!inode_is_reg(inode))
		return -EINVAL;
	pthread_rwlock_rdlock(&inode->io_lock);
	r = seek_locked(inode, off, whence == SEEK_DATA, ret_off);
	pthread_rwlock_unlock(&inode->io_lock);
	return r;
}

/* ---- on the medium ------------------------------------------------------------------------- */

int e4_fsync(struct e4_inode *inode, bool datasync)
{
	struct e4_fs *fs = inode->fs;
	uint64_t txn;
	int error = 0;

	/* In this order: the error is there before the volume is read-only. */
	if (fs->read_only)
		return fs->error;
	if (!datasync)
		error = atime_store(inode);
	if (error)
		return error;
	pthread_rwlock_rdlock(&inode->lock);
	txn = datasync ? inode->datasync_txn : inode->sync_txn;
	pthread_rwlock_unlock(&inode->lock);
	return txn_commit(fs, txn);
}

/* ---- blocks -------------------------------------------------------------------------------- */

uint32_t file_room(const struct e4_inode *inode, uint32_t lblk)
{
	bool grows = lblk >= inode->size >> inode->fs->block_bits;

	return grows ? (uint32_t)min_u64(2 * (uint64_t)lblk, UINT32_MAX) : 0;
}

/* A run of unwritten blocks into the hole that begins at hole->lblk, at most `wanted`. */
static int fill_hole(struct handle *h, struct e4_inode *inode, const struct extent_run *hole,
	uint64_t wanted, bool use_reserve, struct extent_run *ret_run)
{
	struct balloc_request request = {
		.goal = extent_goal(inode, hole->lblk),
		.ino = inode->ino,
		.wanted = (uint32_t)min_u64(min_u64(wanted, hole->count), EXTENT_RUN_MAX),
		.room = file_room(inode, hole->lblk),
		.use_reserve = use_reserve,
	};
	struct extent_run run = {.lblk = hole->lblk, .unwritten = true};
	int r = inode_reserve(h, inode);

	if (r == 0)
		r = balloc_alloc(h, &request, &run.pblk, &run.count);
	if (r < 0)
		return r;
	r = extent_insert(h, inode, &run);
	if (r < 0)
		return balloc_undo(h, run.pblk, run.count, false, r);
	*ret_run = run;
	return inode_store(h, inode, true);
}

static int allocate_once(struct e4_inode *inode, uint32_t lblk, uint64_t count, bool use_reserve,
	struct extent_run *ret_run)
{
	struct extent_run run;
	struct handle h;
	unsigned credits;
	int r;

	pthread_rwlock_rdlock(&inode->lock);
	credits = extent_credits(inode) + BALLOC_CREDITS + INODE_CREDITS;
	pthread_rwlock_unlock(&inode->lock);
	r = handle_begin(inode->fs, credits, &h);
	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&inode->lock);
	/* Another writer may have filled it since the caller looked. */
	r = extent_map(inode, lblk, &run);
	if (r == 0 && !run.pblk)
		r = fill_hole(&h, inode, &run, count, use_reserve, &run);
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	if (r == 0)
		*ret_run = run;
	return r;
}

int file_allocate(struct e4_inode *inode, uint32_t lblk, uint64_t count, bool use_reserve,
	struct extent_run *ret_run)
{
	unsigned tries = 0;
	int r;

	do
		r = allocate_once(inode, lblk, count, use_reserve, ret_run);
	while (r == -ENOSPC && balloc_retry(inode->fs, &tries));
	return r;
}
