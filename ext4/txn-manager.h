/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What ext4/txn.c (commits) and ext4/handle.c (operations that join the running transaction) share; invariants and
 * lock are at the top of ext4/txn.c. */
#ifndef EXT4_TXN_MANAGER_H
#define EXT4_TXN_MANAGER_H

#include "ext4/revoke.h"
#include "ext4/txn.h"

struct txn_callback {
	struct list link;
	void (*fn)(void *ctx, int err);
	void *ctx;
};

struct txn_manager {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* any state below */
	pthread_cond_t tick;	/* the interval thread: sooner, or stop */
	uint64_t running_id, committed_id;
	_Atomic uint64_t overdrawn;
	_Atomic int64_t reserved; /* credits of open handles that are not used yet */
	unsigned open_handles;
	uint64_t handles_begun;
	_Atomic uint64_t commits, checkpoints, waits; /* only counted */
	bool closing, committing, kicked, stop;
	bool asleep; /* the interval thread, until a handle begins: there is nothing to commit */
	bool checkpoint_due;
	bool undrained; /* invariant 6 does not hold: memory ran out on the way */

	/* of the running transaction */
	struct list callbacks;
	struct revokes revokes;
	uint64_t hold; /* UINT64_MAX: nothing */
	pthread_t thread;
};

/*
 * Commits the running transaction; drain: and then everything in the log goes home. Called with the
 * lock held and `committing` not set; returns with the lock held, having released it in between.
 */
int txn_commit_running(struct e4_fs *fs, bool drain) MUST_CHECK;

#endif
