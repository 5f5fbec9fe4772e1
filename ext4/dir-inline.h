/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Directories that live in their inode: the parent's number, a chain of entries up to the end of
 * i_block, and another one in the attribute; "." and ".." have no entries. Private to ext4/.
 *
 * Locks as in dir.h: dir_lock held, for writing by what takes a handle. Changing one costs no
 * credits beyond the inode's, but for the conversion.
 */
#ifndef EXT4_DIR_INLINE_H
#define EXT4_DIR_INLINE_H

#include "ext4/dirblock.h"
#include "ext4/inline.h"

bool dir_is_inline(struct e4_inode *dir);

struct dir_inline {
	uint8_t data[INLINE_MAX];
	uint32_t len;
	uint32_t parts; /* 1 or 2 chains of entries */
	struct {
		uint32_t off, bytes;
	} part[2];
	uint32_t parent_ino;
};

/* Its chains and names are checked. */
int dir_inline_load(struct e4_inode *dir, struct dir_inline *ret_content) MUST_CHECK;
/* A cursor over one part; its offsets count from the part's off. */
struct dirblock_cursor dir_inline_cursor(
	struct e4_inode *dir, struct dir_inline *content, uint32_t part);
/* Where an entry at off will be in the first block, when the directory gets one. */
static inline uint32_t dir_inline_block_off(uint32_t off)
{
	return off - 4 + 2 * DIRENT_MIN_BYTES;
}

/* As dir_find() .. dir_is_empty() in dir.h; where -ENOSPC changes nothing. */
int dir_inline_find(struct e4_inode *dir, const char *name, size_t name_len, uint32_t *ret_ino,
	uint8_t *ret_type) MUST_CHECK;
int dir_inline_insert(struct handle *h, struct e4_inode *dir, const char *name, size_t name_len,
	uint32_t ino, uint8_t type) MUST_CHECK;
int dir_inline_remove(
	struct handle *h, struct e4_inode *dir, const char *name, size_t name_len) MUST_CHECK;
int dir_inline_replace(struct handle *h, struct e4_inode *dir, const char *name, size_t name_len,
	uint32_t ino, uint8_t type) MUST_CHECK;
int dir_inline_init(struct handle *h, struct e4_inode *dir, uint32_t parent_ino) MUST_CHECK;
int dir_inline_is_empty(struct e4_inode *dir, bool *ret_empty) MUST_CHECK;

/* The directory gets a block with all its entries. Credits: those of dir_append() and its
 * allocation. */
int dir_inline_convert(struct handle *h, struct e4_inode *dir) MUST_CHECK;

#endif
