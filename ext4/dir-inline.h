/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Directories that live in their inode: the parent's number, entries up to the end of i_block,
 * and more entries in the attribute; "." and ".." have no entries. Read only.
 */
#ifndef EXT4_DIR_INLINE_H
#define EXT4_DIR_INLINE_H

#include "ext4/dirblock.h"
#include "ext4/inline.h"

bool dir_is_inline(struct e4_inode *dir);

struct dir_inline {
	uint8_t data[INLINE_MAX];
	uint32_t parts; /* 1 or 2 chains of entries */
	struct {
		uint32_t off, bytes;
	} part[2];
	uint32_t parent_ino;
};

/* dir_lock held. */
int dir_inline_load(struct e4_inode *dir, struct dir_inline *ret_content) MUST_CHECK;
/* A cursor over one part; its offsets count from the part's off. */
struct dirblock_cursor dir_inline_cursor(
	struct e4_inode *dir, struct dir_inline *content, uint32_t part);
/* As dir_find(). */
int dir_inline_find(struct e4_inode *dir, const char *name, size_t name_len, uint32_t *ret_ino,
	uint8_t *ret_type) MUST_CHECK;

#endif
