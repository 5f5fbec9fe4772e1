/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 *	          a call finds it gone           found, unchanged, all held writes flushed
 *	HERE  ------------------------> AWAY ------------------------------------------------> HERE
 *	 | ^                             |  time is over, given up
 *	 | |  all held writes flushed,   +----------------------------------------------------> LOST
 *	 | |  or known to be lost
 *	 v |
 *	MENDING (a flush failed, but the drive is there)  --- it has gone after all ----------> AWAY
 *
 * 1. A write is held before it is issued, and until a flush that began after it returned has
 *    succeeded: what an unplugged drive had in its cache is lost. So at any time the medium shows of each
 *    sector what the last flush left there, or what one of the held writes makes of it.
 * 2. Held writes are written again in the order in which they were made, all of them, before anything
 *    else happens on the drive. Nobody else calls the lower device then: callers wait at the door (HERE
 *    only), and those inside have left (active is 0).
 * 3. A caller whose write failed because the drive had gone returns when it is HERE again: then it has
 *    been written, and flushed. Reads are done again.
 * 4. A device that comes back is written to only after its sentinels were found as they were left.
 * 5. LOST is final. Nothing is held then, and every call fails at once.
 * 6. What was neither written nor taken back by a failed call is in `lost`, and makes every flush
 *    fail until somebody has taken it over with blkdev_lost(); and none succeeds before he knows all.
 * 7. The old device is closed before the drive is looked for: its lock and the host's file system are free.
 *
 * The thread that brings the drive back lives from AWAY to HERE or LOST; one at a time.
 *
 * Lock: `lock`, a leaf; not held over I/O but in watch(). held, sentinels and lost are under it, or belong
 * to whoever is alone with the lower device (2).
 */
#include "kernel-shim/reattach.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "kernel-shim/reattach-state.h"

enum {
	HOLD_BYTES = 64 * 1024 * 1024,
	POLL_MS = 500,
	SUSPECT_MS = 1500,
	SUSPECT_STEPS = 30,
	ROOM_MS = 20,
};

static struct reattach *reattach_of(struct blkdev *dev)
{
	return container_of(dev, struct reattach, dev);
}

/* Until something changes, at most ms. Lock held. */
static void pause_ms(struct reattach *ra, unsigned ms)
{
	struct timespec until = clock_after_ms(ms);

	pthread_cond_timedwait(&ra->changed, &ra->lock, &until);
}

/* ---- being gone ---------------------------------------------------------------------------- */

/* Lock held. */
static void set_away(struct reattach *ra)
{
	if (ra->state == AWAY || ra->state == LOST)
		return;
	if (ra->has_thread)
		pthread_join(ra->thread, NULL); /* it has set HERE as its last deed */
	ra->has_thread = false;
	ra->refused = 0;
	ra->given_up = ra->grace_ms == 0;
	ra->deadline = clock_after_ms(ra->grace_ms);
	ra->state = AWAY;
	if (pthread_create(&ra->thread, NULL, reattach_return_main, ra) == 0)
		ra->has_thread = true;
	else
		ra->state = LOST;
	pthread_cond_broadcast(&ra->changed);
}

/* These are about something else than whether the drive is there. */
static bool is_harmless(int err)
{
	switch (err) {
	case -ENOSPC:
	case -EDQUOT:
	case -ENOMEM:
	case -EINVAL:
	case -EFBIG:
	case -EOPNOTSUPP:
		return true;
	default:
		return err >= 0;
	}
}

/* dev is not one that is being tried. */
static bool somebody_knows(struct reattach *ra, const struct blkdev *dev)
{
	bool known;

	pthread_mutex_lock(&ra->lock);
	known = ra->lower == dev && (ra->state == AWAY || ra->state == LOST);
	pthread_mutex_unlock(&ra->lock);
	return known;
}

/* The kernel fails the calls first, and then takes the device away: patient waits for that. */
static bool has_gone(void *ctx, struct blkdev *dev, int err, bool patient)
{
	struct reattach *ra = ctx;
	const struct timespec step = {.tv_nsec = ra->params.suspect_ms * 1000000L / SUSPECT_STEPS};

	if (is_harmless(err))
		return false;
	if (err == -ENODEV || ra->params.ops->is_gone(ra->params.ctx, dev))
		return true;
	for (int i = 0; patient && i < SUSPECT_STEPS; i++) {
		nanosleep(&step, NULL);
		if (ra->params.ops->is_gone(ra->params.ctx, dev) || somebody_knows(ra, dev))
			return true;
	}
	return false;
}

