/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Transactions and their commit.
 *
 *	            handle_begin / handle_end              last handle ends           written, flushed
 *	RUNNING  <----- many operations -----> CLOSING  ------------------> COMMITTING ---------------> done
 *	   ^            (txn_commit, interval,    |  no handle begins           |
 *	   |             pressure close it)       |                             |
 *	   +---- the next transaction runs from here, while the old one is written
 *
 * With a journal "done" means: in the log. Checkpoints bring the blocks home later; docs/JOURNAL.md
 * has the whole picture and the reasons.
 *
 * Invariants:
 * 1. There is one running transaction, running_id; at most one older one is being committed, by the
 *    thread that set `committing`. Commits happen in the order of ids.
 * 2. While `closing` no handle begins, and the committing thread waits until none is open; then it
 *    copies all changed blocks. So a commit holds whole operations only.
 * 3. What an operation wrote as file data before its handle ended is flushed before the commit's
 *    metadata is written (commit.c).
 * 4. After the first failure nothing is written any more: fs->error is set, waiters get it, and
 *    commit callbacks get it too.
 *
 * 5. `committing` is also held by whoever checkpoints: neither commits nor checkpoints overlap.
 * 6. The log has room for the running transaction at its largest: it is opened only when that is so
 *    (else the commit before it drains the log first), and it takes no handle that could make it
 *    larger than journal_max_blocks().
 * 7. The tail of the log does not pass `hold` before the running transaction is on the medium: it
 *    has freed blocks whose last committed bytes only the log holds.
 *
 * Lock: manager->lock, a leaf but for the cache's lock; never held over I/O.
 */
#include "ext4/txn-manager.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "ext4/checkpoint.h"
#include "ext4/commit.h"
#include "ext4/journal.h"
#include "ext4/super.h"

enum {
	DEFAULT_COMMIT_MS = 5000,
	/* FUSE does not pass sync(2) on: what is quiet for so long is committed early, so that little
	 * is missing when somebody syncs and pulls the drive. */
	QUIET_MS = 200,
};

uint64_t txn_running_id(struct e4_fs *fs)
{
	struct txn_manager *m = fs->txns;
	uint64_t id;

	pthread_mutex_lock(&m->lock);
	id = m->running_id;
	pthread_mutex_unlock(&m->lock);
	return id;
}

void e4_counts(struct e4_fs *fs, struct e4_counts *ret_counts)
{
	struct txn_manager *m = fs->txns;

	*ret_counts = (struct e4_counts){
		.commits = m->commits,
		.checkpoints = m->checkpoints,
		.commit_waits = m->waits,
	};
	cache_counts(fs, &ret_counts->cache_hits, &ret_counts->cache_misses);
}

uint64_t txn_overdrawn(struct e4_fs *fs)
{
	return atomic_load(&fs->txns->overdrawn);
}

/* ---- commit ---------------------------------------------------------------------------- */

static void run_callbacks(struct list *callbacks, int err)
{
	while (!list_empty(callbacks)) {
		struct txn_callback *callback = list_first(callbacks, struct txn_callback, link);

		list_remove(&callback->link);
		callback->fn(callback->ctx, err);
		free(callback);
	}
}

/* What one commit works on; taken over from the manager when its transaction closes. */
struct commit {
	uint64_t id;
	struct commit_list list;
	struct list callbacks;
	struct revokes revokes;
	bool drain; /* no handle begins before the log is empty */
};

/* No handle is open: collects what the transaction changed, counters of the super block included. */
static int collect(struct e4_fs *fs, struct commit *c)
{
	struct handle h = {.fs = fs, .txn_id = c->id, .credits_left = 1, .active = true};
	uint64_t tid = fs->journal ? fs->journal->next_tid : 0;
	int r = atomic_load(&fs->error);

	atomic_fetch_add(&fs->txns->reserved, 1);
	if (r == 0 && !e4_is_read_only(fs) && cache_dirty_count(fs) > 0)
		r = super_store(&h);
	atomic_fetch_sub(&fs->txns->reserved, h.credits_left);
	if (r == 0)
		r = cache_collect(fs, tid, &c->list);
	if (r < 0 && r != -ENOMEM)
		fs_io_error(fs, r, "commit");
	return r;
}

