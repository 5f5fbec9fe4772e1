/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing held writes once more, and finding out which of them a drive does not take. Private. */
#ifndef KERNEL_SHIM_REWRITE_H
#define KERNEL_SHIM_REWRITE_H

#include "base/blkdev.h"
#include "kernel-shim/held.h"

/* Ranges that did not get onto the medium. Owned by whoever holds it; lost_clear() frees. */
struct lost {
	struct blkdev_lost *ranges;
	size_t count, room;
	bool anything; /* nobody knows what, for want of memory perhaps; takes none itself */
};
void lost_clear(struct lost *lost);
bool lost_is_empty(const struct lost *lost);
/* All of from, which is empty afterwards. */
void lost_move(struct lost *to, struct lost *from);
/* Hands out each range, or one of UINT64_MAX. */
void lost_tell(const struct lost *lost, blkdev_lost_fn fn, void *ctx);

struct rewrite {
	struct blkdev *dev;
	/* A call failed with err: whether the drive has gone. patient: waits until that is sure. */
	bool (*has_gone)(void *ctx, struct blkdev *dev, int err, bool patient);
	/* A flush of dev failed: the next one tells only of what is written from now on. */
	void (*forget_error)(void *ctx, struct blkdev *dev);
	void *ctx;
	struct lost *lost; /* what the drive does not take is added here */
	unsigned waits; /* patient questions so far; begins with 0 */
};

/* 0: all of held but what is in lost is on the medium. -ENODEV: the drive has gone. -ENOMEM: nothing was tried. */
int rewrite_all(struct rewrite *rewrite, const struct held *held) MUST_CHECK;

#endif
