/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether a drive that comes back is as it was left: some ranges of it that nobody can use it without
 * changing (header, super block, journal) are remembered, and what was written there and may be lost
 * is taken into account. No locking. Private to kernel-shim/.
 */
#ifndef KERNEL_SHIM_SENTINEL_H
#define KERNEL_SHIM_SENTINEL_H

#include "base/blkdev.h"
#include "kernel-shim/held.h"

struct sentinels;

int sentinels_new(struct sentinels **ret_sentinels) MUST_CHECK;
void sentinels_free(struct sentinels *sentinels); /* NULL is fine */
/* The range, rounded to sectors of 512 bytes, with what dev shows there now. Read errors, -ENOMEM. */
int sentinels_add(struct sentinels *sentinels, struct blkdev *dev, uint64_t len, uint64_t off) MUST_CHECK;
/* A write that is on the medium now. */
void sentinels_settle(struct sentinels *sentinels, const struct held_write *write);
/*
 * 0: every sector of the ranges is on dev as it was after the last flush, or after one of the writes
 * that are held (NULL: none). -SDE_DRIVE_CHANGED: one is not. Read errors, -ENOMEM.
 */
int sentinels_check(const struct sentinels *sentinels, struct blkdev *dev,
	const struct held *held) MUST_CHECK;

#endif