/* The transaction is c's; the next one runs, though it takes handles only when it will fit. Lock held. */
static void take_over(struct e4_fs *fs, struct commit *c)
{
	struct txn_manager *m = fs->txns;
	struct journal *j = fs->journal;

	list_init(&c->callbacks);
	list_splice_tail(&c->callbacks, &m->callbacks);
	c->revokes = m->revokes;
	m->revokes = (struct revokes){0};
	m->hold = UINT64_MAX;
	m->running_id++;
	m->kicked = false;
	if (j && !journal_fits_another(j, journal_need(j, c->list.count, c->revokes.count)))
		c->drain = true;
	m->closing = c->drain;
	pthread_cond_broadcast(&m->changed);
}

static int write_out(struct e4_fs *fs, struct commit *c)
{
	int r = fs->journal ? journal_commit(fs->journal, &c->list, &c->revokes) :
		commit_write(fs, &c->list);

	return r < 0 ? fs_io_error(fs, r, "commit") : 0;
}

/* `committing` is held, the lock is not. */
static int checkpoint(struct e4_fs *fs)
{
	struct txn_manager *m = fs->txns;
	uint64_t oldest;
	int r = checkpoint_write(fs);

	m->checkpoints++;
	if (r == 0) {
		pthread_mutex_lock(&m->lock);
		oldest = min_u64(m->hold, cache_oldest_logged(fs));
		pthread_mutex_unlock(&m->lock);
		r = journal_move_tail(fs->journal, oldest);
	}
	/* Nothing is lost for want of memory: the next one may succeed. */
	if (r == -ENOMEM)
		return r;
	return r < 0 ? fs_io_error(fs, r, "checkpoint") : 0;
}

static bool checkpoint_wanted(struct e4_fs *fs)
{
	struct journal *j = fs->journal;

	return j && (cache_wants_checkpoint(fs) || journal_free(j) < j->used);
}

int txn_commit_running(struct e4_fs *fs, bool drain)
{
	struct txn_manager *m = fs->txns;
	struct commit c = {.drain = drain && fs->journal};
	int r;

	m->committing = m->closing = true;
	while (m->open_handles > 0)
		pthread_cond_wait(&m->changed, &m->lock);
	c.id = m->running_id;
	pthread_mutex_unlock(&m->lock);
	r = fs->journal ? journal_commit_prepare(fs->journal) : 0;
	r = r < 0 ? r : collect(fs, &c);
	pthread_mutex_lock(&m->lock);
	if (r == -ENOMEM && atomic_load(&fs->error) == 0) {
		/* Nothing was changed: the transaction goes on. */
		m->committing = m->closing = false;
		pthread_cond_broadcast(&m->changed);
		return r;
	}
	take_over(fs, &c);
	pthread_mutex_unlock(&m->lock);
	if (r == 0)
		r = write_out(fs, &c);
	cache_commit_done(fs, &c.list, r == 0);
	run_callbacks(&c.callbacks, r);
	revokes_free(&c.revokes);
	if (r == 0 && c.drain) {
		pthread_mutex_lock(&m->lock);
		m->committed_id = c.id;
		pthread_cond_broadcast(&m->changed);
		pthread_mutex_unlock(&m->lock);
		r = checkpoint(fs);
	}
	pthread_mutex_lock(&m->lock);
	m->committing = m->closing = false;
	if (c.drain)
		m->undrained = r < 0;
	if (r == 0)
		m->committed_id = c.id;
	m->commits++;
	if (r == 0 && checkpoint_wanted(fs) && !m->checkpoint_due) {
		m->checkpoint_due = true;
		pthread_cond_signal(&m->tick);
	}
	pthread_cond_broadcast(&m->changed);
	return r;
}

int txn_commit(struct e4_fs *fs, uint64_t id)
{
	struct txn_manager *m = fs->txns;
	bool flushed;
	int r = 0;

	if (e4_is_read_only(fs))
		return atomic_load(&fs->error);
	pthread_mutex_lock(&m->lock);
	if (id > m->running_id)
		id = m->running_id;
	/* An older transaction's flush may have been under way when the caller's data was written. */
	flushed = id == m->running_id;
	while (r == 0 && m->committed_id < id) {
		r = atomic_load(&fs->error);
		if (r < 0)
			break;
		if (m->committing)
			pthread_cond_wait(&m->changed, &m->lock);
		else
			r = txn_commit_running(fs, false);
	}
	pthread_mutex_unlock(&m->lock);
	if (r < 0 || flushed)
		return r;
	/* After a flush that failed nobody knows which data is lost: the volume takes no more. */
	r = fs_flush(fs);
	return r < 0 ? fs_io_error(fs, r, "flush of file data") : 0;
}

/* ---- the interval thread --------------------------------------------------------------- */

