/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Extended attributes in the inode record, behind its fields (records of more than 128 bytes only).
 *
 * For whoever keeps something there himself, as inline data does in "system.data":
 *
 *	static const struct xattr_name name = {XATTR_INDEX_SYSTEM, 4, "data"};
 *
 *	xattr_body_get(inode, &name, buf, sizeof(buf))	its bytes, -ENODATA
 *	xattr_body_room(inode, &name)			how long it could become, -ENOSPC
 *	xattr_body_put(h, inode, &name, data, len)	makes or resizes it
 *	xattr_body_drop(h, inode, &name)
 *
 * or several edits at once on a copy: xattr_body_load(), xattr_area_set() on its area (xattr-area.h),
 * xattr_body_store(). All need inode->lock, for writing if they take a handle; they change the
 * inode-table block only (INODE_CREDITS), and the caller calls inode_store() afterwards under the
 * same handle, which seals the record's checksum.
 */
#ifndef EXT4_XATTR_BODY_H
#define EXT4_XATTR_BODY_H

#include "ext4/inode.h"
#include "ext4/xattr-area.h"

/* A copy of the record's attributes; nothing is in it, nor fits, when records have no room. */
struct xattr_body {
	struct xattr_area area;
	uint8_t data[XATTR_AREA_MAX] __attribute__((aligned(4)));
};

/* -EUCLEAN: damaged (said so). */
int xattr_body_load(struct e4_inode *inode, struct xattr_body *ret_body) MUST_CHECK;
/* Replaces what the record has. Only reading the table block can fail, or -ENOMEM: never once
 * inode_reserve() has been called under h. */
int xattr_body_store(struct handle *h, struct e4_inode *inode, const struct xattr_body *body) MUST_CHECK;

/* Bytes of the value; -ENODATA; -ERANGE: longer than buf_len. */
int xattr_body_get(struct e4_inode *inode, const struct xattr_name *name, void *buf,
	size_t buf_len) MUST_CHECK;
int xattr_body_room(struct e4_inode *inode, const struct xattr_name *name) MUST_CHECK;
/* -ENOSPC: does not fit, nothing changed. */
int xattr_body_put(struct handle *h, struct e4_inode *inode, const struct xattr_name *name,
	const void *data, size_t len) MUST_CHECK;
int xattr_body_drop(struct handle *h, struct e4_inode *inode, const struct xattr_name *name) MUST_CHECK;

#endif
