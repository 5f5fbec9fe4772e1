/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bringing blocks home that so far only the journal holds. */
#ifndef EXT4_CHECKPOINT_H
#define EXT4_CHECKPOINT_H

#include "ext4/fs.h"

/*
 * Writes home all blocks that are in the log but not changed by the running transaction, flushed.
 * The caller keeps commits from running. It does not move the tail of the log: that is for whoever
 * knows what else needs the old transactions (txn.c).
 */
int checkpoint_write(struct e4_fs *fs) MUST_CHECK;

#endif
