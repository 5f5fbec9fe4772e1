/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether the fields of an inode just loaded make sense together. */
#ifndef EXT4_INODE_CHECK_H
#define EXT4_INODE_CHECK_H

#include "ext4/inode.h"

/* 0 or -EUCLEAN (reported). Nobody else sees the inode yet. */
int inode_check(struct e4_inode *inode) MUST_CHECK;
/* Largest size of a regular file, in bytes; depends on how its blocks are mapped. inode->lock held. */
uint64_t inode_max_bytes(const struct e4_inode *inode);

#endif
