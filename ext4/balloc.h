/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Block allocator: runs of contiguous blocks near a goal. */
#ifndef EXT4_BALLOC_H
#define EXT4_BALLOC_H

#include "ext4/group.h"

struct balloc_request {
	uint64_t goal;	/* wanted physical block; 0: choose by ino's group */
	uint32_t ino;	/* locality: same group as the inode */
	uint32_t wanted; /* blocks; fewer may be given, at least 1 */
	uint32_t room;	 /* a hint: so many more will be wanted, one day, behind these */
	bool use_reserve; /* may take root's reserved blocks */
	bool for_tree;	  /* a node of an extent tree: may take the very last blocks */
	bool low; /* only blocks with numbers of 32 bits */
};

enum { BALLOC_CREDITS = 2 }; /* bitmap + descriptor of one group */

/* One run, marked used in the transaction of h; also takes it off free_blocks. -ENOSPC. */
int balloc_alloc(struct handle *h, const struct balloc_request *request, uint64_t *ret_block,
	uint32_t *ret_count) MUST_CHECK;
/*
 * Claims: a run of free blocks that nobody else gets, while nothing changes on the drive. Whoever
 * has one gives it back, or takes it for good once it holds its data. No handle is needed.
 */
int balloc_claim(struct e4_fs *fs, const struct balloc_request *request, uint64_t *ret_block,
	uint32_t *ret_count) MUST_CHECK;
void balloc_unclaim(struct e4_fs *fs, uint64_t block, uint32_t count);
/* Marks the claimed run used; the claim is over, unless this fails. BALLOC_CREDITS. */
int balloc_take_claim(struct handle *h, uint64_t block, uint32_t count) MUST_CHECK;
/* How many blocks are free for data, without root's reserve unless that may be used. */
uint64_t balloc_available(struct e4_fs *fs, bool use_reserve);
/* Frees a run (may span groups; then BALLOC_CREDITS per group). metadata: its buffers are
 * forgotten too. Not given out again before the transaction is on the medium. Freeing what is
 * free, or what is no data block, is damage: -EUCLEAN. A failure has changed nothing, or the
 * volume has failed with it. */
int balloc_free(struct handle *h, uint64_t block, uint64_t count, bool metadata) MUST_CHECK;
/* Takes back what balloc_alloc() or balloc_take_claim() has given to the same handle, because of err, which
 * it returns. Needs no memory: unless the volume has failed it cannot. metadata: as balloc_free(). */
int balloc_undo(struct handle *h, uint64_t block, uint32_t count, bool metadata, int err) MUST_CHECK;
/*
 * After -ENOSPC and after the handle has ended: whether it is worth trying once more, because
 * blocks or inodes freed shortly before only wait for their commit (which this does then), or free
 * ones were set aside by e4_trim(). *tries counts.
 */
bool balloc_retry(struct e4_fs *fs, unsigned *tries);

#endif
