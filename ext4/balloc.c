/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Block allocator.
 *
 * Invariants:
 * 1. fs->free_blocks follows the bitmaps within each handle, so it is exact when a commit stores it.
 *    The bitmaps decide; the counter only says early that nothing is left, and keeps root's reserve
 *    and, as the kernel's ext4 does, a little more for trees: blocks that a file has already must be
 *    usable on a full volume, though an extent has to be split for that.
 * 2. A bit is given out only when it is clear in the bitmap and not pending (group.h), and never
 *    when it belongs to metadata, whatever a damaged bitmap says.
 * 3. Bitmap, descriptor and its checksums change together, under the group's lock: all that can
 *    fail has been done before the first byte changes, unless the volume itself has failed.
 *
 * 4. A claim is a run that only memory keeps from others (it counts as pending): its owner fills
 *    it with data, then takes it in the transaction that refers to it, so a crash in between has
 *    neither lost the run nor shown it to anybody.
 *
 * Search: first exactly at the goal; then the group's next run that is long enough; a shorter run
 * is only taken when no group nearby, nor some further away, has a long one. longest_free_hint and
 * the descriptors' counts skip groups without I/O.
 *
 * Files that are written at the same time would take turns on the drive. So a large run that does
 * not continue anything leaves room behind itself: the next search without a goal begins WINDOW
 * blocks further on, and what is left over is found when the group's end has been reached. Files that
 * take turns in growing by a little have their room, too, as soon as their goals are taken by each
 * other: the more, the larger they have grown. Nothing of this is kept but the cursor.
 */
#include "ext4/balloc.h"

#include <errno.h>


enum {
	NEARBY_GROUPS = 64, /* searched for a long run before a short one is taken */
	LARGE = 256,	    /* blocks: the file may well go on */
	WINDOW = 2048,
	RETRIES_MAX = 3,
};

/* Where the search goes and what it takes. */
struct search {
	struct e4_fs *fs;
	struct handle *h;  /* NULL: the run is only claimed */
	uint32_t groups;   /* the first so many are searched */
	uint32_t wanted;
	uint32_t room;	   /* more that should be free behind them */
	uint32_t least;	   /* shorter runs are left alone in this pass */
	uint32_t goal_bit; /* in the first group */
};

struct run {
	uint32_t start, count;
};

/* The first run from bit `from` on that has `enough` blocks, else the longest one. */
static struct run scan(const uint8_t *bits, const uint8_t *pending, uint32_t from, uint32_t end,
	uint32_t enough, uint32_t *longest)
{
	struct run best = {0};

	for (uint32_t at = bitmap_next(bits, pending, from, end, true); at < end;) {
		uint32_t stop = bitmap_next(bits, pending, at, end, false);

		*longest = max_u64(*longest, stop - at);
		if (stop - at > best.count)
			best = (struct run){at, stop - at};
		if (best.count >= enough)
			break;
		at = bitmap_next(bits, pending, stop, end, true);
	}
	return best;
}

/* The run that begins at the goal: right behind the file's last block even a short one is best. */
static struct run choose_goal(const struct search *s, const struct group *group, const uint8_t *bits)
{
	uint32_t end = group_blocks(s->fs, group->index), from = s->goal_bit, stop;

	if (from >= end)
		return (struct run){0};
	stop = bitmap_next(bits, group->pending_blocks, from, min_u64(end, (uint64_t)from + s->wanted), false);
	return (struct run){from, stop - from};
}

/* Picks a run in the group; count 0: none that is worth it in this pass. */
static struct run choose(const struct search *s, struct group *group, const uint8_t *bits, bool first)
{
	uint32_t end = group_blocks(s->fs, group->index), longest = 0;
	uint32_t from = min_u64(group->cursor, end);
	/* In a group of short pieces none is looked for that is known not to be there. */
	uint32_t enough = min_u64((uint64_t)s->wanted + s->room, group->longest_free_hint);
	struct run run, other;

	/* A short request behind the goal stays near it, unless more of its kind will follow. */
	if (first && s->goal_bit < end && s->wanted < LARGE && !s->room)
		from = s->goal_bit;
	run = scan(bits, group->pending_blocks, from, end, enough, &longest);
	if (run.count < enough) {
		/* A run that spans `from` is seen whole only from the left. */
		other = scan(bits, group->pending_blocks, 0, end, enough, &longest);
		if (other.count > run.count)
			run = other;
		if (run.count < s->wanted)
			group->longest_free_hint = longest;
	}
	run.count = run.count < s->least ? 0 : min_u64(run.count, s->wanted);
	return run;
}

