/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The block map of ext2 and ext3: twelve direct pointers, then one, two and three levels of
 * indirect blocks. Read and truncated; nothing is added to one.
 * inode->lock held, for writing where something is removed.
 */
#ifndef EXT4_BLOCKMAP_H
#define EXT4_BLOCKMAP_H

#include "ext4/extent.h"

/* As extent_map(); a hole or run may end earlier than the real one. */
int blockmap_map(struct e4_inode *inode, uint32_t lblk, struct extent_run *ret_run) MUST_CHECK;
/* As extent_remove(), with to == EXTENT_LBLK_MAX only (-EOPNOTSUPP). */
int blockmap_remove(struct handle *h, struct e4_inode *inode, uint32_t from, uint32_t to,
	bool *ret_done) MUST_CHECK;

#endif
