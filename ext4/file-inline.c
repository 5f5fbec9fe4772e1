/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files that live in their inode.
 *
 *	new and empty (may_inline) -> inline -> blocks
 *
 * Invariants
 * 1. A file goes this way only, and with io_lock held exclusively, so a transfer that shares the
 *    lock sees one form.
 * 2. Inline data is metadata: each change is one handle, and a commit has all of it or nothing.
 * 3. What lies behind the end of the file counts for nothing. The end may lie far behind the inline
 *    bytes: there are zeroes in between.
 * 4. Leaving takes one handle, too: the data, never more than a block, has gone to a block that was
 *    only claimed. After a crash it is in one place or the other, and no block is lost.
 */
#include "ext4/file-inline.h"

#include <errno.h>

#include "ext4/balloc.h"
#include "ext4/extent-node.h"
#include "ext4/inline.h"
#include "ext4/inode-disk.h"

bool file_may_be_inline(struct e4_inode *inode)
{
	bool may;

	pthread_rwlock_rdlock(&inode->lock);
	may = inode->may_inline || (inode->flags & EXT4_INLINE_DATA_FL);
	pthread_rwlock_unlock(&inode->lock);
	return may;
}

/* The file's bytes, zeroes behind them; *ret_len of them are stored. inode->lock held. */
static int load(struct e4_inode *inode, uint8_t data[INLINE_MAX], size_t *ret_len)
{
	size_t len = 0;
	int r = 0;

	if (inode->flags & EXT4_INLINE_DATA_FL)
		r = inline_get(inode, data, &len);
	if (r < 0)
		return r;
	len = min_u64(len, inode->size);
	memset(data + len, 0, INLINE_MAX - len);
	*ret_len = len;
	return 0;
}

/* The record has changed, so its checksum must: nothing half done reaches the drive. */
static int store(struct handle *h, struct e4_inode *inode, uint64_t size)
{
	int r;

	inode->size = size;
	inode->mtime = inode->ctime = inode_disk_time(inode, inode_now());
	r = inode_store(h, inode, true);
	return r < 0 ? fs_io_error(h->fs, r, "inline data half changed") : 0;
}

ssize_t file_inline_read(struct e4_inode *inode, uint8_t *buf, size_t len, uint64_t off)
{
	uint8_t data[INLINE_MAX];
	uint64_t size;
	size_t have, part;
	int r;

	pthread_rwlock_rdlock(&inode->lock);
	size = inode->size;
	r = load(inode, data, &have);
	pthread_rwlock_unlock(&inode->lock);
	if (r < 0)
		return r;
	if (off >= size)
		return 0;
	len = (size_t)min_u64(len, size - off);
	part = off < have ? (size_t)min_u64(len, have - off) : 0;
	memcpy(buf, data + (part ? off : 0), part);
	memset(buf + part, 0, len - part);
	return (ssize_t)len;
}

/* ---- changes inside the inode -------------------------------------------------------------- */

static bool has_no_blocks(const struct e4_inode *inode)
{
	if (inode->flags & EXT4_EXTENTS_FL)
		return !extent_node_entries(inode->i_block);
	return bytes_all_zero(inode->i_block, sizeof(inode->i_block));
}

static int write_under(struct handle *h, struct e4_inode *inode, const uint8_t *buf, size_t len,
	uint64_t off)
{
	uint64_t end = off + len;
	uint8_t data[INLINE_MAX];
	size_t capacity, have;
	int r;

	if (!(inode->flags & EXT4_INLINE_DATA_FL) && !has_no_blocks(inode))
		return -ENOSPC;
	r = inode_reserve(h, inode);
	if (r == 0)
		r = inline_capacity(inode, &capacity);
	if (r == 0 && end > capacity)
		r = -ENOSPC;
	if (r == 0)
		r = load(inode, data, &have);
	if (r < 0)
		return r;
	memcpy(data + off, buf, len);
	r = inline_set(h, inode, data, max_u64(have, end));
	return r < 0 ? r : store(h, inode, max_u64(inode->size, end));
}

ssize_t file_inline_write(struct e4_inode *inode, const uint8_t *buf, size_t len, uint64_t off,
	bool use_reserve)
{
	struct handle h;
	int r;

	if (!file_may_be_inline(inode))
		return 0;
	/* No need to look closer at what is larger than any record. */
	if (off + len > inode->fs->inode_bytes)
		return file_inline_leave(inode, use_reserve);
	r = handle_begin(inode->fs, INODE_CREDITS + 1, &h);
	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&inode->lock);
	r = write_under(&h, inode, buf, len, off);
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	if (r == -ENOSPC)
		return file_inline_leave(inode, use_reserve);
	return r < 0 ? r : (ssize_t)len;
}