/* Marks run used. group->lock held; changes nothing on failure. */
static int take(struct handle *h, struct group *group, struct group_desc *desc, struct buf *bitmap,
	const struct run *run)
{
	struct e4_fs *fs = h->fs;
	CLEANUP_BUF struct buf *pin = NULL;
	uint64_t block = group_first_block(fs, group->index) + run->start;
	int r;

	if (desc->free_blocks < run->count)
		return fs_damaged(fs, "group %u: free block count too low", group->index);
	r = group_check_data_blocks(fs, block, run->count);
	if (r == -EUCLEAN)
		return fs_damaged(fs, "group %u: block bitmap shows metadata as free", group->index);
	if (r == 0)
		r = group_desc_pin(fs, group->index, &pin);
	if (r == 0)
		r = buf_modify(h, bitmap);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < run->count; i++)
		bitmap_set(bitmap->data, run->start + i);
	desc->free_blocks -= run->count;
	desc->flags &= ~EXT2_BG_BLOCK_UNINIT;
	group_block_bitmap_seal(fs, bitmap, desc);
	return group_desc_store(h, group->index, desc);
}

/* Keeps run from all others without changing anything on the drive. group->lock held. */
static int claim(struct e4_fs *fs, struct group *group, const struct run *run)
{
	int r = group_check_data_blocks(fs, group_first_block(fs, group->index) + run->start, run->count);

	if (r == -EUCLEAN)
		return fs_damaged(fs, "group %u: block bitmap shows metadata as free", group->index);
	if (r == 0)
		r = group_hold(fs, group, run->start, run->count);
	if (r == 0)
		atomic_fetch_add(&fs->claimed_blocks, run->count);
	return r;
}

static void cursor_advance(const struct search *s, struct group *group, const struct run *run,
	bool follows)
{
	uint32_t end = run->start + run->count;

	if (!follows && run->count >= LARGE)
		group->cursor = max_u64(run->start + WINDOW, end);
	else if (!follows)
		group->cursor = end + s->room;
	else if (group->cursor >= run->start && group->cursor < end)
		group->cursor = end;
}

/* 1: found and taken, 0: nothing here, < 0 failure */
static int try_group(const struct search *s, uint32_t index, bool first, struct run *ret_run)
{
	CLEANUP_BUF struct buf *bitmap = NULL;
	struct group_desc desc;
	struct group *group;
	struct run run;
	bool follows;
	int r = group_get(s->fs, index, &group);

	if (r < 0)
		return r;
	pthread_mutex_lock(&group->lock);
	r = group->longest_free_hint < s->least ? 1 : group_desc_load(s->fs, index, &desc);
	if (r == 1 || (r == 0 && desc.free_blocks < (uint64_t)group->pending_block_count + s->least)) {
		pthread_mutex_unlock(&group->lock);
		return 0;
	}
	if (r == 0)
		r = group_block_bitmap(s->fs, group, &desc, &bitmap);
	if (r == 0) {
		run = first ? choose_goal(s, group, bitmap->data) : (struct run){0};
		follows = run.count > 0;
		if (!follows)
			run = choose(s, group, bitmap->data, first);
		if (run.count)
			r = s->h ? take(s->h, group, &desc, bitmap, &run) :
				   claim(s->fs, group, &run);
		if (r == 0 && run.count) {
			cursor_advance(s, group, &run, follows);
			*ret_run = run;
			r = 1;
		}
	}
	pthread_mutex_unlock(&group->lock);
	return r;
}

static uint64_t free_beyond(struct e4_fs *fs, uint64_t kept)
{
	uint64_t now = atomic_load(&fs->free_blocks);

	kept += atomic_load(&fs->claimed_blocks);
	return now <= kept ? 0 : now - kept;
}

uint64_t balloc_available(struct e4_fs *fs, bool use_reserve)
{
	return free_beyond(fs, fs->tree_reserve + (use_reserve ? 0 : fs->reserved_blocks));
}

static uint64_t allowed(struct e4_fs *fs, const struct balloc_request *request)
{
	if (request->for_tree)
		return free_beyond(fs, 0);
	return balloc_available(fs, request->use_reserve);
}

/* A super block that counts too few must not make the counter wrap. */
static void count_taken(struct e4_fs *fs, uint32_t count)
{
	uint64_t now = atomic_load(&fs->free_blocks);

	while (!atomic_compare_exchange_weak(&fs->free_blocks, &now, now - min_u64(now, count)))
		;
}

/* Tries count groups from start on; results as try_group(). */
static int search_groups(const struct search *s, uint32_t start, uint32_t count,
	bool goal, uint32_t *ret_index, struct run *ret_run)
{
	for (uint32_t i = 0; i < min_u64(count, s->groups); i++) {
		uint32_t index = ((uint64_t)start + i) % s->groups;
		int r = try_group(s, index, goal && i == 0, ret_run);

		if (r > 0)
			*ret_index = index;
		if (r != 0)
			return r;
	}
	return 0;
}