/* Until there may be something to commit. Lock held. */
static void sleep_idle(struct e4_fs *fs)
{
	struct txn_manager *m = fs->txns;

	m->asleep = m->open_handles == 0 && cache_dirty_count(fs) == 0;
	while (m->asleep && !m->stop && !m->kicked && !m->checkpoint_due)
		pthread_cond_wait(&m->tick, &m->lock);
	m->asleep = false;
}

/* Waits for a tick; true when a commit is due: asked for, nothing happened since, or time is up. */
static bool wait_due(struct txn_manager *m, unsigned interval_ms, unsigned *waited_ms)
{
	unsigned tick_ms = interval_ms < QUIET_MS ? interval_ms : QUIET_MS;
	struct timespec until = clock_after_ms(tick_ms);
	uint64_t begun = m->handles_begun;

	while (!m->stop && !m->kicked && !m->checkpoint_due &&
		pthread_cond_timedwait(&m->tick, &m->lock, &until) != ETIMEDOUT)
		;
	*waited_ms += tick_ms;
	return m->kicked || m->checkpoint_due || begun == m->handles_begun ||
		*waited_ms >= interval_ms;
}

/* Lock held. */
static void checkpoint_alone(struct e4_fs *fs)
{
	struct txn_manager *m = fs->txns;

	while (m->committing)
		pthread_cond_wait(&m->changed, &m->lock);
	m->checkpoint_due = false;
	if (!fs->journal || atomic_load(&fs->error) != 0)
		return;
	m->committing = true;
	pthread_mutex_unlock(&m->lock);
	(void)!checkpoint(fs);
	pthread_mutex_lock(&m->lock);
	m->committing = false;
	pthread_cond_broadcast(&m->changed);
}

static void *interval_thread(void *arg)
{
	struct e4_fs *fs = arg;
	struct txn_manager *m = fs->txns;
	unsigned interval_ms = fs->options.commit_ms ? fs->options.commit_ms : DEFAULT_COMMIT_MS;
	unsigned waited_ms = 0;

	pthread_mutex_lock(&m->lock);
	while (!m->stop) {
		sleep_idle(fs);
		if (!wait_due(m, interval_ms, &waited_ms) || m->stop)
			continue;
		if (m->checkpoint_due) {
			checkpoint_alone(fs);
			continue;
		}
		waited_ms = 0;
		m->kicked = false;
		/* Errors are sticky in fs->error; whoever waits for data gets them there. */
		if (!m->committing && atomic_load(&fs->error) == 0 && cache_dirty_count(fs) > 0)
			(void)!txn_commit_running(fs, false);
	}
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

void txn_set_journal(struct e4_fs *fs, struct journal *journal)
{
	pthread_mutex_lock(&fs->txns->lock);
	fs->journal = journal;
	pthread_mutex_unlock(&fs->txns->lock);
}

int txn_drain(struct e4_fs *fs)
{
	struct txn_manager *m = fs->txns;
	int r = atomic_load(&fs->error);

	pthread_mutex_lock(&m->lock);
	while (m->committing)
		pthread_cond_wait(&m->changed, &m->lock);
	if (r == 0)
		r = txn_commit_running(fs, true);
	pthread_mutex_unlock(&m->lock);
	return r;
}

int txn_start(struct e4_fs *fs)
{
	struct txn_manager *m = calloc(1, sizeof(*m));
	pthread_condattr_t attr;

	if (!m)
		return -ENOMEM;
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->changed, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&m->tick, &attr);
	pthread_condattr_destroy(&attr);
	list_init(&m->callbacks);
	m->running_id = 1;
	m->hold = UINT64_MAX;
	fs->txns = m;
	if (pthread_create(&m->thread, NULL, interval_thread, fs) != 0) {
		fs->txns = NULL;
		free(m);
		return -EAGAIN;
	}
	return 0;
}

int txn_stop(struct e4_fs *fs)
{
	struct txn_manager *m = fs->txns;
	int r;

	if (!m)
		return 0;
	r = txn_commit(fs, txn_running_id(fs));
	pthread_mutex_lock(&m->lock);
	m->stop = true;
	pthread_cond_signal(&m->tick);
	pthread_mutex_unlock(&m->lock);
	pthread_join(m->thread, NULL);
	/* Left only when the volume failed: nothing of it will ever be on the medium. */
	run_callbacks(&m->callbacks, r < 0 ? r : -EIO);
	revokes_free(&m->revokes);
	pthread_cond_destroy(&m->changed);
	pthread_cond_destroy(&m->tick);
	pthread_mutex_destroy(&m->lock);
	free(m);
	fs->txns = NULL;
	return r;
}
