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
 * Lock: manager->lock, a leaf but for the cache's lock; never held over I/O.
 */
#include "ext4/txn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "ext4/commit.h"
#include "ext4/super.h"

enum {
	DEFAULT_COMMIT_MS = 5000,
	/* FUSE does not pass sync(2) on: what is quiet for so long is committed early, so that little
	 * is missing when somebody syncs and pulls the drive. */
	QUIET_MS = 500,
};

struct callback {
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
	unsigned open_handles;
	uint64_t handles_begun;
	bool closing, committing, kicked, stop;
	struct list callbacks; /* of the running transaction */
	pthread_t thread;
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

uint64_t txn_overdrawn(struct e4_fs *fs)
{
	return atomic_load(&fs->txns->overdrawn);
}

/* ---- handles --------------------------------------------------------------------------- */

int handle_begin(struct e4_fs *fs, unsigned credits, struct handle *ret_handle)
{
	struct txn_manager *m = fs->txns;
	int r = fs_check_writable(fs);

	if (r == 0 && cache_is_full(fs))
		r = txn_commit(fs, txn_running_id(fs));
	if (r < 0)
		return r;
	pthread_mutex_lock(&m->lock);
	while (m->closing)
		pthread_cond_wait(&m->changed, &m->lock);
	m->open_handles++;
	m->handles_begun++;
	*ret_handle = (struct handle){.fs = fs, .txn_id = m->running_id, .credits_left = credits, .active = true};
	pthread_mutex_unlock(&m->lock);
	return 0;
}

void handle_end(struct handle *h)
{
	struct txn_manager *m = h->fs->txns;
	bool pressed;

	assert(h->active);
	h->active = false;
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

int buf_modify(struct handle *h, struct buf *buf)
{
	int err = atomic_load(&h->fs->error);

	assert(h->active);
	if (err < 0)
		return err;
	if (!cache_mark_dirty(h->fs, buf))
		return 0;
	if (h->credits_left > 0)
		h->credits_left--;
	else
		atomic_fetch_add(&h->fs->txns->overdrawn, 1);
	return 0;
}

void buf_forget(struct handle *h, uint64_t block, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		cache_forget(h->fs, block + i);
}

int txn_on_commit(struct handle *h, void (*fn)(void *ctx, int err), void *ctx)
{
	struct txn_manager *m = h->fs->txns;
	struct callback *callback = malloc(sizeof(*callback));

	if (!callback)
		return -ENOMEM;
	callback->fn = fn;
	callback->ctx = ctx;
	pthread_mutex_lock(&m->lock);
	list_add_tail(&m->callbacks, &callback->link);
	pthread_mutex_unlock(&m->lock);
	return 0;
}

/* ---- commit ---------------------------------------------------------------------------- */

static void run_callbacks(struct list *callbacks, int err)
{
	while (!list_empty(callbacks)) {
		struct callback *callback = list_first(callbacks, struct callback, link);

		list_remove(&callback->link);
		callback->fn(callback->ctx, err);
		free(callback);
	}
}

/* No handle is open: collects what the transaction changed, counters of the super block included. */
static int collect(struct e4_fs *fs, uint64_t id, struct commit_list *ret_list)
{
	struct handle h = {.fs = fs, .txn_id = id, .credits_left = 1, .active = true};
	int r = atomic_load(&fs->error);

	if (r == 0 && !e4_is_read_only(fs) && cache_dirty_count(fs) > 0)
		r = super_store(&h);
	if (r == 0)
		r = cache_collect(fs, ret_list);
	if (r < 0 && r != -ENOMEM)
		fs_io_error(fs, r, "commit");
	return r;
}

/*
 * Commits the running transaction. Called with the lock held and `committing` not set; returns with
 * the lock held, having released it in between.
 */
static int commit_running(struct e4_fs *fs)
{
	struct txn_manager *m = fs->txns;
	struct commit_list list = {0};
	struct list callbacks;
	uint64_t id;
	int r;

	m->committing = m->closing = true;
	while (m->open_handles > 0)
		pthread_cond_wait(&m->changed, &m->lock);
	id = m->running_id;
	pthread_mutex_unlock(&m->lock);
	r = collect(fs, id, &list);
	pthread_mutex_lock(&m->lock);
	m->closing = false;
	list_init(&callbacks);
	if (r == -ENOMEM && atomic_load(&fs->error) == 0) {
		/* Nothing was changed: the transaction goes on. */
		m->committing = false;
		pthread_cond_broadcast(&m->changed);
		return r;
	}
	list_splice_tail(&callbacks, &m->callbacks);
	m->running_id++;
	m->kicked = false;
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
	if (r == 0) {
		r = commit_write(fs, &list);
		if (r < 0)
			r = fs_io_error(fs, r, "commit");
	}
	cache_commit_done(fs, &list, r == 0);
	run_callbacks(&callbacks, r);
	pthread_mutex_lock(&m->lock);
	m->committing = false;
	if (r == 0)
		m->committed_id = id;
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
			r = commit_running(fs);
	}
	pthread_mutex_unlock(&m->lock);
	if (r < 0 || flushed)
		return r;
	/* After a flush that failed nobody knows which data is lost: the volume takes no more. */
	r = blkdev_flush(fs->dev);
	return r < 0 ? fs_io_error(fs, r, "flush of file data") : 0;
}

/* ---- the interval thread --------------------------------------------------------------- */

static struct timespec deadline(unsigned ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_nsec -= 1000000000L;
		t.tv_sec++;
	}
	return t;
}

/* Waits for a tick; true when a commit is due: asked for, nothing happened since, or time is up. */
static bool wait_due(struct txn_manager *m, unsigned interval_ms, unsigned *waited_ms)
{
	unsigned tick_ms = interval_ms < QUIET_MS ? interval_ms : QUIET_MS;
	struct timespec until = deadline(tick_ms);
	uint64_t begun = m->handles_begun;

	while (!m->stop && !m->kicked &&
		pthread_cond_timedwait(&m->tick, &m->lock, &until) != ETIMEDOUT)
		;
	*waited_ms += tick_ms;
	return m->kicked || begun == m->handles_begun || *waited_ms >= interval_ms;
}

static void *interval_thread(void *arg)
{
	struct e4_fs *fs = arg;
	struct txn_manager *m = fs->txns;
	unsigned interval_ms = fs->options.commit_ms ? fs->options.commit_ms : DEFAULT_COMMIT_MS;
	unsigned waited_ms = 0;

	pthread_mutex_lock(&m->lock);
	while (!m->stop) {
		if (!wait_due(m, interval_ms, &waited_ms) || m->stop)
			continue;
		waited_ms = 0;
		m->kicked = false;
		/* Errors are sticky in fs->error; whoever waits for data gets them there. */
		if (!m->committing && atomic_load(&fs->error) == 0 && cache_dirty_count(fs) > 0)
			(void)!commit_running(fs);
	}
	pthread_mutex_unlock(&m->lock);
	return NULL;
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
	pthread_cond_destroy(&m->changed);
	pthread_cond_destroy(&m->tick);
	pthread_mutex_destroy(&m->lock);
	free(m);
	fs->txns = NULL;
	return r;
}
