/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking up in extent trees. Invariants of every tree that we change, and that extent-path.c
 * demands of what it reads:
 *
 *	1. Entries of a node are sorted and do not overlap; no node but the root is empty.
 *	2. An index key equals the first key of its child, so a hole ends at the next key anywhere.
 *	3. A child is one less deep than its parent, so a walk ends, whatever the drive says.
 *	4. A change first gets every block and buffer it needs, then edits; the edit cannot fail.
 */
#include "ext4/extent-tree.h"

#include "ext4/extent-path.h"

void extent_tree_init(struct e4_inode *inode)
{
	memset(inode->i_block, 0, sizeof(inode->i_block));
	extent_node_init(inode->i_block, EXTENT_ROOT_ENTRIES, 0);
}

static void run_skip(struct extent_run *run, uint32_t count)
{
	run->lblk += count;
	run->count -= count;
	run->pblk += count;
}

int extent_tree_map(struct e4_inode *inode, uint32_t lblk, struct extent_run *ret_run)
{
	CLEANUP_EXTENT_PATH struct extent_path path = {0};
	struct extent_run run;
	int r = extent_path_find(inode, lblk, &path);

	if (r < 0)
		return r;
	if (path.level[path.depth].pos >= 0) {
		run = extent_path_run(&path, path.level[path.depth].pos);
		if (lblk < extent_run_end(&run)) {
			run_skip(&run, lblk - run.lblk);
			*ret_run = run;
			return 0;
		}
	}
	*ret_run = (struct extent_run){
		.lblk = lblk,
		.count = (uint32_t)(extent_path_next(&path, path.depth) - lblk),
	};
	return 0;
}

uint64_t extent_tree_goal(struct e4_inode *inode, uint32_t lblk)
{
	enum { NEAR_BLOCKS = 4096 };
	CLEANUP_EXTENT_PATH struct extent_path path = {0};
	struct extent_run run;

	if (extent_path_find(inode, lblk, &path) < 0 || path.level[path.depth].pos < 0)
		return inode->alloc_goal;
	run = extent_path_run(&path, path.level[path.depth].pos);
	/* Writers of one file may arrive slightly out of order: leave the earlier one its place. */
	if (lblk < run.lblk || lblk - run.lblk > run.count + (uint32_t)NEAR_BLOCKS)
		return inode->alloc_goal;
	if (run.pblk + (lblk - run.lblk) >= inode->fs->blocks_count)
		return inode->alloc_goal;
	return run.pblk + (lblk - run.lblk);
}

unsigned extent_tree_credits(const struct e4_inode *inode)
{
	/* Per level at most one changed and one new node, and the root's growth; a conversion
	 * splits twice, and its second split finds room on all but the lowest levels. */
	return EXTENT_TREE_LEAST_CREDITS +
		2 * extent_node_depth(inode->i_block) * (2 + BALLOC_CREDITS);
}
