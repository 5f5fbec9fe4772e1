/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Block groups: descriptors and bitmaps, read when first needed (mounting costs the same for any
 * size), plus what only memory knows: pending frees that no one may reuse before their commit.
 */
#ifndef EXT4_GROUP_H
#define EXT4_GROUP_H

#include "ext4/bitmap.h"
#include "ext4/txn.h"

/* A small in-memory record per group that has been used; found by index, made on demand. */
struct group {
	uint32_t index;
	pthread_mutex_t lock; /* descriptor, both bitmaps, all below */
	/* Bits freed in transactions not yet on the medium, and free blocks that are being discarded
	 * or are claimed (balloc.h): clear in the bitmap, but not to be given out. A block's worth of
	 * bytes; NULL when none. */
	uint8_t *pending_blocks, *pending_inodes;
	uint32_t pending_block_count, pending_inode_count;
	struct pend *last_blocks, *last_inodes; /* group.c; of a transaction not yet on the medium, or NULL */
	uint32_t longest_free_hint; /* no free run is longer; UINT32_MAX: unknown */
	uint32_t cursor;	    /* bit where the next search without a goal begins */
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
/* Keeps the descriptor in memory until buf_put(): meanwhile group_desc_store() fails only when the
 * volume has failed, and then nothing is ever written any more. */
int group_desc_pin(struct e4_fs *fs, uint32_t index, struct buf **ret_buf) MUST_CHECK;

/* The bitmap's buffer, built in memory when the group is *_UNINIT, checksum verified.
 * group->lock held. Bits past the group's end are set. */
int group_block_bitmap(struct e4_fs *fs, struct group *group, const struct group_desc *desc, struct buf **ret_buf) MUST_CHECK;
int group_inode_bitmap(struct e4_fs *fs, struct group *group, const struct group_desc *desc, struct buf **ret_buf) MUST_CHECK;

/* Checksum of a changed bitmap into desc; the caller stores desc. group->lock held. */
void group_block_bitmap_seal(struct e4_fs *fs, const struct buf *bitmap, struct group_desc *desc);
void group_inode_bitmap_seal(struct e4_fs *fs, const struct buf *bitmap, struct group_desc *desc);
/* Whether descriptors carry checksums, and so groups can be uninitialised. */
bool group_has_desc_csum(const struct e4_fs *fs);
bool group_has_super(const struct e4_fs *fs, uint32_t index);

/*
 * Remembers that count bits from start must not be given out before the transaction of h is on the
 * medium. group->lock held; -ENOMEM changes nothing.
 */
int group_pend(struct handle *h, struct group *group, bool inodes, uint32_t start, uint32_t count) MUST_CHECK;
/* Keeps free blocks from being given out, and lets them go again. group->lock held; -ENOMEM. */
int group_hold(struct e4_fs *fs, struct group *group, uint32_t start, uint32_t count) MUST_CHECK;
void group_release(struct group *group, uint32_t start, uint32_t count);
/* Whether a commit would make blocks or inodes available. */
bool groups_have_pending(struct e4_fs *fs);

uint64_t group_first_block(const struct e4_fs *fs, uint32_t index);
uint32_t group_blocks(const struct e4_fs *fs, uint32_t index); /* the last group may be short */
/* Whether [block, block+count) touches super blocks, descriptors, bitmaps or inode tables that are
 * known without I/O or by loading descriptors: such blocks are never a file's (-EUCLEAN), else 0. */
int group_check_data_blocks(struct e4_fs *fs, uint64_t block, uint64_t count) MUST_CHECK;

#endif
