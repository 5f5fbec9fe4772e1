/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mapping, and blocks of directories and symbolic links. Invariants of every extent tree that we
 * change, and that extent-path.c demands of what it reads:
 *
 *	1. Entries of a node are sorted and do not overlap; no node but the root is empty.
 *	2. An index key equals the first key of its child, so a hole ends at the next key anywhere.
 *	3. A child is one less deep than its parent, so a walk ends, whatever the drive says.
 *	4. A change first gets every block and buffer it needs, then edits; the edit cannot fail.
 */
#include "ext4/extent.h"

#include <errno.h>

#include "ext4/balloc.h"
#include "ext4/blockmap.h"
#include "ext4/extent-path.h"

void extent_init(struct e4_inode *inode)
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

int extent_map(struct e4_inode *inode, uint32_t lblk, struct extent_run *ret_run)
{
	CLEANUP_EXTENT_PATH struct extent_path path = {0};
	struct extent_run run;
	int r;

	if (lblk > EXTENT_LBLK_MAX)
		return -EFBIG;
	if (!(inode->flags & EXT4_EXTENTS_FL))
		return blockmap_map(inode, lblk, ret_run);
	r = extent_path_find(inode, lblk, &path);
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

uint64_t extent_goal(struct e4_inode *inode, uint32_t lblk)
{
	enum { NEAR_BLOCKS = 4096 };
	CLEANUP_EXTENT_PATH struct extent_path path = {0};
	struct extent_run run;

	if (!(inode->flags & EXT4_EXTENTS_FL) || extent_path_find(inode, lblk, &path) < 0 ||
		path.level[path.depth].pos < 0)
		return inode->alloc_goal;
	run = extent_path_run(&path, path.level[path.depth].pos);
	/* Writers of one file may arrive slightly out of order: leave the earlier one its place. */
	if (lblk < run.lblk || lblk - run.lblk > run.count + (uint32_t)NEAR_BLOCKS)
		return inode->alloc_goal;
	if (run.pblk + (lblk - run.lblk) >= inode->fs->blocks_count)
		return inode->alloc_goal;
	return run.pblk + (lblk - run.lblk);
}

unsigned extent_credits(struct e4_inode *inode)
{
	/* Per level at most one changed and one new node, and the root's growth; a conversion
	 * splits twice, and its second split finds room on all but the lowest levels. */
	unsigned levels = 2;

	if (inode->flags & EXT4_EXTENTS_FL)
		levels += extent_node_depth(inode->i_block);
	return 2 * levels * (2 + BALLOC_CREDITS);
}

int extent_block_get(struct e4_inode *inode, uint32_t lblk, const struct buf_type *type,
	struct buf **ret_buf)
{
	struct extent_run run;
	int r = extent_map(inode, lblk, &run);

	if (r < 0)
		return r;
	if (!run.pblk || run.unwritten)
		return fs_damaged(inode->fs, "inode %u: block %u is a hole", inode->ino, lblk);
	return buf_get(inode->fs, run.pblk, type, inode->ino, inode->generation, ret_buf);
}

/* A new block at the end: allocated, zeroed, part of the transaction, mapped. */
static int append_block(struct handle *h, struct e4_inode *inode, const struct buf_type *type,
	struct extent_run *run, struct buf **ret_buf)
{
	struct buf *buf = NULL;
	int r, undo;

	r = buf_get_zeroed(inode->fs, run->pblk, type, inode->ino, inode->generation, &buf);
	if (r == 0)
		r = buf_modify(h, buf);
	if (r == 0)
		r = extent_insert(h, inode, run);
	if (r == 0) {
		*ret_buf = buf;
		return 0;
	}
	buf_put(buf);
	undo = balloc_free(h, run->pblk, run->count, true);
	return undo < 0 ? undo : r;
}

int extent_block_append(struct handle *h, struct e4_inode *inode, const struct buf_type *type,
	uint32_t *ret_lblk, struct buf **ret_buf)
{
	struct e4_fs *fs = inode->fs;
	struct balloc_request request = {.ino = inode->ino, .wanted = 1, .metadata = true};
	uint64_t lblk = inode->size >> fs->block_bits;
	struct extent_run run;
	int r;

	if (lblk > EXTENT_LBLK_MAX)
		return -EFBIG;
	if (!(inode->flags & EXT4_EXTENTS_FL))
		return -EOPNOTSUPP;
	r = extent_map(inode, (uint32_t)lblk, &run);
	if (r < 0)
		return r;
	if (run.pblk)
		return fs_damaged(fs, "inode %u: blocks behind its end", inode->ino);
	run = (struct extent_run){.lblk = (uint32_t)lblk};
	request.goal = extent_goal(inode, run.lblk);
	r = balloc_alloc(h, &request, &run.pblk, &run.count);
	if (r < 0)
		return r;
	r = append_block(h, inode, type, &run, ret_buf);
	if (r < 0)
		return r;
	inode->size += fs->block_bytes;
	*ret_lblk = run.lblk;
	return 0;
}
