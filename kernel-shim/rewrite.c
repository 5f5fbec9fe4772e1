/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A flush that failed does not say what it was about. So everything is written and flushed again, and if
 * that fails, each half of it, down to single writes. Every write is written after all that were made
 * before it: halves are taken in order, so a place that is written several times ends with the last
 * one that the drive takes.
 */
#include "kernel-shim/rewrite.h"

#include <errno.h>
#include <stdlib.h>

enum { WAITS_MAX = 4 };

/* ---- what is lost -------------------------------------------------------------------------- */

void lost_clear(struct lost *lost)
{
	free(lost->ranges);
	*lost = (struct lost){0};
}

bool lost_is_empty(const struct lost *lost)
{
	return lost->count == 0 && !lost->anything;
}

static void lost_add(struct lost *lost, const struct blkdev_lost *range)
{
	if (lost->count == lost->room) {
		size_t room = lost->room ? 2 * lost->room : 16;
		struct blkdev_lost *more = realloc(lost->ranges, room * sizeof(*more));

		if (!more) {
			lost->anything = true;
			return;
		}
		lost->ranges = more;
		lost->room = room;
	}
	lost->ranges[lost->count++] = *range;
}

void lost_move(struct lost *to, struct lost *from)
{
	to->anything |= from->anything;
	for (size_t i = 0; i < from->count; i++)
		lost_add(to, &from->ranges[i]);
	lost_clear(from);
}

void lost_tell(const struct lost *lost, blkdev_lost_fn fn, void *ctx)
{
	for (size_t i = 0; i < lost->count; i++)
		fn(ctx, &lost->ranges[i]);
	if (lost->anything)
		fn(ctx, &(struct blkdev_lost){.len = UINT64_MAX});
}

/* ---- writing ------------------------------------------------------------------------------- */

struct batch {
	const struct held_write **writes;
	size_t count;
};

static int collect(void *ctx, const struct held_write *write)
{
	struct batch *batch = ctx;

	batch->writes[batch->count++] = write;
	return 0;
}

static int write_and_flush(const struct rewrite *rw, const struct held_write **writes, size_t count)
{
	int r = 0, flushed;

	rw->forget_error(rw->ctx, rw->dev);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = blkdev_write(rw->dev, writes[i]->data, writes[i]->len, writes[i]->off);
	/* Also after a failure: what is under way would be found by the flush of others, and blamed on them. */
	flushed = blkdev_flush(rw->dev);
	return r < 0 ? r : flushed;
}

static void give_up(const struct rewrite *rw, const struct held_write *write)
{
	/* The next flush is not about it. */
	rw->forget_error(rw->ctx, rw->dev);
	lost_add(rw->lost,
		&(struct blkdev_lost){.off = write->off, .len = write->len, .owner = write->owner});
}

/* Being sure takes a while: a drive full of bad sectors is not asked about each. */
static bool has_gone(struct rewrite *rw, int err, bool sure)
{
	bool patient = sure && rw->waits < WAITS_MAX;

	rw->waits += patient;
	return err == -ENODEV || rw->has_gone(rw->ctx, rw->dev, err, patient);
}

static int rewrite_some(struct rewrite *rw, const struct held_write **writes, size_t count)
{
	size_t half = count / 2;
	int r = write_and_flush(rw, writes, count);

	if (r == 0)
		return 0;
	if (has_gone(rw, r, count <= 1 || rw->waits == 0))
		return -ENODEV;
	if (count == 0) /* the drive cannot even flush nothing */
		rw->lost->anything = true;
	if (count == 1)
		give_up(rw, writes[0]);
	if (count <= 1)
		return 0;
	r = rewrite_some(rw, writes, half);
	return r < 0 ? r : rewrite_some(rw, writes + half, count - half);
}

int rewrite_all(struct rewrite *rewrite, const struct held *held)
{
	CLEANUP_FREE const struct held_write **writes = calloc(held_count(held) + 1, sizeof(*writes));
	struct batch batch = {.writes = writes};

	if (!writes)
		return -ENOMEM;
	(void)!held_each(held, collect, &batch);
	return rewrite_some(rewrite, writes, batch.count);
}
