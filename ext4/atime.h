/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Access times that are not on the drive yet. Private to ext4/. */
#ifndef EXT4_ATIME_H
#define EXT4_ATIME_H

#include "ext4/inode.h"

/* Stores the inode if its access time is only in memory. No lock or handle held. */
int atime_store(struct e4_inode *inode) MUST_CHECK;

#endif
