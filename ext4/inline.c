/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/inline.h"

#include <errno.h>

#include "ext4/extent.h"
#include "ext4/xattr-body.h"

static const struct xattr_name rest_name = {XATTR_INDEX_SYSTEM, 4, "data"};

int inline_get(struct e4_inode *inode, uint8_t *buf, size_t *ret_len)
{
	int rest = xattr_body_get(
		inode, &rest_name, buf + INLINE_BLOCK_BYTES, INLINE_MAX - INLINE_BLOCK_BYTES);

	/* Readers that find no attribute, even an empty one, take i_block for a map of blocks. */
	if (rest == -ERANGE || rest == -ENODATA)
		return fs_damaged(inode->fs, "inode %u: bad inline data", inode->ino);
	if (rest < 0)
		return rest;
	memcpy(buf, inode->i_block, INLINE_BLOCK_BYTES);
	*ret_len = INLINE_BLOCK_BYTES + (size_t)rest;
	return 0;
}

int inline_capacity(struct e4_inode *inode, size_t *ret_bytes)
{
	int room = xattr_body_room(inode, &rest_name);

	if (room < 0 && room != -ENOSPC)
		return room;
	*ret_bytes = room <= 0 ? 0 : INLINE_BLOCK_BYTES + (size_t)room;
	return 0;
}

int inline_set(struct handle *h, struct e4_inode *inode, const uint8_t *data, size_t len)
{
	size_t first = min_u64(len, INLINE_BLOCK_BYTES);
	int r = xattr_body_put(h, inode, &rest_name, data + first, len - first);

	if (r < 0)
		return r;
	memset(inode->i_block, 0, INLINE_BLOCK_BYTES);
	memcpy(inode->i_block, data, first);
	inode->flags &= ~(uint32_t)EXT4_EXTENTS_FL;
	inode->flags |= EXT4_INLINE_DATA_FL;
	return 0;
}

void inline_map_begin(struct e4_inode *inode, struct inline_state *ret_state)
{
	*ret_state = (struct inline_state){
		.flags = inode->flags,
		.size = inode->size,
		.blocks = inode->blocks,
	};
	memcpy(ret_state->i_block, inode->i_block, INLINE_BLOCK_BYTES);
	inode->size = 0;
	inode->flags &= ~(uint32_t)EXT4_INLINE_DATA_FL;
	if (fs_has_incompat(inode->fs, EXT3_FEATURE_INCOMPAT_EXTENTS))
		inode->flags |= EXT4_EXTENTS_FL;
	extent_init(inode);
}

void inline_map_undo(struct e4_inode *inode, const struct inline_state *state)
{
	inode->flags = state->flags;
	inode->size = state->size;
	inode->blocks = state->blocks;
	memcpy(inode->i_block, state->i_block, INLINE_BLOCK_BYTES);
}

int inline_forget(struct handle *h, struct e4_inode *inode)
{
	return xattr_body_drop(h, inode, &rest_name);
}
