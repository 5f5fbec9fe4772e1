/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one place that knows of both ways to say where an inode's blocks are; files, directories and
 * symbolic links do not care. Also blocks of directories and links.
 */
#include "ext4/extent.h"

#include <errno.h>

#include "ext4/blockmap.h"
#include "ext4/extent-tree.h"
#include "ext4/inode-check.h"
#include "ext4/metablock.h"

bool extent_is_tree(const struct e4_inode *inode)
{
	return inode->flags & EXT4_EXTENTS_FL;
}

void extent_init(struct e4_inode *inode)
{
	if (extent_is_tree(inode))
		extent_tree_init(inode);
	else
		memset(inode->i_block, 0, sizeof(inode->i_block));
}

int extent_map(struct e4_inode *inode, uint32_t lblk, struct extent_run *ret_run)
{
	if (lblk > EXTENT_LBLK_MAX)
		return -EFBIG;
	return extent_is_tree(inode) ? extent_tree_map(inode, lblk, ret_run) :
				       blockmap_map(inode, lblk, ret_run);
}

uint64_t extent_goal(struct e4_inode *inode, uint32_t lblk)
{
	return extent_is_tree(inode) ? extent_tree_goal(inode, lblk) : blockmap_goal(inode, lblk);
}

unsigned extent_credits(struct e4_inode *inode)
{
	/* What is made in a folder with a block map may have a tree, and counts with its folder. */
	return extent_is_tree(inode) ? extent_tree_credits(inode) :
				       max_u64(BLOCKMAP_CREDITS, EXTENT_TREE_LEAST_CREDITS);
}

uint32_t extent_insert_max(const struct e4_inode *inode, uint32_t lblk)
{
	return extent_is_tree(inode) ? EXTENT_RUN_MAX : blockmap_room(inode->fs, lblk);
}

int extent_insert(struct handle *h, struct e4_inode *inode, const struct extent_run *run)
{
	if (!run->count || run->count > extent_insert_max(inode, run->lblk) || !run->pblk ||
		(uint64_t)run->lblk + run->count > EXTENT_LBLK_MAX + 1ull)
		return -EINVAL;
	return extent_is_tree(inode) ? extent_tree_insert(h, inode, run) :
				       blockmap_insert(h, inode, run);
}

int extent_convert(struct handle *h, struct e4_inode *inode, uint32_t lblk, uint32_t count,
	bool unwritten)
{
	if ((uint64_t)lblk + count > EXTENT_LBLK_MAX + 1ull)
		return -EINVAL;
	/* A block map has no unwritten blocks. */
	return extent_is_tree(inode) ? extent_tree_convert(h, inode, lblk, count, unwritten) : 0;
}

int extent_remove(struct handle *h, struct e4_inode *inode, uint32_t from, uint32_t to,
	bool *ret_done)
{
	if (to > EXTENT_LBLK_MAX || from > to)
		return -EINVAL;
	return extent_is_tree(inode) ? extent_tree_remove(h, inode, from, to, ret_done) :
				       blockmap_remove(h, inode, from, to, ret_done);
}

/* ---- blocks of directories and links ------------------------------------------------------- */

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

int extent_block_append(struct handle *h, struct e4_inode *inode, const struct buf_type *type,
	uint32_t *ret_lblk, struct buf **ret_buf)
{
	struct e4_fs *fs = inode->fs;
	uint64_t lblk = inode->size >> fs->block_bits;
	struct extent_run run;
	struct buf *buf;
	int r;

	if (fs_blocks_to_bytes(fs, lblk + 1) > inode_max_bytes(inode))
		return -EFBIG;
	r = extent_map(inode, (uint32_t)lblk, &run);
	if (r < 0)
		return r;
	if (run.pblk)
		return fs_damaged(fs, "inode %u: blocks behind its end", inode->ino);
	r = metablock_new(h, inode, type, extent_goal(inode, run.lblk), &buf);
	if (r < 0)
		return r;
	run.count = 1;
	run.pblk = buf->block;
	r = extent_insert(h, inode, &run);
	if (r < 0)
		return metablock_undo(h, buf, r);
	inode->size += fs->block_bytes;
	*ret_lblk = run.lblk;
	*ret_buf = buf;
	return 0;
}
