/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Collects blocks that follow each other on the device, so that they are written in few large writes. */
#ifndef EXT4_BLOCKRUN_H
#define EXT4_BLOCKRUN_H

#include "ext4/fs.h"

struct blockrun {
	struct e4_fs *fs;
	uint8_t *bytes;
	uint64_t first;
	uint32_t count;
};

int blockrun_init(struct blockrun *run, struct e4_fs *fs) MUST_CHECK;
void blockrun_free(struct blockrun *run); /* what was not written is dropped */
/* Room for one block, which the caller fills before the next call: it goes to `block`. Writes what
 * was collected before when the new block does not follow it. */
int blockrun_next(struct blockrun *run, uint64_t block, uint8_t **ret_data) MUST_CHECK;
int blockrun_add(struct blockrun *run, uint64_t block, const void *data) MUST_CHECK;
/* Writes what is left. */
int blockrun_write(struct blockrun *run) MUST_CHECK;

#define CLEANUP_BLOCKRUN CLEANUP(blockrun_free)

#endif
