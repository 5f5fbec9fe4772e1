/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Transactions: every metadata change belongs to one.
 *
 *	struct handle h;
 *	r = handle_begin(fs, credits, &h);
 *	...  buf_modify(&h, buf); change buf->data;  ...
 *	r = handle_end(&h) or the earlier error;
 *
 * Many handles share the running transaction. A commit (txn_commit(), the interval timer, memory
 * pressure) waits until no handle is open, seals and copies every changed buffer, lets new handles
 * in, and writes: flush (the file data that finished before), then the metadata, then flush.
 * Whoever changes metadata that refers to file data has written that data before its handle ends.
 *
 * An operation that fails half-way must undo what it changed before handle_end(): check and
 * reserve first (blocks, credits, buffers read in), change afterwards.
 */
#ifndef EXT4_TXN_H
#define EXT4_TXN_H

#include "ext4/cache.h"

struct journal;

struct handle {
	struct e4_fs *fs;
	uint64_t txn_id;
	unsigned credits_left;
	bool active;
	bool use_reserve; /* set by who began it: it is for somebody who may use root's reserved blocks */
};

/* credits: upper bound of different blocks the operation changes; a block that an open transaction
 * already holds costs none. Waits while a commit closes the
 * transaction. -EROFS or the sticky error when nothing may change. */
int handle_begin(struct e4_fs *fs, unsigned credits, struct handle *ret_handle) MUST_CHECK;
/* Most credits for which there is certainly room in the log. */
unsigned handle_credits_max(struct e4_fs *fs);
void handle_end(struct handle *h);

/* Declares that buf's bytes are about to change under h. Only -ENOMEM, or the sticky error. */
int buf_modify(struct handle *h, struct buf *buf) MUST_CHECK;
/* Room to remember so many forgotten blocks: buf_forget() itself must not fail. -ENOMEM. What is not
 * forgotten before the handle ends is to be released. */
int buf_forget_reserve(struct handle *h, uint64_t count) MUST_CHECK;
void buf_forget_release(struct handle *h, uint64_t count);
/* Blocks of metadata are freed: their buffers leave the transaction and the cache without being
 * written, and a journal replays no older copy of them. After buf_forget_reserve(). */
void buf_forget(struct handle *h, uint64_t block, uint64_t count);

/*
 * Calls fn(ctx) exactly once when the transaction of h is on the medium (or has failed, err < 0),
 * for freed blocks that may be given out again, discards, ... fn takes only leaf locks.
 */
int txn_on_commit(struct handle *h, void (*fn)(void *ctx, int err), void *ctx) MUST_CHECK;

/* How many blocks were changed beyond the credits of their handles: 0 unless a caller counts wrong. */
uint64_t txn_overdrawn(struct e4_fs *fs);
uint64_t txn_running_id(struct e4_fs *fs);
/* Returns when transaction id (and all before) is on the medium; commits it if need be. Callers
 * share one commit. Data written before the call is flushed too. Not under a handle. */
int txn_commit(struct e4_fs *fs, uint64_t id) MUST_CHECK;

/* From now on (NULL: no longer) transactions go through the journal, which is the caller's. No
 * handle is open and nothing is dirty. */
void txn_set_journal(struct e4_fs *fs, struct journal *journal);
/* Commits, and brings all that the journal holds to its place. */
int txn_drain(struct e4_fs *fs) MUST_CHECK;

int txn_start(struct e4_fs *fs) MUST_CHECK; /* at mount: manager and interval thread */
int txn_stop(struct e4_fs *fs) MUST_CHECK;  /* at unmount: commits, ends the thread, frees */

#endif
