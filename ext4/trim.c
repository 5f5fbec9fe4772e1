/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Discarding what is free.
 *
 * 1. Only blocks that are clear in the bitmap, not pending (group.h) and no metadata are discarded.
 *    What a transaction freed is pending until its commit, so what a crash would bring back is
 *    never touched.
 * 2. While a run is being discarded it is held in its group, so nobody gets a block whose new
 *    content the discard would then take away. It is held without the group's lock, a chunk at a
 *    time; allocators that find nothing meanwhile search again under trim_lock, when nothing is held.
 */
#include <errno.h>

#include "ext4/group.h"

enum { CHUNK_BYTES = 64 << 20 };

/* One call of e4_trim(). */
struct trim {
	struct e4_fs *fs;
	const struct e4_trim *what;
	uint64_t least; /* blocks */
	uint64_t done;	/* blocks */
};

struct run {
	uint32_t start, count;
};

/* The first free run in [from, end) of at least t->least blocks, or that goes on from `from` when
 * its beginning has been discarded; at most a chunk. count 0: none. Bitmap and locks as there. */
static struct run find_run(const struct trim *t, const struct group *group, const uint8_t *bits,
	uint32_t from, uint32_t end, bool goes_on)
{
	uint32_t chunk = CHUNK_BYTES >> t->fs->block_bits;
	uint32_t at = bitmap_next(bits, group->pending_blocks, from, end, true);

	while (at < end) {
		uint32_t stop = bitmap_next(bits, group->pending_blocks, at, end, false);

		if (stop - at >= t->least || (goes_on && at == from))
			return (struct run){at, (uint32_t)min_u64(stop - at, chunk)};
		at = bitmap_next(bits, group->pending_blocks, stop, end, true);
	}
	return (struct run){0};
}

/* Finds and holds the next run. */
static int hold_run(const struct trim *t, struct group *group, uint32_t from, uint32_t end,
	bool goes_on, struct run *ret_run)
{
	struct e4_fs *fs = t->fs;
	CLEANUP_BUF struct buf *bitmap = NULL;
	struct run run = {0};
	struct group_desc desc;
	int r = group_desc_load(fs, group->index, &desc);

	if (r == 0 && desc.free_blocks == 0) {
		*ret_run = run;
		return 0;
	}
	if (r == 0)
		r = group_block_bitmap(fs, group, &desc, &bitmap);
	if (r < 0)
		return r;
	run = find_run(t, group, bitmap->data, from, end, goes_on);
	if (run.count) {
		r = group_check_data_blocks(fs, group_first_block(fs, group->index) + run.start,
			run.count);
		if (r == -EUCLEAN)
			return fs_damaged(fs, "group %u: block bitmap shows metadata as free",
				group->index);
		if (r == 0)
			r = group_hold(fs, group, run.start, run.count);
	}
	if (r == 0)
		*ret_run = run;
	return r;
}

/* Discards the first run in [*from, end) of the group; *from moves behind it. */
static int trim_run(struct trim *t, struct group *group, uint32_t *from, uint32_t end,
	bool *goes_on)
{
	struct e4_fs *fs = t->fs;
	struct run run;
	int r;

	pthread_mutex_lock(&group->lock);
	r = hold_run(t, group, *from, end, *goes_on, &run);
	pthread_mutex_unlock(&group->lock);
	if (r < 0)
		return r;
	if (!run.count) {
		*from = end;
		return 0;
	}
	r = blkdev_discard(fs->dev,
		fs_blocks_to_bytes(fs, group_first_block(fs, group->index) + run.start),
		fs_blocks_to_bytes(fs, run.count));
	pthread_mutex_lock(&group->lock);
	group_release(group, run.start, run.count);
	pthread_mutex_unlock(&group->lock);
	if (r < 0)
		return r;
	t->done += run.count;
	*from = run.start + run.count;
	*goes_on = true;
	return 0;
}

static int trim_group(struct trim *t, uint32_t index, uint32_t from, uint32_t end)
{
	struct group *group;
	bool goes_on = false;
	int r = group_get(t->fs, index, &group);

	while (r == 0 && from < end) {
		if (t->what->stop && t->what->stop(t->what->stop_ctx))
			return -EINTR;
		r = fs_check_writable(t->fs);
		if (r < 0)
			break;
		pthread_mutex_lock(&t->fs->trim_lock);
		r = trim_run(t, group, &from, end, &goes_on);
		pthread_mutex_unlock(&t->fs->trim_lock);
	}
	return r;
}

static int trim_blocks(struct trim *t, uint64_t start, uint64_t end)
{
	struct e4_fs *fs = t->fs;
	int r = 0;

	while (r == 0 && start < end) {
		uint32_t index = (uint32_t)((start - fs->first_data_block) / fs->blocks_per_group);
		uint64_t first = group_first_block(fs, index);
		uint64_t stop = min_u64(first + group_blocks(fs, index), end);

		r = trim_group(t, index, (uint32_t)(start - first), (uint32_t)(stop - first));
		start = stop;
	}
	return r;
}

int e4_trim(struct e4_fs *fs, const struct e4_trim *what, uint64_t *ret_bytes)
{
	struct trim t = {.fs = fs, .what = what, .least = what->min_len >> fs->block_bits};
	uint64_t start = what->off >> fs->block_bits, count = what->len >> fs->block_bits;
	int r = fs_check_writable(fs);

	if (!fs->dev->discards)
		return -EOPNOTSUPP;
	if (r < 0)
		return r;
	if (t.least > fs->blocks_per_group || start >= fs->blocks_count || !count)
		return -EINVAL;
	t.least = max_u64(t.least, (fs->dev->block_bytes + fs->block_bytes - 1) >> fs->block_bits);
	atomic_store(&fs->trim_used, true);
	/* What was deleted a moment ago is what the caller wants to give away. */
	if (groups_have_pending(fs))
		r = txn_commit(fs, txn_running_id(fs));
	if (r == 0)
		r = trim_blocks(&t, max_u64(start, fs->first_data_block),
			start + min_u64(count, fs->blocks_count - start));
	if (r < 0)
		return r;
	*ret_bytes = fs_blocks_to_bytes(fs, t.done);
	return 0;
}