/* ---- calls --------------------------------------------------------------------------------- */

/* Lock held. 0: HERE. */
static int wait_here(struct reattach *ra)
{
	while (ra->state == AWAY || ra->state == MENDING)
		pthread_cond_wait(&ra->changed, &ra->lock);
	return ra->state == LOST ? -ENODEV : 0;
}

/* Lock held. */
static void leave(struct reattach *ra)
{
	if (--ra->active == 0)
		pthread_cond_broadcast(&ra->changed);
}

static int call_begin(struct reattach *ra)
{
	int r;

	pthread_mutex_lock(&ra->lock);
	r = wait_here(ra);
	if (r == 0)
		ra->active++;
	pthread_mutex_unlock(&ra->lock);
	return r;
}

/* err is what the call has failed with; whether the drive was gone, so that it must be made again. */
static bool call_end(struct reattach *ra, int err)
{
	bool gone = has_gone(ra, ra->lower, err, true);

	pthread_mutex_lock(&ra->lock);
	if (gone)
		set_away(ra);
	leave(ra);
	pthread_mutex_unlock(&ra->lock);
	return gone;
}

static int reattach_read_to(struct blkdev *dev, void *buf, blkdev_take_fn fn, void *ctx, size_t len,
	uint64_t off)
{
	struct reattach *ra = reattach_of(dev);
	int r;

	do {
		r = call_begin(ra);
		if (r < 0)
			return r;
		r = blkdev_read_to(ra->lower, buf, fn, ctx, len, off);
	} while (call_end(ra, r));
	return r;
}

static int reattach_discard(struct blkdev *dev, uint64_t off, uint64_t len)
{
	struct reattach *ra = reattach_of(dev);
	int r;

	do {
		r = call_begin(ra);
		if (r < 0)
			return r;
		r = blkdev_discard(ra->lower, off, len);
	} while (call_end(ra, r));
	return r;
}

static int reattach_refresh(struct blkdev *dev, size_t len, uint64_t off)
{
	struct reattach *ra = reattach_of(dev);
	int r;

	do {
		r = call_begin(ra);
		if (r < 0)
			return r;
		r = blkdev_refresh(ra->lower, len, off);
	} while (call_end(ra, r));
	return r;
}

/* ---- flushing ------------------------------------------------------------------------------ */

static void settle(void *ctx, const struct held_write *write)
{
	struct reattach *ra = ctx;

	sentinels_settle(ra->sentinels, write);
}

void reattach_all_flushed(struct reattach *ra)
{
	held_drop(ra->held, held_begin_flush(ra->held), settle, ra);
	ra->flushed = ra->flushes_begun;
}

static void forget_error(void *ctx, struct blkdev *dev)
{
	struct reattach *ra = ctx;

	ra->params.ops->forget_error(ra->params.ctx, dev);
}

int reattach_rewrite(struct reattach *ra, struct blkdev *dev, struct lost *lost)
{
	struct rewrite rewrite = {
		.dev = dev,
		.has_gone = has_gone,
		.forget_error = forget_error,
		.ctx = ra,
		.lost = lost,
	};

	return ra->held ? rewrite_all(&rewrite, ra->held) : 0;
}

/* Lock held; it is released in between. */
static void mend(struct reattach *ra)
{
	struct lost lost = {0};
	int r;

	if (ra->state != HERE)
		return;
	ra->state = MENDING;
	while (ra->active > 0)
		pthread_cond_wait(&ra->changed, &ra->lock);
	if (ra->state != MENDING)
		return;
	pthread_mutex_unlock(&ra->lock);
	r = reattach_rewrite(ra, ra->lower, &lost);
	pthread_mutex_lock(&ra->lock);
	if (r == -ENODEV) {
		lost_clear(&lost);
		set_away(ra);
		return;
	}
	lost_move(&ra->lost, &lost);
	ra->lost.anything |= r < 0;
	reattach_all_flushed(ra);
	ra->state = HERE;
	pthread_cond_broadcast(&ra->changed);
}

