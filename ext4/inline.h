/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inline data: small files and directories that live in their inode, the first 60 bytes in i_block
 * and the rest in the in-inode attribute "system.data", which is there even when it is empty.
 *
 * All functions: inode->lock held, for writing where something changes; they cost no credits
 * beyond the inode's. -EUCLEAN when the inode's attributes make no sense.
 */
#ifndef EXT4_INLINE_H
#define EXT4_INLINE_H

#include "ext4/inode.h"

enum {
	INLINE_BLOCK_BYTES = 60, /* in i_block */
	INLINE_MAX = 4096,	 /* no record, and so no inline data, is larger */
};

/* All inline bytes of inode into buf (INLINE_MAX); *ret_len, at least INLINE_BLOCK_BYTES, may be
 * less or more than its size. */
int inline_get(struct e4_inode *inode, uint8_t *buf, size_t *ret_len) MUST_CHECK;
/* How many bytes the inode can hold beside its other attributes. 0: none, which is also what the
 * kernel says when i_block is all that would be left. */
int inline_capacity(struct e4_inode *inode, size_t *ret_bytes) MUST_CHECK;
/* Replaces the inline bytes, or makes an inode without blocks an inline one. The caller stores the
 * inode. -ENOSPC: too much beside other attributes; any failure: nothing changed. */
int inline_set(struct handle *h, struct e4_inode *inode, const uint8_t *data, size_t len) MUST_CHECK;
/*
 * From inline data to blocks: inline_map_begin() gives the inode an empty map and the size 0;
 * the caller maps what it needs, or undoes; then inline_forget() takes the attribute away, which
 * after inode_reserve() and inline_get() fails only when the volume has failed; the caller sets
 * the size and stores the inode.
 */
struct inline_state {
	uint8_t i_block[INLINE_BLOCK_BYTES];
	uint32_t flags;
	uint64_t size, blocks;
};
void inline_map_begin(struct e4_inode *inode, struct inline_state *ret_state);
void inline_map_undo(struct e4_inode *inode, const struct inline_state *state);
int inline_forget(struct handle *h, struct e4_inode *inode) MUST_CHECK;

#endif
