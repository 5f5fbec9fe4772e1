/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * New blocks of files with a block map. It cannot say that a block is not written yet, so nothing
 * refers to a block before it holds its data: the run is claimed, which only memory knows, then
 * filled, then taken and mapped in one transaction. Whatever stops in between has changed nothing.
 */
#include <errno.h>

#include "ext4/balloc.h"
#include "ext4/file.h"

bool file_needs_claims(struct e4_inode *inode)
{
	bool needs;

	pthread_rwlock_rdlock(&inode->lock);
	needs = !extent_is_tree(inode);
	pthread_rwlock_unlock(&inode->lock);
	return needs;
}

int file_claim(struct e4_inode *inode, const struct extent_run *hole, uint64_t count,
	bool use_reserve, struct extent_run *ret_run)
{
	struct balloc_request request = {
		.ino = inode->ino,
		.wanted = (uint32_t)min_u64(count, hole->count),
		.use_reserve = use_reserve,
		.low = true,
	};
	struct extent_run run = {.lblk = hole->lblk};
	int r;

	pthread_rwlock_rdlock(&inode->lock);
	request.wanted = min_u64(request.wanted, extent_insert_max(inode, run.lblk));
	request.goal = extent_goal(inode, run.lblk);
	request.room = file_room(inode, run.lblk);
	pthread_rwlock_unlock(&inode->lock);
	if (!request.wanted)
		return -EFBIG;
	r = balloc_claim(inode->fs, &request, &run.pblk, &run.count);
	if (r == 0)
		*ret_run = run;
	return r;
}

/* inode->lock held for writing. On failure the claim is as it was, or the blocks are free. */
static int take_and_map(struct handle *h, struct e4_inode *inode, const struct extent_run *run,
	bool *ret_taken)
{
	struct extent_run now;
	int r = extent_map(inode, run->lblk, &now);

	if (r == 0 && (now.pblk || now.count < run->count))
		r = -EEXIST;
	if (r == 0)
		r = inode_reserve(h, inode);
	if (r == 0)
		r = balloc_take_claim(h, run->pblk, run->count);
	if (r < 0)
		return r;
	*ret_taken = true;
	r = extent_insert(h, inode, run);
	return r < 0 ? balloc_undo(h, run->pblk, run->count, false, r) : 0;
}

int file_map_claim(struct e4_inode *inode, const struct extent_run *run, uint64_t to, bool held)
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
		r = take_and_map(&h, inode, run, &taken);
		if (r == 0) {
			file_grow_size(inode, to, held);
			r = inode_store(&h, inode, true);
		}
		pthread_rwlock_unlock(&inode->lock);
		handle_end(&h);
	}
	if (!taken)
		balloc_unclaim(inode->fs, run->pblk, run->count);
	return r;
}
