/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Directory blocks: entries in one block, linear and htree directories. Private to ext4/.
 * Changing functions: inode->dir_lock held for writing, under a handle; lookups: for reading.
 */
#ifndef EXT4_DIR_H
#define EXT4_DIR_H

#include "ext4/extent.h"

unsigned dir_insert_credits(struct e4_inode *dir); /* worst case: index splits on every level */
enum { DIR_REMOVE_CREDITS = 2 };

/* -ENOENT. type is the file type byte (EXT2_FT_*), 0 when the volume does not keep it. */
int dir_find(struct e4_inode *dir, const char *name, size_t name_len, uint32_t *ret_ino, uint8_t *ret_type) MUST_CHECK;
/* Does not look for duplicates: the caller has. -ENOSPC leaves the directory unchanged. */
int dir_insert(struct handle *h, struct e4_inode *dir, const char *name, size_t name_len, uint32_t ino, uint8_t type) MUST_CHECK;
int dir_remove(struct handle *h, struct e4_inode *dir, const char *name, size_t name_len) MUST_CHECK;
/* Points an existing entry to another inode (rename over, exchange, ".."). */
int dir_replace(struct handle *h, struct e4_inode *dir, const char *name, size_t name_len, uint32_t ino, uint8_t type) MUST_CHECK;
/* "." and ".." in a first block. */
int dir_init(struct handle *h, struct e4_inode *dir, uint32_t parent_ino) MUST_CHECK;
int dir_is_empty(struct e4_inode *dir, bool *ret_empty) MUST_CHECK;

#endif
