/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables of block pointers: i_block itself, and the indirect blocks. Private to blockmap*.c. */
#ifndef EXT4_BLOCKMAP_TABLE_H
#define EXT4_BLOCKMAP_TABLE_H

#include "ext4/blockmap.h"

/* Where a block's pointer is: slot of i_block, then one index per level of tables. */
struct blockmap_place {
	unsigned levels;
	uint32_t index[BLOCKMAP_LEVELS + 1];
};

/* False: past what a block map can hold. */
bool blockmap_place(const struct e4_fs *fs, uint64_t lblk, struct blockmap_place *ret_place);
/* Data blocks under one pointer that has `levels` tables below it. */
uint64_t blockmap_span(const struct e4_fs *fs, unsigned levels);
/* First data block under slot `slot` of i_block. */
uint64_t blockmap_base(const struct e4_fs *fs, unsigned slot);

static inline uint32_t blockmap_entries(const struct e4_fs *fs)
{
	return fs->block_bytes / sizeof(le32);
}

static inline le32 *blockmap_root(struct e4_inode *inode)
{
	return (le32 *)inode->i_block;
}

static inline le32 *blockmap_slots(struct buf *buf)
{
	return (le32 *)buf->data;
}

/* The table a pointer leads to; levels: tables on the way from it to a data block, itself
 * included. Each level is a role of its own, so no table can be its own ancestor. */
int blockmap_table_get(struct e4_inode *inode, uint32_t block, unsigned levels,
	struct buf **ret_buf) MUST_CHECK;
int blockmap_table_new(struct handle *h, struct e4_inode *inode, unsigned levels, uint64_t goal,
	struct buf **ret_buf) MUST_CHECK;

/* How many of the `max` pointers from slots on lead to adjoining blocks; or are empty. */
uint32_t blockmap_count_run(const le32 *slots, uint32_t max);
/* 0, or -EUCLEAN when the run is nothing that a file may have. */
int blockmap_check_run(const struct e4_inode *inode, const struct extent_run *run) MUST_CHECK;

#endif
