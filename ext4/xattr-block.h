/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The block of extended attributes that i_file_acl names. Several inodes may share one, which counts
 * them; it is changed in place only while it has one owner.
 *
 * All functions: inode->lock held, for writing if they take a handle; the caller then stores the
 * inode, whose file_acl and blocks they change.
 */
#ifndef EXT4_XATTR_BLOCK_H
#define EXT4_XATTR_BLOCK_H

#include "ext4/balloc.h"
#include "ext4/inode.h"
#include "ext4/xattr-area.h"

extern const struct buf_type xattr_block_type;

/* A copy of the inode's block, an empty one when it has none. */
struct xattr_block {
	struct buf *buf; /* NULL: no block so far */
	struct xattr_area area;
	uint8_t data[XATTR_AREA_MAX] __attribute__((aligned(4)));
};

/* -EUCLEAN: damaged (said so). To be put in any case. */
int xattr_block_load(struct e4_inode *inode, struct xattr_block *ret_block) MUST_CHECK;
void xattr_block_put(struct xattr_block *block);
#define CLEANUP_XATTR_BLOCK CLEANUP(xattr_block_put)

enum { XATTR_BLOCK_STORE_CREDITS = 2 + 2 * BALLOC_CREDITS };
/*
 * Gives inode the attributes of the changed copy: in its own block, in one that has the same ones
 * already, in a new one, or none when the area is empty.
 * -ENOSPC. What fails has changed nothing, or the volume has failed.
 */
int xattr_block_store(struct handle *h, struct e4_inode *inode, struct xattr_block *block) MUST_CHECK;

enum { XATTR_BLOCK_RELEASE_CREDITS = 1 + BALLOC_CREDITS };
/* Drops inode's share of its block; the last one frees it. */
int xattr_block_release(struct handle *h, struct e4_inode *inode) MUST_CHECK;

#endif
