/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way from the root of an extent tree to the leaf that holds a logical block. */
#ifndef EXT4_EXTENT_PATH_H
#define EXT4_EXTENT_PATH_H

#include "ext4/extent-node.h"
#include "ext4/txn.h"

struct extent_path {
	struct e4_inode *inode;
	unsigned depth; /* level[depth] is the leaf, level[0] the root */
	struct {
		uint8_t *node;
		struct buf *buf; /* NULL: the root, in i_block */
		int pos;	 /* in the leaf -1: every entry lies behind the block */
	} level[EXTENT_DEPTH_MAX + 1];
};

/* Every node is checked against its parent on the way. Stale after any change of the tree. */
int extent_path_find(struct e4_inode *inode, uint32_t lblk,
	struct extent_path *ret_path) MUST_CHECK;
void extent_path_drop(struct extent_path *path);

/* First key behind the position of level `level`, EXTENT_LBLK_MAX + 1 when there is none. */
uint64_t extent_path_next(const struct extent_path *path, unsigned level);

static inline uint8_t *extent_path_leaf(const struct extent_path *path)
{
	return path->level[path->depth].node;
}

/* The entry at pos of the leaf (in range). */
static inline struct extent_run extent_path_run(const struct extent_path *path, int pos)
{
	return extent_leaf_run(extent_node_leaf(extent_path_leaf(path), (unsigned)pos));
}

/* Declares the nodes of levels [from, depth] as about to change. */
int extent_path_modify(struct handle *h, struct extent_path *path, unsigned from) MUST_CHECK;
/* Topmost level whose node changes when the first key of level `level`'s node changes. */
unsigned extent_path_key_level(const struct extent_path *path, unsigned level);
/* Makes the parents' keys equal to the first key of level `level`'s node. */
void extent_path_fix_keys(struct extent_path *path, unsigned level);

#define CLEANUP_EXTENT_PATH CLEANUP(extent_path_drop)

#endif