static int search_once(struct search *s, uint32_t start, uint64_t *ret_block,
	uint32_t *ret_count)
{
	struct e4_fs *fs = s->fs;
	uint32_t far = atomic_load(&fs->far_block_group) % s->groups;
	uint32_t useful = max_u64(1, s->wanted / 2), index = 0;
	bool small = s->groups <= NEARBY_GROUPS;
	struct run run = {0};
	int r;

	/* Runs of useful length: close by, then elsewhere. */
	s->least = useful;
	r = search_groups(s, start, NEARBY_GROUPS, true, &index, &run);
	if (r == 0 && !small)
		r = search_groups(s, far, NEARBY_GROUPS, false, &index, &run);
	/* Then anything. */
	s->least = 1;
	if (r == 0 && useful > 1)
		r = search_groups(s, start, NEARBY_GROUPS, false, &index, &run);
	if (r == 0 && !small) {
		r = search_groups(s, far, s->groups, false, &index, &run);
		if (r > 0)
			atomic_store(&fs->far_block_group, index);
	}
	if (r <= 0)
		return r < 0 ? r : -ENOSPC;
	*ret_block = group_first_block(fs, index) + run.start;
	*ret_count = run.count;
	return 0;
}

/* A drive is not full because a part of it is being discarded: under trim_lock nothing is set aside. */
static int search_all(struct search *s, uint32_t start, uint64_t *ret_block, uint32_t *ret_count)
{
	struct e4_fs *fs = s->fs;
	int r = search_once(s, start, ret_block, ret_count);

	if (r != -ENOSPC || !atomic_load(&fs->trim_used))
		return r;
	pthread_mutex_lock(&fs->trim_lock);
	r = search_once(s, start, ret_block, ret_count);
	pthread_mutex_unlock(&fs->trim_lock);
	return r;
}

/* Groups that lie below 2^32 as a whole: block maps have 32 bits for a block. */
static uint32_t low_groups(const struct e4_fs *fs)
{
	uint64_t groups = ((1ull << 32) - fs->first_data_block) / fs->blocks_per_group;

	return (uint32_t)min_u64(fs->group_count, groups);
}

static int find(struct e4_fs *fs, struct handle *h, const struct balloc_request *request,
	uint64_t *ret_block, uint32_t *ret_count)
{
	uint32_t start = 0;
	struct search s = {.fs = fs, .h = h, .room = min_u64(request->room, WINDOW), .goal_bit = UINT32_MAX};

	s.groups = request->low ? low_groups(fs) : fs->group_count;
	if (request->goal > fs->first_data_block && request->goal < fs->blocks_count) {
		start = (request->goal - fs->first_data_block) / fs->blocks_per_group;
		s.goal_bit = (request->goal - fs->first_data_block) % fs->blocks_per_group;
	} else if (request->ino) {
		start = (request->ino - 1) / fs->inodes_per_group;
	}
	s.wanted = min_u64(min_u64(max_u64(request->wanted, 1), fs->blocks_per_group),
		allowed(fs, request));
	if (s.wanted == 0)
		return -ENOSPC;
	return search_all(&s, start % s.groups, ret_block, ret_count);
}

int balloc_alloc(struct handle *h, const struct balloc_request *request, uint64_t *ret_block,
	uint32_t *ret_count)
{
	uint32_t count;
	int r = find(h->fs, h, request, ret_block, &count);

	if (r < 0)
		return r;
	count_taken(h->fs, count);
	*ret_count = count;
	return 0;
}

/* ---- claims ---------------------------------------------------------------------------- */

int balloc_claim(struct e4_fs *fs, const struct balloc_request *request, uint64_t *ret_block,
	uint32_t *ret_count)
{
	return find(fs, NULL, request, ret_block, ret_count);
}

static struct group *claimed_group(struct e4_fs *fs, uint64_t block, struct run *ret_run, uint32_t count)
{
	struct group *group;

	/* The record exists since the claim was made. */
	if (group_get(fs, (block - fs->first_data_block) / fs->blocks_per_group, &group) < 0)
		return NULL;
	*ret_run = (struct run){(block - fs->first_data_block) % fs->blocks_per_group, count};
	return group;
}

void balloc_unclaim(struct e4_fs *fs, uint64_t block, uint32_t count)
{
	struct run run;
	struct group *group = claimed_group(fs, block, &run, count);

	if (!group)
		return;
	pthread_mutex_lock(&group->lock);
	group_release(group, run.start, run.count);
	pthread_mutex_unlock(&group->lock);
	atomic_fetch_sub(&fs->claimed_blocks, count);
}