/* HERE, nobody else is flushing; lock held, and released in between. */
static void flush_once(struct reattach *ra)
{
	uint64_t mine = ++ra->flushes_begun, number = held_begin_flush(ra->held);
	bool gone;
	int r;

	ra->flushing = true;
	ra->active++;
	pthread_mutex_unlock(&ra->lock);
	r = blkdev_flush(ra->lower);
	gone = has_gone(ra, ra->lower, r, true);
	pthread_mutex_lock(&ra->lock);
	if (gone)
		set_away(ra);
	leave(ra);
	if (r == 0) {
		held_drop(ra->held, number, settle, ra);
		ra->flushed = max_u64(ra->flushed, mine);
	} else if (!gone) {
		mend(ra);
	}
	ra->flushing = false;
	pthread_cond_broadcast(&ra->changed);
}

static int reattach_flush(struct blkdev *dev)
{
	struct reattach *ra = reattach_of(dev);
	uint64_t wanted;
	int r;

	if (!ra->held)
		return 0;
	pthread_mutex_lock(&ra->lock);
	wanted = ra->flushes_begun + 1;
	while ((r = wait_here(ra)) == 0 && (ra->flushed < wanted || ra->telling > 0)) {
		if (ra->flushing || ra->flushed >= wanted)
			pthread_cond_wait(&ra->changed, &ra->lock);
		else
			flush_once(ra);
	}
	if (r == 0 && !lost_is_empty(&ra->lost))
		r = -EIO;
	pthread_mutex_unlock(&ra->lock);
	return r;
}

static int reattach_lost(struct blkdev *dev, blkdev_lost_fn fn, void *ctx)
{
	struct reattach *ra = reattach_of(dev);
	struct lost lost;

	pthread_mutex_lock(&ra->lock);
	lost = ra->lost;
	ra->lost = (struct lost){0};
	ra->telling++;
	pthread_mutex_unlock(&ra->lock);
	lost_tell(&lost, fn, ctx);
	lost_clear(&lost);
	pthread_mutex_lock(&ra->lock);
	ra->telling--;
	pthread_cond_broadcast(&ra->changed);
	pthread_mutex_unlock(&ra->lock);
	return 0;
}

/* ---- writing ------------------------------------------------------------------------------- */

/* HERE and a place for the beginning of the write. Lock held; it is released in between. */
static int hold(struct reattach *ra, size_t len, uint64_t off, uint32_t owner,
	struct held_write **ret_write, struct held_era **ret_era)
{
	bool full = false, tried = false;
	int r;

	while ((r = wait_here(ra)) == 0) {
		if ((full || held_is_pressed(ra->held)) && !ra->flushing && !tried) {
			tried = true;
			flush_once(ra);
			continue;
		}
		*ret_write = held_add(ra->held, len, off, owner, ret_era);
		if (*ret_write)
			return 0;
		full = true;
		/* A flush under way will make room; one that is over has not, for writes under way. */
		if (ra->flushing || tried)
			pause_ms(ra, ROOM_MS);
		tried = false;
	}
	return r;
}

/* Without data there is nothing to be written, now or later. */
static int cancel_piece(struct reattach *ra, struct held_era *era, struct held_write *write, int err)
{
	pthread_mutex_lock(&ra->lock);
	held_cancel(era, write);
	leave(ra);
	pthread_mutex_unlock(&ra->lock);
	return err;
}

/* What of a write is left: len bytes to off, from its byte at on. */
struct piece {
	blkdev_fill_fn fill;
	void *ctx;
	size_t at, len;
	uint64_t off;
};

/* *ret_len: how much of it was written, one way or the other. */
static int write_piece(struct reattach *ra, const struct piece *piece, uint32_t owner, size_t *ret_len)
{
	struct blkdev_write how = {.owner = owner};
	struct held_write *write;
	struct held_era *era;
	bool gone;
	int r;

	pthread_mutex_lock(&ra->lock);
	r = hold(ra, piece->len, piece->off, owner, &write, &era);
	if (r == 0)
		ra->active++;
	pthread_mutex_unlock(&ra->lock);
	if (r < 0)
		return r;
	r = piece->fill(piece->ctx, write->data, write->len, piece->at);
	if (r < 0)
		return cancel_piece(ra, era, write, r);
	*ret_len = write->len;
	r = blkdev_write_how(ra->lower, write->data, write->len, write->off, &how);
	gone = has_gone(ra, ra->lower, r, true);
	pthread_mutex_lock(&ra->lock);
	held_wrote(era);
	if (gone)
		set_away(ra);
	leave(ra);
	/* Invariant 3. */
	if (gone)
		r = wait_here(ra);
	pthread_mutex_unlock(&ra->lock);
	return r;
}

