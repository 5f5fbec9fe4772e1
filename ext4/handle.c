/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Handles: what an operation changes as a part of the running transaction, and whether there is room for it.
 * They keep invariants 2 and 6 of ext4/txn.c from their side: none begins while a transaction closes, and none
 * that could make it larger than the log takes.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "ext4/journal.h"
#include "ext4/txn-manager.h"

/* Whether the running transaction may grow by so many blocks. What is larger than any transaction
 * may try its luck alone: credits are upper bounds. */
static bool fits(struct e4_fs *fs, unsigned credits)
{
	struct txn_manager *m = fs->txns;
	int64_t reserved = atomic_load(&m->reserved);
	uint64_t taken;

	if (!fs->journal)
		return true;
	if (m->undrained)
		return false;
	taken = cache_dirty_count(fs) + (reserved > 0 ? (uint64_t)reserved : 0);
	if (m->revokes.count)
		taken += journal_need(fs->journal, 0, m->revokes.count);
	return taken == 0 || taken + credits <= journal_max_blocks(fs->journal);
}

/* Until the running transaction takes handles, and has room. Lock held. */
static int wait_room(struct e4_fs *fs, unsigned credits)
{
	struct txn_manager *m = fs->txns;
	int r = 0;

	while (r == 0) {
		if (m->closing || (m->committing && !fits(fs, credits))) {
			m->waits++;
			pthread_cond_wait(&m->changed, &m->lock);
		} else if (!fits(fs, credits)) {
			r = txn_commit_running(fs, m->undrained);
		} else {
			break;
		}
		if (r == 0)
			r = fs_check_writable(fs);
	}
	return r;
}

/* Commits and checkpoints until the cache has room again. */
static int relieve(struct e4_fs *fs)
{
	struct txn_manager *m = fs->txns;
	int r = 0;

	pthread_mutex_lock(&m->lock);
	while (r == 0 && cache_is_full(fs)) {
		if (m->committing)
			pthread_cond_wait(&m->changed, &m->lock);
		else
			r = txn_commit_running(fs, true);
	}
	pthread_mutex_unlock(&m->lock);
	return r;
}

int handle_begin(struct e4_fs *fs, unsigned credits, struct handle *ret_handle)
{
	struct txn_manager *m = fs->txns;
	int r = fs_check_writable(fs);

	if (r == 0 && cache_is_full(fs))
		r = relieve(fs);
	if (r < 0)
		return r;
	pthread_mutex_lock(&m->lock);
	r = wait_room(fs, credits);
	if (r == 0) {
		m->open_handles++;
		m->handles_begun++;
		if (m->asleep) {
			m->asleep = false;
			pthread_cond_signal(&m->tick);
		}
		atomic_fetch_add(&m->reserved, credits);
		*ret_handle = (struct handle){
			.fs = fs, .txn_id = m->running_id, .credits_left = credits, .active = true};
	}
	pthread_mutex_unlock(&m->lock);
	return r;
}

unsigned handle_credits_max(struct e4_fs *fs)
{
	return fs->journal ? journal_max_blocks(fs->journal) : UINT_MAX;
}

void handle_end(struct handle *h)
{
	struct txn_manager *m = h->fs->txns;
	bool pressed;

	assert(h->active);
	h->active = false;
	atomic_fetch_sub(&m->reserved, h->credits_left);
	pressed = cache_is_pressed(h->fs);
	pthread_mutex_lock(&m->lock);
	if (--m->open_handles == 0 && m->closing)
		pthread_cond_broadcast(&m->changed);
	if (pressed && !m->kicked) {
		m->kicked = true;
		pthread_cond_signal(&m->tick);
	}
	pthread_mutex_unlock(&m->lock);
}

/* A block that was freed in this transaction and is metadata again keeps its new copy in the log. */
static void unrevoke(struct txn_manager *m, uint64_t block)
{
	pthread_mutex_lock(&m->lock);
	revokes_remove(&m->revokes, block);
	pthread_mutex_unlock(&m->lock);
}

int buf_modify(struct handle *h, struct buf *buf)
{
	struct txn_manager *m = h->fs->txns;
	int err = atomic_load(&h->fs->error);

	assert(h->active);
	if (err < 0)
		return err;
	if (!cache_mark_dirty(h->fs, buf))
		return 0;
	if (h->fs->journal)
		unrevoke(m, buf->block);
	if (h->credits_left > 0) {
		h->credits_left--;
		atomic_fetch_sub(&m->reserved, 1);
	} else {
		atomic_fetch_add(&m->overdrawn, 1);
	}
	return 0;
}

int buf_forget_reserve(struct handle *h, uint64_t count)
{
	struct txn_manager *m = h->fs->txns;
	int r;

	if (!h->fs->journal)
		return 0;
	pthread_mutex_lock(&m->lock);
	r = revokes_reserve(&m->revokes, (size_t)count);
	pthread_mutex_unlock(&m->lock);
	return r;
}

void buf_forget_release(struct handle *h, uint64_t count)
{
	struct txn_manager *m = h->fs->txns;

	if (!h->fs->journal)
		return;
	pthread_mutex_lock(&m->lock);
	revokes_release(&m->revokes, (size_t)count);
	pthread_mutex_unlock(&m->lock);
}

/* One lock over both: a checkpoint must see the block in the cache or its transaction in hold. */
void buf_forget(struct handle *h, uint64_t block, uint64_t count)
{
	struct txn_manager *m = h->fs->txns;

	pthread_mutex_lock(&m->lock);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t tid = cache_forget(h->fs, block + i);

		if (!h->fs->journal)
			continue;
		if (tid)
			m->hold = min_u64(m->hold, tid);
		revokes_add(&m->revokes, block + i, 0);
	}
	pthread_mutex_unlock(&m->lock);
}

int txn_on_commit(struct handle *h, void (*fn)(void *ctx, int err), void *ctx)
{
	struct txn_manager *m = h->fs->txns;
	struct txn_callback *callback = malloc(sizeof(*callback));

	if (!callback)
		return -ENOMEM;
	callback->fn = fn;
	callback->ctx = ctx;
	pthread_mutex_lock(&m->lock);
	list_add_tail(&m->callbacks, &callback->link);
	pthread_mutex_unlock(&m->lock);
	return 0;
}
