/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Directory blocks: entries in one block, linear and htree directories. Private to ext4/.
 * Changing functions: inode->dir_lock held for writing, under a handle; lookups: for reading.
 */
#ifndef EXT4_DIR_H
#define EXT4_DIR_H

#include "ext4/dirblock.h"
#include "ext4/extent.h"

unsigned dir_insert_credits(struct e4_inode *dir); /* worst case: index splits on every level */
enum { DIR_REMOVE_CREDITS = 2 };

/* -ENOENT. type is the file type byte (EXT2_FT_*), 0 when the volume does not keep it. */
int dir_find(struct e4_inode *dir, const char *name, size_t name_len, uint32_t *ret_ino,
	uint8_t *ret_type) MUST_CHECK;
/* Does not look for duplicates: the caller has. -ENOSPC leaves the directory unchanged. */
int dir_insert(struct handle *h, struct e4_inode *dir, const char *name, size_t name_len,
	uint32_t ino, uint8_t type) MUST_CHECK;
int dir_remove(
	struct handle *h, struct e4_inode *dir, const char *name, size_t name_len) MUST_CHECK;
/* Points an existing entry to another inode (rename over, exchange, ".."). */
int dir_replace(struct handle *h, struct e4_inode *dir, const char *name, size_t name_len,
	uint32_t ino, uint8_t type) MUST_CHECK;
/* Credits of dir_init(), the inode's own aside. */
unsigned dir_init_credits(struct e4_inode *dir);
/* "." and ".." in a first block, or in the inode. The caller stores the inode. */
int dir_init(struct handle *h, struct e4_inode *dir, uint32_t parent_ino) MUST_CHECK;
int dir_is_empty(struct e4_inode *dir, bool *ret_empty) MUST_CHECK;

/*
 * For every step behind the first change that cannot be taken back: if it failed (r < 0), nothing
 * that was changed since the last commit reaches the drive any more. Returns r.
 */
int dir_half_done(struct handle *h, int r) MUST_CHECK;

/* ---- between the files that implement directories ---- */

/* Whether lookups go through an htree. */
bool dir_is_indexed(struct e4_inode *dir);
/* Blocks of the directory; -EUCLEAN when its size is no number of blocks or zero, -EOPNOTSUPP when
 * it is inline. */
int dir_blocks(struct e4_inode *dir, uint32_t *ret_blocks) MUST_CHECK;
int dir_block_get(struct e4_inode *dir, uint32_t lblk, struct buf **ret_buf) MUST_CHECK;
enum { DIR_APPEND_CREDITS = 2 }; /* the block itself, the inode; allocation and extents aside */
/* A new block at the end: modified under h, zeroed, so it must be filled; the inode is stored. */
int dir_append(struct handle *h, struct e4_inode *dir, uint32_t *ret_lblk,
	struct buf **ret_buf) MUST_CHECK;
/* Switches EXT2_INDEX_FL and stores the inode. */
int dir_set_indexed(struct handle *h, struct e4_inode *dir, bool indexed) MUST_CHECK;

/* Where an entry is. */
struct dir_place {
	struct buf *buf;
	struct dirblock_cursor cursor;
};
static inline void cleanup_dir_place(struct dir_place *place)
{
	buf_put(place->buf);
}
#define CLEANUP_DIR_PLACE CLEANUP(cleanup_dir_place)

#endif