static int shrink_under(struct handle *h, struct e4_inode *inode, uint64_t size)
{
	uint8_t data[INLINE_MAX];
	size_t have;
	int r = inode_reserve(h, inode);

	if (r == 0)
		r = load(inode, data, &have);
	if (r == 0)
		r = inline_set(h, inode, data, min_u64(have, size));
	return r < 0 ? r : store(h, inode, size);
}

int file_inline_shrink(struct e4_inode *inode, uint64_t size)
{
	struct handle h;
	int r = handle_begin(inode->fs, INODE_CREDITS + 1, &h);

	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&inode->lock);
	r = shrink_under(&h, inode, size);
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	return r;
}

/* ---- from the inode to a block ------------------------------------------------------------- */

/* A claimed block that holds data, on the drive. */
static int put_block(struct e4_inode *inode, const uint8_t *data, size_t len, bool use_reserve,
	struct extent_run *ret_run)
{
	struct e4_fs *fs = inode->fs;
	struct balloc_request request = {
		.ino = inode->ino,
		.wanted = 1,
		.use_reserve = use_reserve,
		.low = !fs_has_incompat(fs, EXT3_FEATURE_INCOMPAT_EXTENTS),
	};
	CLEANUP_FREE uint8_t *block = calloc(1, fs->block_bytes);
	struct extent_run run = {0};
	int r;

	if (!block)
		return -ENOMEM;
	r = balloc_claim(fs, &request, &run.pblk, &run.count);
	if (r < 0)
		return r;
	memcpy(block, data, len);
	r = blkdev_write_clobber(
		fs->dev, block, fs->block_bytes, fs_blocks_to_bytes(fs, run.pblk));
	if (r < 0) {
		balloc_unclaim(fs, run.pblk, run.count);
		return r;
	}
	*ret_run = run;
	return 0;
}

/* Takes the claim and maps it. On failure it is as it was, or *ret_taken and free. */
static int map_block(struct handle *h, struct e4_inode *inode, const struct extent_run *run,
	bool *ret_taken)
{
	int r = balloc_take_claim(h, run->pblk, run->count);

	if (r < 0)
		return r;
	*ret_taken = true;
	r = extent_insert(h, inode, run);
	return r < 0 ? balloc_undo(h, run->pblk, run->count, false, r) : 0;
}

/* The inode maps run, if there is one, instead of holding data itself. inode->lock held. */
static int switch_under(struct handle *h, struct e4_inode *inode, const struct extent_run *run,
	bool *ret_taken)
{
	struct inline_state saved;
	int r = inode_reserve(h, inode);

	if (r < 0)
		return r;
	inline_map_begin(inode, &saved);
	if (run->count)
		r = map_block(h, inode, run, ret_taken);
	if (r < 0) {
		inline_map_undo(inode, &saved);
		return r;
	}
	inode->size = saved.size;
	r = inline_forget(h, inode);
	if (r == 0)
		r = inode_store(h, inode, true);
	return r < 0 ? fs_io_error(h->fs, r, "inline data half moved") : 0;
}

static int switch_to(struct e4_inode *inode, const struct extent_run *run)
{
	unsigned credits = INODE_CREDITS + 1 + BALLOC_CREDITS;
	bool taken = false;
	struct handle h;
	int r;

	pthread_rwlock_rdlock(&inode->lock);
	credits += extent_credits(inode);
	pthread_rwlock_unlock(&inode->lock);
	r = handle_begin(inode->fs, credits, &h);
	if (r == 0) {
		pthread_rwlock_wrlock(&inode->lock);
		r = switch_under(&h, inode, run, &taken);
		pthread_rwlock_unlock(&inode->lock);
		handle_end(&h);
	}
	if (run->count && !taken)
		balloc_unclaim(inode->fs, run->pblk, run->count);
	return r;
}

static int leave_once(struct e4_inode *inode, bool use_reserve)
{
	struct extent_run run = {0};
	uint8_t data[INLINE_MAX];
	size_t len;
	int r;

	pthread_rwlock_rdlock(&inode->lock);
	r = load(inode, data, &len);
	pthread_rwlock_unlock(&inode->lock);
	if (r == 0 && len)
		r = put_block(inode, data, len, use_reserve, &run);
	return r < 0 ? r : switch_to(inode, &run);
}

int file_inline_leave(struct e4_inode *inode, bool use_reserve)
{
	unsigned tries = 0;
	int r = 0;

	if (file_is_inline(inode)) {
		do
			r = leave_once(inode, use_reserve);
		while (r == -ENOSPC && balloc_retry(inode->fs, &tries));
	}
	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&inode->lock);
	inode->may_inline = false;
	pthread_rwlock_unlock(&inode->lock);
	return 0;
}
