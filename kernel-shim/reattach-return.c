/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a drive that was pulled out comes back: the thread that lives from AWAY to HERE or LOST. What
 * holds is in reattach.c. */
#include <errno.h>

#include "base/clock.h"
#include "kernel-shim/reattach-state.h"

static void event(struct reattach *ra, enum reattach_event what, int err)
{
	ra->params.ops->event(ra->params.ctx, what, err);
}

int64_t reattach_ms_until(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (t->tv_sec - now.tv_sec) * 1000 + (t->tv_nsec - now.tv_nsec) / 1000000;
}

/* ---- coming back --------------------------------------------------------------------------- */

/* A device that may be the drive. Alone with it; the lock is not held. */
static int try_candidate(struct reattach *ra, struct blkdev *dev, struct lost *lost)
{
	int r;

	if (dev->size_bytes != ra->dev.size_bytes || (dev->read_only && !ra->dev.read_only))
		return -SDE_DRIVE_CHANGED;
	r = sentinels_check(ra->sentinels, dev, ra->held);
	return r < 0 ? r : reattach_rewrite(ra, dev, lost);
}

static void refuse(struct reattach *ra, int err)
{
	bool news;

	pthread_mutex_lock(&ra->lock);
	news = ra->refused != err;
	ra->refused = err;
	pthread_mutex_unlock(&ra->lock);
	if (news)
		event(ra, REATTACH_REFUSED, err);
}

/* One look around. */
static int look_for_it(struct reattach *ra, struct blkdev **ret_dev, struct lost *ret_lost)
{
	for (unsigned n = 0;; n++) {
		CLEANUP_BLKDEV struct blkdev *dev = NULL;
		struct lost lost = {0};
		bool sure;
		int r = ra->params.ops->candidate(ra->params.ctx, n, &dev);

		if (r == -ENOENT)
			return r;
		if (r == -EACCES || r <= -SDE_FIRST)
			refuse(ra, r);
		if (r < 0)
			continue;
		sure = r > 0;
		r = try_candidate(ra, dev, &lost);
		if (r == -SDE_DRIVE_CHANGED && sure)
			refuse(ra, r);
		if (r < 0) {
			lost_clear(&lost);
			continue;
		}
		ra->params.ops->accepted(ra->params.ctx, n, dev);
		*ret_dev = take_ptr(dev);
		*ret_lost = lost;
		return 0;
	}
}

/* Until the next look, or the end; false: it is over. */
static bool pause_looking(struct reattach *ra)
{
	struct timespec until = clock_after_ms(ra->params.poll_ms);
	bool go_on;

	pthread_mutex_lock(&ra->lock);
	while (!ra->given_up && reattach_ms_until(&ra->deadline) > 0)
		if (pthread_cond_timedwait(&ra->changed, &ra->lock, &until) == ETIMEDOUT)
			break;
	go_on = !ra->given_up && reattach_ms_until(&ra->deadline) > 0;
	pthread_mutex_unlock(&ra->lock);
	return go_on;
}

static bool is_given_up(struct reattach *ra)
{
	bool given_up;

	pthread_mutex_lock(&ra->lock);
	given_up = ra->given_up;
	pthread_mutex_unlock(&ra->lock);
	return given_up;
}

/* Invariant 7. */
static void close_lower(struct reattach *ra)
{
	struct blkdev *lower;

	pthread_mutex_lock(&ra->lock);
	while (ra->active > 0)
		pthread_cond_wait(&ra->changed, &ra->lock);
	lower = take_ptr(ra->lower);
	pthread_mutex_unlock(&ra->lock);
	blkdev_close(lower);
}

static void forget(void *ctx, const struct held_write *write)
{
}

void *reattach_return_main(void *arg)
{
	struct reattach *ra = arg;
	struct blkdev *dev = NULL;
	struct lost lost = {0};
	bool found = false;

	close_lower(ra);
	if (!is_given_up(ra)) {
		event(ra, REATTACH_AWAY, 0);
		do
			found = look_for_it(ra, &dev, &lost) == 0;
		while (!found && pause_looking(ra));
	}
	event(ra, found ? REATTACH_BACK : REATTACH_LOST, 0);

	pthread_mutex_lock(&ra->lock);
	ra->lower = dev;
	lost_move(&ra->lost, &lost);
	if (found && ra->held)
		reattach_all_flushed(ra);
	else if (ra->held)
		held_drop(ra->held, held_begin_flush(ra->held), forget, NULL);
	ra->state = found ? HERE : LOST;
	pthread_cond_broadcast(&ra->changed);
	pthread_mutex_unlock(&ra->lock);
	return NULL;
}