int balloc_take_claim(struct handle *h, uint64_t block, uint32_t count)
{
	struct e4_fs *fs = h->fs;
	CLEANUP_BUF struct buf *bitmap = NULL;
	struct group_desc desc;
	struct run run;
	struct group *group = claimed_group(fs, block, &run, count);
	int r;

	if (!group)
		return -EUCLEAN;
	pthread_mutex_lock(&group->lock);
	r = group_desc_load(fs, group->index, &desc);
	if (r == 0)
		r = group_block_bitmap(fs, group, &desc, &bitmap);
	if (r == 0)
		r = take(h, group, &desc, bitmap, &run);
	if (r == 0)
		group_release(group, run.start, run.count);
	pthread_mutex_unlock(&group->lock);
	if (r < 0)
		return r;
	count_taken(fs, count);
	atomic_fetch_sub(&fs->claimed_blocks, count);
	return 0;
}

/* ---- freeing --------------------------------------------------------------------------- */

/* pend: not to be given out again before the transaction is on the medium. */
static int free_locked(struct handle *h, struct group *group, uint32_t start, uint32_t count, bool pend)
{
	struct e4_fs *fs = h->fs;
	CLEANUP_BUF struct buf *bitmap = NULL, *pin = NULL;
	struct group_desc desc;
	int r = group_desc_load(fs, group->index, &desc);

	if (r == 0)
		r = group_block_bitmap(fs, group, &desc, &bitmap);
	if (r == 0)
		r = group_desc_pin(fs, group->index, &pin);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < count; i++)
		if (!bitmap_test(bitmap->data, start + i))
			return fs_damaged(fs, "group %u: block %u freed twice", group->index, start + i);
	if (desc.free_blocks + count > group_blocks(fs, group->index))
		return fs_damaged(fs, "group %u: free block count too high", group->index);
	r = buf_modify(h, bitmap);
	if (r == 0 && pend)
		r = group_pend(h, group, false, start, count);
	if (r < 0)
		return r;
	if (!pend)
		group->longest_free_hint = UINT32_MAX;
	for (uint32_t i = 0; i < count; i++)
		bitmap_clear(bitmap->data, start + i);
	desc.free_blocks += count;
	desc.flags &= ~EXT2_BG_BLOCK_UNINIT;
	group_block_bitmap_seal(fs, bitmap, &desc);
	return group_desc_store(h, group->index, &desc);
}

/* The part of a run that lies in one group. */
static int free_part(struct handle *h, uint64_t block, uint32_t *count, bool pend)
{
	struct e4_fs *fs = h->fs;
	uint32_t index = (block - fs->first_data_block) / fs->blocks_per_group;
	uint32_t start = (block - fs->first_data_block) % fs->blocks_per_group;
	struct group *group;
	int r = group_get(fs, index, &group);

	if (r < 0)
		return r;
	*count = min_u64(*count, group_blocks(fs, index) - start);
	pthread_mutex_lock(&group->lock);
	r = free_locked(h, group, start, *count, pend);
	pthread_mutex_unlock(&group->lock);
	return r;
}

int balloc_free(struct handle *h, uint64_t block, uint64_t count, bool metadata)
{
	struct e4_fs *fs = h->fs;
	bool partly = false, reserved = false;
	int r = group_check_data_blocks(fs, block, count);

	if (r == -EUCLEAN)
		return fs_damaged(fs, "blocks %llu+%llu are not a file's", (unsigned long long)block,
			(unsigned long long)count);
	if (r == 0 && metadata) {
		r = buf_forget_reserve(h, count);
		reserved = r == 0;
	}
	while (r == 0 && count) {
		uint32_t here = min_u64(count, UINT32_MAX);

		r = free_part(h, block, &here, true);
		if (r < 0)
			break;
		if (metadata)
			buf_forget(h, block, here);
		atomic_fetch_add(&fs->free_blocks, here);
		partly = true;
		block += here;
		count -= here;
	}
	if (reserved && count)
		buf_forget_release(h, count);
	/* The caller takes it that nothing was freed: such a transaction must never be committed. */
	return r < 0 && partly ? fs_io_error(fs, r, "blocks half freed") : r;
}

/* Nothing on the drive has ever said that it is in use. So it may be given out at once, and no copy of it as
 * metadata is in the log; bitmap and descriptor are in memory since they were changed. */
int balloc_undo(struct handle *h, uint64_t block, uint32_t count, bool metadata, int err)
{
	uint32_t here = count;
	int r = free_part(h, block, &here, false);

	if (r < 0)
		return fs_io_error(h->fs, r, "allocation taken back");
	for (uint32_t i = 0; metadata && i < count; i++)
		(void)cache_forget(h->fs, block + i);
	atomic_fetch_add(&h->fs->free_blocks, count);
	return err;
}

bool balloc_retry(struct e4_fs *fs, unsigned *tries)
{
	if (*tries >= RETRIES_MAX || !groups_have_pending(fs))
		return false;
	++*tries;
	return txn_commit(fs, txn_running_id(fs)) == 0;
}