static int reattach_write_from(struct blkdev *dev, blkdev_fill_fn fill, void *ctx, size_t len,
	uint64_t off, const struct blkdev_write *how)
{
	struct piece piece = {.fill = fill, .ctx = ctx, .len = len, .off = off};
	size_t n = 0;
	int r = 0;

	for (; r == 0 && piece.len > 0; piece.at += n, piece.off += n, piece.len -= n)
		r = write_piece(reattach_of(dev), &piece, how->owner, &n);
	return r;
}

static int reattach_watch(struct blkdev *dev, uint64_t len, uint64_t off)
{
	struct reattach *ra = reattach_of(dev);
	int r = reattach_flush(dev);

	if (r < 0)
		return r;
	r = call_begin(ra);
	if (r < 0)
		return r;
	pthread_mutex_lock(&ra->lock);
	r = sentinels_add(ra->sentinels, ra->lower, len, off);
	pthread_mutex_unlock(&ra->lock);
	call_end(ra, r);
	return r;
}

void reattach_set_grace(struct blkdev *dev, unsigned grace_ms)
{
	struct reattach *ra = reattach_of(dev);

	pthread_mutex_lock(&ra->lock);
	ra->grace_ms = grace_ms;
	pthread_mutex_unlock(&ra->lock);
}

void reattach_give_up(struct blkdev *dev)
{
	struct reattach *ra = reattach_of(dev);

	pthread_mutex_lock(&ra->lock);
	if (ra->state == AWAY) {
		ra->given_up = true;
		pthread_cond_broadcast(&ra->changed);
	}
	pthread_mutex_unlock(&ra->lock);
}

void reattach_get_state(struct blkdev *dev, struct reattach_state *ret_state)
{
	struct reattach *ra = reattach_of(dev);
	int64_t left;

	pthread_mutex_lock(&ra->lock);
	left = reattach_ms_until(&ra->deadline);
	*ret_state = (struct reattach_state){
		.away = ra->state == AWAY,
		.lost = ra->state == LOST,
		.seconds_left = ra->state == AWAY && left > 0 ? (unsigned)((left + 999) / 1000) : 0,
		.refused = ra->state == AWAY ? ra->refused : 0,
	};
	pthread_mutex_unlock(&ra->lock);
}

/* ---- making and ending --------------------------------------------------------------------- */

static void reattach_free(struct reattach *ra)
{
	held_free(ra->held);
	sentinels_free(ra->sentinels);
	lost_clear(&ra->lost);
	pthread_cond_destroy(&ra->changed);
	pthread_mutex_destroy(&ra->lock);
	free(ra);
}

static void reattach_close(struct blkdev *dev)
{
	struct reattach *ra = reattach_of(dev);

	reattach_give_up(dev);
	if (ra->has_thread)
		pthread_join(ra->thread, NULL);
	blkdev_close(ra->lower);
	reattach_free(ra);
}

static const struct blkdev_ops reattach_blkdev_ops = {
	.read_to = reattach_read_to,
	.write_from = reattach_write_from,
	.flush = reattach_flush,
	.discard = reattach_discard,
	.refresh = reattach_refresh,
	.lost = reattach_lost,
	.watch = reattach_watch,
	.close = reattach_close,
};

static void fill_defaults(struct reattach_params *params)
{
	if (!params->poll_ms)
		params->poll_ms = POLL_MS;
	if (!params->suspect_ms)
		params->suspect_ms = SUSPECT_MS;
	if (!params->hold_bytes)
		params->hold_bytes = HOLD_BYTES;
}

int reattach_new(struct blkdev *lower, const struct reattach_params *params, struct blkdev **ret_dev)
{
	struct reattach *ra = calloc(1, sizeof(*ra));
	pthread_condattr_t attr;
	int r;

	if (!ra)
		return -ENOMEM;
	ra->dev = *lower;
	ra->dev.ops = &reattach_blkdev_ops;
	ra->params = *params;
	fill_defaults(&ra->params);
	pthread_mutex_init(&ra->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&ra->changed, &attr);
	pthread_condattr_destroy(&attr);
	r = sentinels_new(&ra->sentinels);
	if (r == 0 && !lower->read_only)
		r = held_new(ra->params.hold_bytes, &ra->held);
	if (r < 0) {
		reattach_free(ra);
		return r;
	}
	ra->lower = lower;
	*ret_dev = &ra->dev;
	return 0;
}
