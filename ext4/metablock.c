/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/metablock.h"

#include "ext4/extent-node.h"

static int new_block(struct handle *h, struct e4_inode *inode, const struct buf_type *type,
	uint64_t goal, bool use_reserve, struct buf **ret_buf)
{
	struct balloc_request request = {
		.goal = goal,
		.ino = inode->ino,
		.wanted = 1,
		.use_reserve = use_reserve,
		.for_tree = type == &extent_block_type,
		.low = !extent_is_tree(inode),
	};
	CLEANUP_BUF struct buf *buf = NULL;
	uint64_t block;
	uint32_t count;
	int r = balloc_alloc(h, &request, &block, &count);

	if (r < 0)
		return r;
	r = buf_get_zeroed(inode->fs, block, type, inode->ino, inode->generation, &buf);
	if (r == 0)
		r = buf_modify(h, buf);
	if (r == 0) {
		*ret_buf = take_ptr(buf);
		return 0;
	}
	buf_put(take_ptr(buf));
	return balloc_undo(h, block, 1, true, r);
}

int metablock_new(struct handle *h, struct e4_inode *inode, const struct buf_type *type,
	uint64_t goal, struct buf **ret_buf)
{
	return new_block(h, inode, type, goal, h->use_reserve, ret_buf);
}

int metablock_new_node(struct handle *h, struct e4_inode *inode, const struct buf_type *type,
	uint64_t goal, struct buf **ret_buf)
{
	return new_block(h, inode, type, goal, true, ret_buf);
}

int metablock_undo(struct handle *h, struct buf *buf, int err)
{
	uint64_t block = buf->block;

	buf_put(buf);
	return balloc_undo(h, block, 1, true, err);
}
