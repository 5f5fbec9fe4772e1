/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* File data: reading, writing, truncation. Private part; the public one is in ext4.h. */
#ifndef EXT4_FILE_H
#define EXT4_FILE_H

#include "ext4/extent.h"

/* Truncates to size 0 and frees all blocks of an inode that nobody else can reach (eviction). */
int file_free_all(struct e4_inode *inode) MUST_CHECK;
/* Truncates or extends to size; io_lock not held. */
int file_set_size(struct e4_inode *inode, uint64_t size) MUST_CHECK;

/* A truncation that a crash has interrupted: an orphan with links, of which nobody knows yet. */
int file_finish_truncate(struct e4_inode *inode) MUST_CHECK;

/* extent_map() under inode->lock, for callers that hold only io_lock. */
int file_map(struct e4_inode *inode, uint64_t lblk, struct extent_run *ret_run) MUST_CHECK;
uint64_t file_size(struct e4_inode *inode);
bool file_is_inline(struct e4_inode *inode);
/* Where writing beyond gives -EFBIG. */
uint64_t file_max_bytes(struct e4_inode *inode);
/* 0 when data may be written to inode: a regular file on a writable volume. */
int file_check_writable(struct e4_inode *inode) MUST_CHECK;
/* Stores a size, with the times that go with a change of content. */
int file_store_size(struct e4_inode *inode, uint64_t size) MUST_CHECK;
/* Frees the blocks [from, end) of the file, in as many handles as it takes, the last ones first.
 * -ENOSPC, when a hole in the middle needs a tree block: nothing has changed. */
int file_remove_blocks(struct e4_inode *inode, uint64_t from, uint64_t end) MUST_CHECK;
/* Writes zeroes over the bytes [from, to) of the file where blocks are written. io_lock held
 * exclusively. */
int file_zero_bytes(struct e4_inode *inode, uint64_t from, uint64_t to) MUST_CHECK;
/* Zeroes on the drive [from, end of its block), up to `to`, where that block is written: bytes
 * that become part of the file without anybody having written them. io_lock held exclusively. */
int file_zero_tail(struct e4_inode *inode, uint64_t from, uint64_t to) MUST_CHECK;
/* Room for a block lblk to go on behind it: a file that grows may double, and one that begins is
 * small, most likely. inode->lock held. */
uint32_t file_room(const struct e4_inode *inode, uint32_t lblk);
/*
 * Unwritten blocks for the beginning of [lblk, lblk + count), at most up to the next run that is
 * mapped already; *ret_run is what lies at lblk afterwards. Waits for freed blocks to become
 * available before it says -ENOSPC. io_lock held, no handle.
 */
int file_allocate(struct e4_inode *inode, uint32_t lblk, uint64_t count, bool use_reserve,
	struct extent_run *ret_run) MUST_CHECK;

/* Whether new blocks of the file are claimed instead: it has a block map. io_lock held. */
bool file_needs_claims(struct e4_inode *inode);
/* A claimed run for the beginning of the hole, at most `count` blocks. No handle. */
int file_claim(struct e4_inode *inode, const struct extent_run *hole, uint64_t count,
	bool use_reserve, struct extent_run *ret_run) MUST_CHECK;
/* The claimed run holds its data: makes it part of the file, which reaches to `to` at least. The
 * claim is over, whatever the result. -EEXIST: somebody else has filled the hole meanwhile. */
int file_map_claim(struct e4_inode *inode, const struct extent_run *run, uint64_t to,
	bool held) MUST_CHECK;
/* Data up to `to` has been written: size and, unless they were held back, times; the caller stores
 * the inode. */
void file_grow_size(struct e4_inode *inode, uint64_t to, bool held);

#endif
