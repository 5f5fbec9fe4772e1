/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Extended attributes of an inode, wherever they lie. inode->lock held, for writing if there is a
 * handle. */
#ifndef EXT4_XATTR_H
#define EXT4_XATTR_H

#include "ext4/xattr-block.h"

/* As e4_getxattr(), the value as it is stored. */
ssize_t xattr_get(struct e4_inode *inode, const struct xattr_name *name, void *buf, size_t size) MUST_CHECK;

/* The inode's record, its block, the super block. */
enum { XATTR_SET_CREDITS = INODE_CREDITS + XATTR_BLOCK_STORE_CREDITS + 1 };
/*
 * Sets name to value (NULL: takes it away; not there: -ENODATA with E4_XATTR_REPLACE, else fine).
 * flags: E4_XATTR_*. 1: changed, the caller stores the inode; 0: it was so
 * already. What fails has changed nothing, or the volume has failed.
 */
int xattr_set(struct handle *h, struct e4_inode *inode, const struct xattr_name *name,
	const struct xattr_value *value, unsigned flags) MUST_CHECK;

#endif
