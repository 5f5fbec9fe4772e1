/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which blocks an inode has: logical to physical, in runs. They are kept in an extent tree or in
 * the block map of ext2 and ext3, which has no unwritten blocks; extent.c tells which.
 * All functions: inode->lock held, for writing where the tree changes.
 */
#ifndef EXT4_EXTENT_H
#define EXT4_EXTENT_H

#include "ext4/inode.h"

enum { EXTENT_LBLK_MAX = 0xfffffffe };

struct extent_run {
	uint32_t lblk;	/* first logical block */
	uint32_t count; /* blocks; of a hole: up to the next extent or EXTENT_LBLK_MAX + 1 - lblk */
	uint64_t pblk;	/* 0: hole */
	bool unwritten;
};

static inline uint64_t extent_run_end(const struct extent_run *run)
{
	return (uint64_t)run->lblk + run->count;
}

/* Whether the inode has an extent tree; otherwise a block map. */
bool extent_is_tree(const struct e4_inode *inode);

/* The run that contains lblk, starting exactly at lblk; in a block map it may end earlier than
 * the next one begins. */
int extent_map(struct e4_inode *inode, uint32_t lblk, struct extent_run *ret_run) MUST_CHECK;

/* Upper bound of credits for inserting or converting one run, splits included. */
unsigned extent_credits(struct e4_inode *inode);
enum { EXTENT_RUN_MAX = 32767 };
/* Blocks that one extent_insert() at lblk takes; 0: none at all. */
uint32_t extent_insert_max(const struct e4_inode *inode, uint32_t lblk);
/* Inserts a run where there is a hole (else -EEXIST); merges with neighbours of the same kind.
 * Allocates tree blocks; on -ENOSPC the tree is unchanged. Runs of a block map are written. i_blocks accounts for tree blocks and for the run.
 * The caller stores the inode. */
int extent_insert(struct handle *h, struct e4_inode *inode,
	const struct extent_run *run) MUST_CHECK;
/* Marks [lblk, lblk+count), all of it mapped, as unwritten or as written. One run of extent_map()
 * at most when it becomes unwritten, as the credits are for two splits. On -ENOSPC some of it may
 * have been done: the caller stores the inode whatever the result. */
int extent_convert(struct handle *h, struct e4_inode *inode, uint32_t lblk, uint32_t count,
	bool unwritten) MUST_CHECK;
/* Removes up to a bounded number of blocks at the end of [from, to]; *ret_done tells when nothing
 * is left in the range; call again under a new handle otherwise. Frees blocks and tree blocks.
 * The caller stores the inode whatever the result. */
int extent_remove(struct handle *h, struct e4_inode *inode, uint32_t from, uint32_t to,
	bool *ret_done) MUST_CHECK;
enum {
	EXTENT_REMOVE_CREDITS = 64,
	EXTENT_REMOVE_REVOKES = 512, /* most blocks of metadata: each takes room in the log */
};

/*
 * Directories and long symlinks: block lblk of the inode as a cached metadata buffer; lblk must be
 * mapped. And appending one block (zeroed buffer, size grows by a block; caller stores inode).
 */
int extent_block_get(struct e4_inode *inode, uint32_t lblk, const struct buf_type *type,
	struct buf **ret_buf) MUST_CHECK;
int extent_block_append(struct handle *h, struct e4_inode *inode, const struct buf_type *type,
	uint32_t *ret_lblk, struct buf **ret_buf) MUST_CHECK;

/* Physical block where a new block lblk would best lie; 0: anywhere. */
uint64_t extent_goal(struct e4_inode *inode, uint32_t lblk);

/* Initialises an empty tree or map in i_block. */
void extent_init(struct e4_inode *inode);

#endif
