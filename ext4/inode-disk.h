/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inodes as they lie in the inode table: 128 bytes, and in larger records the fields up to
 * extra_isize. Behind those live extended attributes, which nothing here touches.
 */
#ifndef EXT4_INODE_DISK_H
#define EXT4_INODE_DISK_H

#include "ext4/inode.h"

/* Fills the fields of inode (fs and ino set) from the drive. -ENOENT: not in use; -EUCLEAN.
 * orphan: it may be without links, and orphan_next is filled. */
int inode_disk_load(struct e4_inode *inode, bool orphan) MUST_CHECK;
/* Sets only the time of deletion, which of an orphan is its successor. */
int inode_disk_set_dtime(struct handle *h, struct e4_inode *inode, uint32_t dtime) MUST_CHECK;
/* Zeroes the whole record first: for an inode number just allocated. */
int inode_disk_clear(struct handle *h, struct e4_inode *inode) MUST_CHECK;
/* Stores inode with a deletion time. */
int inode_disk_delete(struct handle *h, struct e4_inode *inode) MUST_CHECK;
/* The block with its record, and the record's offset in it. buf->lock guards the bytes. */
int inode_disk_record(struct e4_inode *inode, struct buf **ret_buf, uint32_t *ret_offset) MUST_CHECK;
/* Where in the record the magic number of its attributes stands; 0: no room for attributes. */
uint32_t inode_disk_attributes_offset(const struct e4_inode *inode);
bool inode_disk_has_crtime(const struct e4_inode *inode);
/* What a time becomes when it has been stored and read again. */
struct timespec inode_disk_time(const struct e4_inode *inode, struct timespec time);

#endif
