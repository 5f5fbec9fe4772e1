/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attribute blocks that could serve more inodes: the last ones that were written or looked at. Many
 * files have the same attributes (an ACL, a label), and one block is enough for them.
 *
 * The table holds references to buffers. A block that has been freed is taken out by who frees it,
 * who has set its count of owners to 0 before: whoever holds such a buffer leaves it alone.
 */
#ifndef EXT4_XATTR_SHARE_H
#define EXT4_XATTR_SHARE_H

#include "ext4/cache.h"

struct xattr_share;

int xattr_share_start(struct e4_fs *fs) MUST_CHECK;
void xattr_share_stop(struct e4_fs *fs); /* before the cache goes */

/* hash: the block's, not 0. */
void xattr_share_add(struct e4_fs *fs, struct buf *buf, uint32_t hash);
void xattr_share_remove(struct e4_fs *fs, struct buf *buf);
/* The next candidate with that hash, referenced, or NULL. *turn: 0 at first. */
struct buf *xattr_share_next(struct e4_fs *fs, uint32_t hash, unsigned *turn);

#endif
