/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inode allocator: directories spread over groups (Orlov), files stay near their directory. */
#ifndef EXT4_IALLOC_H
#define EXT4_IALLOC_H

#include "ext4/group.h"
#include "ext4/inode.h"

enum { IALLOC_CREDITS = 5 }; /* inode bitmap, descriptor, block bitmap, two table blocks */

int ialloc_alloc(struct handle *h, uint32_t parent_ino, bool directory, uint32_t *ret_ino) MUST_CHECK;
/* The same for what gets a name in dir; files where the last one in it has found room. */
int ialloc_alloc_child(struct handle *h, struct e4_inode *dir, bool directory, uint32_t *ret_ino) MUST_CHECK;
/* Not given out again before the transaction is on the medium. */
int ialloc_free(struct handle *h, uint32_t ino, bool directory) MUST_CHECK;
/* Whether the inode is marked used (for iget of untrusted numbers). */
int ialloc_in_use(struct e4_fs *fs, uint32_t ino, bool *ret_used) MUST_CHECK;
/*
 * The inode-table block that holds ino, and ino's byte offset in it. Part of a table that was
 * never initialised is written as zeroes when its first inode is allocated.
 */
int ialloc_table_block(struct e4_fs *fs, uint32_t ino, struct buf **ret_buf, uint32_t *ret_offset) MUST_CHECK;
/* The same when it is known that `block` is that block. */
int ialloc_table_block_at(struct e4_fs *fs, uint32_t ino, uint64_t block, struct buf **ret_buf,
	uint32_t *ret_offset) MUST_CHECK;

#endif
