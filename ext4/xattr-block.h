/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The block of extended attributes that i_file_acl names; several inodes may share one. */
#ifndef EXT4_XATTR_BLOCK_H
#define EXT4_XATTR_BLOCK_H

#include "ext4/balloc.h"
#include "ext4/inode.h"

extern const struct buf_type xattr_block_type;

enum { XATTR_BLOCK_RELEASE_CREDITS = 1 + BALLOC_CREDITS };
/* Drops inode's share of its block; the last one frees it. inode->lock held for writing; the
 * caller stores the inode. */
int xattr_block_release(struct handle *h, struct e4_inode *inode) MUST_CHECK;

#endif
