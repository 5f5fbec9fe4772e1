/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The extent tree of an inode (EXT4_EXTENTS_FL). Called by extent.c only, whose functions of the
 * same names say what these do.
 */
#ifndef EXT4_EXTENT_TREE_H
#define EXT4_EXTENT_TREE_H

#include "ext4/balloc.h"
#include "ext4/extent.h"

void extent_tree_init(struct e4_inode *inode);
int extent_tree_map(struct e4_inode *inode, uint32_t lblk, struct extent_run *ret_run) MUST_CHECK;
uint64_t extent_tree_goal(struct e4_inode *inode, uint32_t lblk);
enum { EXTENT_TREE_LEAST_CREDITS = 2 * 2 * (2 + BALLOC_CREDITS) }; /* of an empty tree */
unsigned extent_tree_credits(const struct e4_inode *inode);
int extent_tree_insert(struct handle *h, struct e4_inode *inode,
	const struct extent_run *run) MUST_CHECK;
int extent_tree_convert(struct handle *h, struct e4_inode *inode, uint32_t lblk, uint32_t count,
	bool unwritten) MUST_CHECK;
int extent_tree_remove(struct handle *h, struct e4_inode *inode, uint32_t from, uint32_t to,
	bool *ret_done) MUST_CHECK;

#endif
