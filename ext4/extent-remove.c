/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Blocks out of the extent tree, from the end of the range backwards, so that what one handle can
 * not finish is a shorter file and never a hole in the middle. Buffers are declared before blocks
 * are freed, blocks are freed before the tree is edited: a failure leaves the tree as it was.
 */
#include "ext4/extent-tree.h"

#include <errno.h>

#include "ext4/balloc.h"
#include "ext4/extent-edit.h"

enum {
	/* One changed node per level, one freed node per level below the root by the removal and
	 * one by the collapse, the inode; or one split. */
	TREE_CREDITS = (EXTENT_DEPTH_MAX + 1) * (2 + 2 * BALLOC_CREDITS) + 1,
	FREE_CREDITS = EXTENT_REMOVE_CREDITS - TREE_CREDITS,
	STEPS_MAX = 256, /* keeps the time under the handle short */
};
_Static_assert(FREE_CREDITS >= 2 * BALLOC_CREDITS, "a step can free something");

/* What one call may still do. */
struct budget {
	unsigned credits, steps;
	uint32_t blocks;
	uint32_t last_group;
	bool have_group;
	bool spent; /* no more steps */
};

static uint32_t block_group(const struct e4_fs *fs, uint64_t block)
{
	return (uint32_t)((block - fs->first_data_block) / fs->blocks_per_group);
}

/* The longest tail of run whose groups the budget pays for; 0: nothing more. */
static uint32_t budget_take(struct budget *budget, const struct e4_fs *fs,
	const struct extent_run *run)
{
	uint64_t end = run->pblk + run->count, start = end;

	if (budget->spent || budget->steps == 0)
		return 0;
	budget->steps--;
	while (start > run->pblk) {
		uint32_t group = block_group(fs, start - 1);
		uint64_t first = fs->first_data_block + (uint64_t)group * fs->blocks_per_group;

		if (!budget->have_group || budget->last_group != group) {
			if (budget->credits < BALLOC_CREDITS)
				break;
			budget->credits -= BALLOC_CREDITS;
			budget->last_group = group;
			budget->have_group = true;
		}
		start = max_u64(first, run->pblk);
	}
	start = max_u64(start, end - min_u64(end - start, budget->blocks));
	budget->blocks -= (uint32_t)(end - start);
	return (uint32_t)(end - start);
}

/* Frees the node of level `level`, which has become empty, and its entry in the parent. The blocks
 * below it are free by now: there is no way back. */
static int drop_node(struct handle *h, struct extent_path *path, unsigned level)
{
	struct e4_inode *inode = path->inode;
	uint64_t block = path->level[level].buf->block;
	uint8_t *parent = path->level[level - 1].node;
	int r;

	buf_put(take_ptr(path->level[level].buf));
	extent_node_delete(parent, (unsigned)path->level[level - 1].pos);
	inode->blocks -= min_u64(inode->blocks, 1ull << (inode->fs->block_bits - 9));
	r = balloc_free(h, block, 1, true);
	return r < 0 ? fs_io_error(h->fs, r, "extent tree half cut") : 0;
}

/* Takes the entry at pos out of the leaf, with every node that becomes empty by it. */
static int drop_entry(struct handle *h, struct extent_path *path, unsigned pos)
{
	unsigned level = path->depth;

	extent_node_delete(path->level[level].node, pos);
	while (level > 0 && !extent_node_entries(path->level[level].node)) {
		int r = drop_node(h, path, level);

		if (r < 0)
			return r;
		level--;
		pos = (unsigned)path->level[level].pos;
	}
	if (level == 0 && !extent_node_entries(path->level[0].node))
		extent_tree_init(path->inode);
	else if (pos == 0)
		extent_path_fix_keys(path, level);
	return 0;
}

/* Topmost level that changes when the whole entry at pos goes. */
static unsigned drop_level(const struct extent_path *path, unsigned pos)
{
	unsigned level = path->depth;

	while (level > 0 && extent_node_entries(path->level[level].node) == 1)
		pos = (unsigned)path->level[--level].pos;
	return pos == 0 ? extent_path_key_level(path, level) : level;
}

