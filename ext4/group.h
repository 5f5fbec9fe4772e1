/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Block groups: descriptors and bitmaps, read when first needed (mounting costs the same for any
 * size), plus what only memory knows: pending frees that no one may reuse before their commit.
 */
#ifndef EXT4_GROUP_H
#define EXT4_GROUP_H

#include "ext4/txn.h"

/* A small in-memory record per group that has been used; found by index, made on demand. */
struct group {
	uint32_t index;
	pthread_mutex_t lock; /* descriptor, both bitmaps, pending */
	struct list pending;  /* freed runs waiting for commit (balloc.c) */
	uint32_t pending_blocks;
	uint32_t longest_free_hint; /* no free run is longer; UINT32_MAX: unknown */
};

int groups_start(struct e4_fs *fs) MUST_CHECK;
void groups_stop(struct e4_fs *fs);
/* -EUCLEAN for an index past the end. The record lives until unmount. */
int group_get(struct e4_fs *fs, uint32_t index, struct group **ret_group) MUST_CHECK;

/* Decoded view of a descriptor (32 or 64 bytes on the drive). */
struct group_desc {
	uint64_t block_bitmap, inode_bitmap, inode_table;
	uint32_t free_blocks, free_inodes, used_dirs, itable_unused;
	uint32_t block_bitmap_csum, inode_bitmap_csum;
	uint16_t flags;
};
/* group->lock held. Locations are checked to be inside the volume. */
int group_desc_load(struct e4_fs *fs, uint32_t index, struct group_desc *ret_desc) MUST_CHECK;
int group_desc_store(struct handle *h, uint32_t index, const struct group_desc *desc) MUST_CHECK;

/* The bitmap's buffer, built in memory when the group is *_UNINIT, checksum verified.
 * group->lock held. Bits past the group's end are set. */
int group_block_bitmap(struct e4_fs *fs, struct group *group, const struct group_desc *desc, struct buf **ret_buf) MUST_CHECK;
int group_inode_bitmap(struct e4_fs *fs, struct group *group, const struct group_desc *desc, struct buf **ret_buf) MUST_CHECK;

uint64_t group_first_block(const struct e4_fs *fs, uint32_t index);
uint32_t group_blocks(const struct e4_fs *fs, uint32_t index); /* the last group may be short */
/* Whether [block, block+count) touches super blocks, descriptors, bitmaps or inode tables that are
 * known without I/O or by loading descriptors: such blocks are never a file's (-EUCLEAN), else 0. */
int group_check_data_blocks(struct e4_fs *fs, uint64_t block, uint64_t count) MUST_CHECK;

#endif
