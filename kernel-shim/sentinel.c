/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A medium that lost power holds of each sector what the last flush left there, or what any later
 * write made of it: drives write whole sectors, but in any order. So each sector is judged by itself.
 */
#include "kernel-shim/sentinel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/list.h"

enum { SECTOR = 512 };

struct sentinel {
	struct list link;
	uint64_t off;
	size_t len;
	uint8_t content[]; /* after the last flush */
};

struct sentinels {
	struct list list;
};

int sentinels_new(struct sentinels **ret_sentinels)
{
	struct sentinels *s = malloc(sizeof(*s));

	if (!s)
		return -ENOMEM;
	list_init(&s->list);
	*ret_sentinels = s;
	return 0;
}

void sentinels_free(struct sentinels *sentinels)
{
	struct list *pos, *tmp;

	if (!sentinels)
		return;
	list_for_each_safe(pos, tmp, &sentinels->list)
		free(list_entry(pos, struct sentinel, link));
	free(sentinels);
}

int sentinels_add(struct sentinels *sentinels, struct blkdev *dev, uint64_t len, uint64_t off)
{
	uint64_t first = round_down_u64(off, SECTOR);
	uint64_t end = min_u64(round_up_u64(off + len, SECTOR), dev->size_bytes);
	struct sentinel *s = malloc(sizeof(*s) + (end - first));
	int r;

	if (!s)
		return -ENOMEM;
	s->off = first;
	s->len = end - first;
	r = blkdev_read(dev, s->content, s->len, s->off);
	if (r < 0) {
		free(s);
		return r;
	}
	list_add_tail(&sentinels->list, &s->link);
	return 0;
}

/* The part of write that lies in the sentinel goes over content, which is like s->content. */
static bool overlay(const struct sentinel *s, uint8_t *content, const struct held_write *write)
{
	uint64_t from = max_u64(s->off, write->off);
	uint64_t to = min_u64(s->off + s->len, write->off + write->len);

	if (from >= to)
		return false;
	memcpy(content + (from - s->off), write->data + (from - write->off), to - from);
	return true;
}

void sentinels_settle(struct sentinels *sentinels, const struct held_write *write)
{
	struct list *pos;

	list_for_each(pos, &sentinels->list) {
		struct sentinel *s = list_entry(pos, struct sentinel, link);

		overlay(s, s->content, write);
	}
}

struct checking {
	const struct sentinel *s;
	uint8_t *expected;	/* as one write after the other makes it */
	const uint8_t *found;
	bool *right; /* sectors that were like that once */
};

static void compare(struct checking *c)
{
	for (size_t i = 0; i < div_round_up_u64(c->s->len, SECTOR); i++) {
		size_t at = i * SECTOR, n = min_u64(SECTOR, c->s->len - at);

		c->right[i] = c->right[i] || memcmp(c->expected + at, c->found + at, n) == 0;
	}
}

static int compare_after(void *ctx, const struct held_write *write)
{
	struct checking *c = ctx;

	if (overlay(c->s, c->expected, write))
		compare(c);
	return 0;
}

static int check_one(const struct sentinel *s, struct blkdev *dev, const struct held *held)
{
	CLEANUP_FREE uint8_t *expected = malloc(s->len), *found = malloc(s->len);
	size_t sectors = div_round_up_u64(s->len, SECTOR);
	CLEANUP_FREE bool *right = calloc(sectors, sizeof(*right));
	struct checking c = {.s = s, .expected = expected, .found = found, .right = right};
	int r;

	if (!expected || !found || !right)
		return -ENOMEM;
	r = blkdev_refresh(dev, s->len, s->off);
	r = r < 0 ? r : blkdev_read(dev, found, s->len, s->off);
	if (r < 0)
		return r;
	memcpy(expected, s->content, s->len);
	compare(&c);
	r = held ? held_each(held, compare_after, &c) : 0;
	for (size_t i = 0; r == 0 && i < sectors; i++)
		if (!right[i])
			r = -SDE_DRIVE_CHANGED;
	return r;
}

int sentinels_check(const struct sentinels *sentinels, struct blkdev *dev, const struct held *held)
{
	struct list *pos;
	int r = 0;

	list_for_each(pos, &sentinels->list) {
		const struct sentinel *s = list_entry(pos, struct sentinel, link);

		r = r < 0 ? r : range_inside(s->off, s->len, dev->size_bytes) ? 0 : -SDE_DRIVE_CHANGED;
		r = r < 0 ? r : check_one(s, dev, held);
	}
	return r;
}
