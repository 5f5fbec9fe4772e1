/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs into the extent tree; unwritten ones to written ones, and back. */
#include "ext4/extent-tree.h"

#include <errno.h>

#include "ext4/extent-edit.h"

static void leaf_set(uint8_t *leaf, int pos, const struct extent_run *run)
{
	*extent_node_leaf(leaf, (unsigned)pos) = extent_leaf_make(run);
}

/* Whether run lies in the hole behind position pos of the leaf. */
static bool fits_hole(const struct extent_path *path, int pos, const struct extent_run *run)
{
	if (pos >= 0) {
		struct extent_run left = extent_path_run(path, pos);

		if (extent_run_end(&left) > run->lblk)
			return false;
	}
	return extent_run_end(run) <= extent_path_next(path, path->depth);
}

/* Grows the entry at pos, or the one behind it, by run; false when neither adjoins. */
static int try_join(struct handle *h, struct extent_path *path, int pos,
	const struct extent_run *run, bool *ret_joined)
{
	uint8_t *leaf = extent_path_leaf(path);
	struct extent_run left, right;
	unsigned top = path->depth;
	int r;

	if (pos >= 0) {
		left = extent_path_run(path, pos);
		if (extent_run_joins(&left, run)) {
			r = extent_path_modify(h, path, path->depth);
			if (r < 0)
				return r;
			left.count += run->count;
			leaf_set(leaf, pos, &left);
			extent_edit_join(leaf, pos);
			*ret_joined = true;
			return 0;
		}
	}
	*ret_joined = false;
	if ((unsigned)(pos + 1) >= extent_node_entries(leaf))
		return 0;
	right = extent_path_run(path, pos + 1);
	if (!extent_run_joins(run, &right))
		return 0;
	if (pos < 0)
		top = extent_path_key_level(path, path->depth);
	r = extent_path_modify(h, path, top);
	if (r < 0)
		return r;
	right.lblk = run->lblk;
	right.pblk = run->pblk;
	right.count += run->count;
	leaf_set(leaf, pos + 1, &right);
	if (pos < 0)
		extent_path_fix_keys(path, path->depth);
	*ret_joined = true;
	return 0;
}

int extent_tree_insert(struct handle *h, struct e4_inode *inode, const struct extent_run *run)
{
	CLEANUP_EXTENT_PATH struct extent_path path = {0};
	struct extent_leaf entry;
	bool joined;
	int pos, r;

	r = extent_path_find(inode, run->lblk, &path);
	if (r < 0)
		return r;
	pos = path.level[path.depth].pos;
	if (!fits_hole(&path, pos, run))
		return -EEXIST;
	r = try_join(h, &path, pos, run, &joined);
	if (r == 0 && !joined) {
		entry = extent_leaf_make(run);
		r = extent_edit_insert(h, &path, (unsigned)(pos + 1), &entry);
	}
	if (r < 0)
		return r;
	inode->blocks += (uint64_t)run->count << (inode->fs->block_bits - 9);
	inode->alloc_goal = run->pblk + run->count;
	return 0;
}

/* Moves [entry's start, end) to the end of the entry before it, which is of the other kind: no new
 * entry is needed. The usual case of writing through preallocated space. */
static int give_to_left(struct handle *h, struct extent_path *path, int pos, uint64_t end,
	bool *ret_done)
{
	uint8_t *leaf = extent_path_leaf(path);
	struct extent_run left, head, run = extent_path_run(path, pos);
	uint32_t count = (uint32_t)(end - run.lblk);
	int r;

	*ret_done = false;
	if (pos == 0)
		return 0;
	left = extent_path_run(path, pos - 1);
	head = (struct extent_run){
		.lblk = run.lblk,
		.count = count,
		.pblk = run.pblk,
		.unwritten = !run.unwritten,
	};
	if (!extent_run_joins(&left, &head))
		return 0;
	r = extent_path_modify(h, path, path->depth);
	if (r < 0)
		return r;
	left.count += count;
	run.lblk += count;
	run.pblk += count;
	run.count -= count;
	leaf_set(leaf, pos - 1, &left);
	leaf_set(leaf, pos, &run);
	*ret_done = true;
	return 0;
}

/* One step of the conversion of [lblk, end); *ret_next is where the next one begins. */
static int convert_step(struct handle *h, struct e4_inode *inode, uint32_t lblk, uint64_t end,
	bool unwritten, uint64_t *ret_next)
{
	CLEANUP_EXTENT_PATH struct extent_path path = {0};
	struct extent_run run;
	bool done;
	int pos, r;

	r = extent_path_find(inode, lblk, &path);
	if (r < 0)
		return r;
	pos = path.level[path.depth].pos;
	if (pos < 0)
		return -EINVAL;
	run = extent_path_run(&path, pos);
	if (extent_run_end(&run) <= lblk)
		return -EINVAL;
	*ret_next = lblk;
	if (run.unwritten == unwritten) {
		*ret_next = extent_run_end(&run);
		return 0;
	}
	if (run.lblk < lblk)
		return extent_edit_split(h, &path, (unsigned)pos, lblk);
	if (extent_run_end(&run) > end) {
		r = give_to_left(h, &path, pos, end, &done);
		if (r < 0)
			return r;
		if (!done)
			return extent_edit_split(h, &path, (unsigned)pos, (uint32_t)end);
		*ret_next = end;
		return 0;
	}
	if (unwritten && run.count > EXTENT_UNWRITTEN_MAX)
		return extent_edit_split(h, &path, (unsigned)pos, lblk + EXTENT_UNWRITTEN_MAX);
	r = extent_path_modify(h, &path, path.depth);
	if (r < 0)
		return r;
	run.unwritten = unwritten;
	leaf_set(extent_path_leaf(&path), pos, &run);
	extent_edit_join(extent_path_leaf(&path), pos);
	extent_edit_join(extent_path_leaf(&path), pos - 1);
	*ret_next = extent_run_end(&run);
	return 0;
}

int extent_tree_convert(struct handle *h, struct e4_inode *inode, uint32_t lblk, uint32_t count,
	bool unwritten)
{
	uint64_t next = lblk, end = (uint64_t)lblk + count;

	/* Every step ends behind its beginning or leaves one boundary more: it ends. */
	while (next < end) {
		int r = convert_step(h, inode, (uint32_t)next, end, unwritten, &next);

		if (r < 0)
			return r;
	}
	return 0;
}