/* Removes the last count blocks of the entry at pos. */
static int cut_entry(struct handle *h, struct extent_path *path, unsigned pos, uint32_t count)
{
	struct e4_inode *inode = path->inode;
	struct extent_run run = extent_path_run(path, (int)pos);
	bool whole = run.count == count;
	uint64_t units = (uint64_t)count << (inode->fs->block_bits - 9);
	int r;

	r = extent_path_modify(h, path, whole ? drop_level(path, pos) : path->depth);
	if (r < 0)
		return r;
	r = balloc_free(h, run.pblk + run.count - count, count, !inode_is_reg(inode));
	if (r < 0)
		return r;
	inode->blocks -= min_u64(inode->blocks, units);
	if (whole)
		return drop_entry(h, path, pos);
	run.count -= count;
	*extent_node_leaf(extent_path_leaf(path), pos) = extent_leaf_make(&run);
	return 0;
}

/* Removes the tail of the last run in [from, to]; *ret_done: there was none. */
static int remove_step(struct handle *h, struct e4_inode *inode, uint32_t from, uint32_t to,
	struct budget *budget, bool *ret_done)
{
	CLEANUP_EXTENT_PATH struct extent_path path = {0};
	struct extent_run run, part;
	uint32_t count;
	int pos, r;

	*ret_done = false;
	r = extent_path_find(inode, to, &path);
	if (r < 0)
		return r;
	pos = path.level[path.depth].pos;
	if (pos >= 0)
		run = extent_path_run(&path, pos);
	if (pos < 0 || extent_run_end(&run) <= from) {
		*ret_done = true;
		return 0;
	}
	if (extent_run_end(&run) > to + 1ull) {
		/* A hole in the middle of a run: only here can removal need a block. The credits of
		 * a split are those of the tree, so it is a call's only step. */
		budget->spent = true;
		return extent_edit_split(h, &path, (unsigned)pos, to + 1);
	}
	part = run;
	if (part.lblk < from) {
		part.count -= from - part.lblk;
		part.pblk += from - part.lblk;
		part.lblk = from;
	}
	count = budget_take(budget, inode->fs, &part);
	if (!count) {
		budget->spent = true;
		return 0;
	}
	/* The credits of the tree pay for one change of shape, and it may be this one. */
	if (path.depth && extent_node_entries(extent_path_leaf(&path)) == 1 && count == run.count)
		budget->spent = true;
	return cut_entry(h, &path, (unsigned)pos, count);
}

/* A root with one child whose entries fit into it takes them over. */
static int collapse_level(struct handle *h, struct e4_inode *inode, bool *ret_again)
{
	CLEANUP_EXTENT_PATH struct extent_path path = {0};
	uint8_t *root = inode->i_block, *child;
	unsigned entries, depth = extent_node_depth(root);
	int r;

	*ret_again = false;
	if (!depth || extent_node_entries(root) != 1)
		return 0;
	r = extent_path_find(inode, 0, &path);
	if (r < 0)
		return r;
	child = path.level[1].node;
	entries = extent_node_entries(child);
	if (entries > EXTENT_ROOT_ENTRIES)
		return 0;
	/* Its bytes stay as long as the path does. */
	r = balloc_free(h, path.level[1].buf->block, 1, true);
	if (r < 0)
		return r;
	extent_tree_init(inode);
	extent_node_header(root)->depth = le16_make((uint16_t)(depth - 1));
	memcpy(extent_node_leaf(root, 0), extent_node_leaf(child, 0),
		entries * sizeof(struct extent_leaf));
	extent_node_set_entries(root, entries);
	inode->blocks -= min_u64(inode->blocks, 1ull << (inode->fs->block_bits - 9));
	*ret_again = true;
	return 0;
}

static int collapse(struct handle *h, struct e4_inode *inode)
{
	bool again = true;

	while (again) {
		int r = collapse_level(h, inode, &again);

		if (r < 0)
			return r;
	}
	return 0;
}

int extent_tree_remove(struct handle *h, struct e4_inode *inode, uint32_t from, uint32_t to,
	bool *ret_done)
{
	struct budget budget = {
		.credits = FREE_CREDITS,
		.steps = STEPS_MAX,
		.blocks = inode_is_reg(inode) ? UINT32_MAX : EXTENT_REMOVE_REVOKES,
	};
	bool done = false;
	int r = 0;

	while (!done && !budget.spent) {
		r = remove_step(h, inode, from, to, &budget, &done);
		if (r < 0)
			return r;
	}
	if (done) {
		r = collapse(h, inode);
		if (r < 0)
			return r;
	}
	*ret_done = done;
	return 0;
}
