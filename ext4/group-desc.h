/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the block groups share. */
#ifndef EXT4_GROUP_DESC_H
#define EXT4_GROUP_DESC_H

#include "ext4/group.h"

/* Whether descriptors have their upper half, and checksums of bitmaps 32 bits. */
static inline bool group_desc_is_64(const struct e4_fs *fs)
{
	return fs->desc_bytes >= EXT2_MIN_DESC_SIZE_64BIT;
}

/* Blocks at the start of a group taken by its copies of super block and descriptors. */
uint32_t group_meta_blocks(const struct e4_fs *fs, uint32_t index);

#endif
