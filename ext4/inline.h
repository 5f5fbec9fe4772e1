/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inline data: small files and directories that live in their inode, the first 60 bytes in i_block
 * and the rest in the in-inode attribute "system.data". Read only.
 */
#ifndef EXT4_INLINE_H
#define EXT4_INLINE_H

#include "ext4/inode.h"

/* All inline bytes of inode into buf (room for buf_len); *ret_len may be less or more than its
 * size. inode->lock held. -EUCLEAN when the attribute does not lie inside the record, or is
 * larger than buf_len. */
int inline_get(struct e4_inode *inode, uint8_t *buf, size_t buf_len, size_t *ret_len) MUST_CHECK;
/* No record, and so no inline data, is larger. */
enum { INLINE_MAX = 4096 };

#endif
