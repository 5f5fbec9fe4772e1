/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values of attributes in inodes of their own (feature ea_inode): a regular file without a name that
 * holds the value, and a checksum of it in place of its time of access. Read only.
 */
#ifndef EXT4_XATTR_VALUE_H
#define EXT4_XATTR_VALUE_H

#include "ext4/inode.h"
#include "ext4/xattr-area.h"

/* The value of an entry of owner (whose lock is held) that has an e_value_inum; buf has room for
 * e_value_size bytes. Its length; -EUCLEAN. */
ssize_t xattr_value_read(struct e4_inode *owner, const struct ext2_ext_attr_entry *entry,
	void *buf) MUST_CHECK;

#endif
