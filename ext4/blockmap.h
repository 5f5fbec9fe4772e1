/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The block map of ext2 and ext3: twelve direct pointers, then one, two and three levels of
 * tables of pointers. Called by extent.c only, whose functions of the same names say what these
 * do; and by migrate.c.
 */
#ifndef EXT4_BLOCKMAP_H
#define EXT4_BLOCKMAP_H

#include "ext4/extent.h"
#include "ext4/metablock.h"

enum { BLOCKMAP_LEVELS = 3, BLOCKMAP_DIRECT = 12 };
/* A new table on each level, or a changed one. */
enum { BLOCKMAP_CREDITS = BLOCKMAP_LEVELS * METABLOCK_CREDITS + 1 };

/* A hole or run may end earlier than the real one. */
int blockmap_map(struct e4_inode *inode, uint32_t lblk, struct extent_run *ret_run) MUST_CHECK;
/* Pointers from lblk to the end of its table: what one insertion may fill; 0: behind the map. */
uint32_t blockmap_room(const struct e4_fs *fs, uint32_t lblk);
uint64_t blockmap_goal(struct e4_inode *inode, uint32_t lblk);
int blockmap_insert(struct handle *h, struct e4_inode *inode,
	const struct extent_run *run) MUST_CHECK;
int blockmap_remove(struct handle *h, struct e4_inode *inode, uint32_t from, uint32_t to,
	bool *ret_done) MUST_CHECK;
/* Calls fn for every table, until it fails. */
int blockmap_tables(struct e4_inode *inode, int (*fn)(void *ctx, uint32_t block),
	void *ctx) MUST_CHECK;

/* Largest size of a file: what the pointers reach, and what i_blocks can count. */
uint64_t blockmap_max_bytes(const struct e4_fs *fs);

#endif
