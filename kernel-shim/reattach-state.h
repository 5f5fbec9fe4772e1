/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What reattach.c (the device and its calls) and reattach-return.c (how the drive comes back) share; the
 * invariants are in reattach.c. */
#ifndef KERNEL_SHIM_REATTACH_STATE_H
#define KERNEL_SHIM_REATTACH_STATE_H

#include <pthread.h>
#include <time.h>

#include "kernel-shim/held.h"
#include "kernel-shim/reattach.h"
#include "kernel-shim/rewrite.h"
#include "kernel-shim/sentinel.h"

enum state { HERE, MENDING, AWAY, LOST };

struct reattach {
	struct blkdev dev;
	struct reattach_params params;
	struct blkdev *lower; /* NULL: AWAY or LOST */

	pthread_mutex_t lock;
	pthread_cond_t changed; /* anything below */
	enum state state;
	unsigned active; /* calls that are inside lower */
	bool flushing;
	uint64_t flushes_begun, flushed; /* numbers of flushes; the highest that has succeeded */
	struct held *held;		 /* NULL: read-only */
	struct sentinels *sentinels;
	struct lost lost;
	unsigned telling; /* calls of reattach_lost() that are not over */

	unsigned grace_ms;
	bool has_thread, given_up;
	pthread_t thread;
	struct timespec deadline;
	int refused;
};

/* The thread from AWAY to HERE or LOST; arg is the struct reattach. */
void *reattach_return_main(void *arg);

/* Writes all that is held to dev, in order. Alone with it; the lock is not held. */
int reattach_rewrite(struct reattach *ra, struct blkdev *dev, struct lost *lost) MUST_CHECK;
/* All that is held is on the medium, or in lost. Alone with the device; lock held. */
void reattach_all_flushed(struct reattach *ra);

int64_t reattach_ms_until(const struct timespec *t);

#endif
