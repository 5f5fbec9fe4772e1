/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* File data: reading, writing, truncation. Private part; the public one is in ext4.h. */
#ifndef EXT4_FILE_H
#define EXT4_FILE_H

#include "ext4/extent.h"

/* Truncates to size 0 and frees all blocks of an inode that nobody else can reach (eviction). */
int file_free_all(struct e4_inode *inode) MUST_CHECK;
/* Truncates or extends to size; io_lock not held. */
int file_set_size(struct e4_inode *inode, uint64_t size) MUST_CHECK;

#endif
