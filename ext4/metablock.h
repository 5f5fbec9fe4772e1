/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New blocks of an inode's metadata: nodes of its map, blocks of directories, long link targets. */
#ifndef EXT4_METABLOCK_H
#define EXT4_METABLOCK_H

#include "ext4/balloc.h"
#include "ext4/inode.h"

enum { METABLOCK_CREDITS = 1 + BALLOC_CREDITS };

/*
 * Allocated, zeroed and part of the transaction; the caller links it and counts it in i_blocks. A node of a
 * map may take root's reserved blocks, whoever asks: the data that it maps have their blocks already.
 */
int metablock_new(struct handle *h, struct e4_inode *inode, const struct buf_type *type,
	uint64_t goal, struct buf **ret_buf) MUST_CHECK;
int metablock_new_node(struct handle *h, struct e4_inode *inode, const struct buf_type *type,
	uint64_t goal, struct buf **ret_buf) MUST_CHECK;
/* Gives one back that was not linked. Returns err, or why the block could not be given back. */
int metablock_undo(struct handle *h, struct buf *buf, int err) MUST_CHECK;

#endif
