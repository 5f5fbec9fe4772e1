/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A blkdev between a drive and all that is stacked on it, for drives that are pulled out and put back.
 *
 * While the drive is away its callers wait. When the same drive comes back in time, unchanged, it gets
 * every write again that it may have lost, and they go on. Else all calls fail with -ENODEV for good.
 * A drive that is there but does not take some writes does not fail as a whole: blkdev_lost() tells.
 */
#ifndef KERNEL_SHIM_REATTACH_H
#define KERNEL_SHIM_REATTACH_H

#include "base/blkdev.h"

enum reattach_event {
	REATTACH_AWAY,	  /* it was pulled out; reattach_get_state() has the rest */
	REATTACH_REFUSED, /* it came back as it was not left (err: -SDE_DRIVE_CHANGED), or cannot be opened */
	REATTACH_BACK,
	REATTACH_LOST, /* time is over, or somebody has given it up */
};

/* What depends on the kind of drive; called from any thread, without a lock. */
struct reattach_ops {
	/* dev, of which a call has failed, is no longer there at all. */
	bool (*is_gone)(void *ctx, struct blkdev *dev);
	/* A flush of dev failed: the next one may succeed, and then tells only of what is written from now on. */
	void (*forget_error)(void *ctx, struct blkdev *dev);
	/* Opens the nth (from 0) device that may be the drive. 1: by its name it is (so that the user should
	 * know if it is refused), 0: it may be. -ENOENT: there are no more; -SDE_*, -EACCES: it is, but
	 * cannot be opened; other errors: not this one. */
	int (*candidate)(void *ctx, unsigned n, struct blkdev **ret_dev);
	/* That device is the drive. */
	void (*accepted)(void *ctx, unsigned n, struct blkdev *dev);
	void (*event)(void *ctx, enum reattach_event event, int err);
};

struct reattach_params {
	const struct reattach_ops *ops;
	void *ctx;
	unsigned poll_ms;    /* how often to look for the drive; 0: 500 */
	unsigned suspect_ms; /* how long after an error a drive may still turn out to be gone; 0: 1500 */
	size_t hold_bytes;   /* memory for writes that are not flushed; 0: 64 MiB */
};

/* Stacks the device on lower, which it then owns (on failure it is left to the caller). -ENOMEM. */
int reattach_new(struct blkdev *lower, const struct reattach_params *params,
	struct blkdev **ret_dev) MUST_CHECK;

/* How long to wait for a drive from now on. At first, and with 0, it is not waited for at all. */
void reattach_set_grace(struct blkdev *dev, unsigned grace_ms);

struct reattach_state {
	bool away, lost;
	unsigned seconds_left; /* while away */
	int refused;	       /* while away: why what came back was refused, or 0 */
};
void reattach_get_state(struct blkdev *dev, struct reattach_state *ret_state);
/* A drive that is away is waited for no longer. */
void reattach_give_up(struct blkdev *dev);

#endif
