/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Targets of symbolic links: up to 59 bytes in the inode, longer ones in a block. */
#ifndef EXT4_SYMLINK_H
#define EXT4_SYMLINK_H

#include "ext4/balloc.h"
#include "ext4/extent.h"

enum { SYMLINK_CREDITS = BALLOC_CREDITS + 1 };
/* Gives a new link its target and size; the caller stores the inode. inode->lock held for writing,
 * or nobody else sees the inode yet. -ENOENT (empty), -ENAMETOOLONG, -ENOSPC (nothing changed). */
int symlink_store(struct handle *h, struct e4_inode *inode, const char *target,
	size_t len) MUST_CHECK;

#endif
