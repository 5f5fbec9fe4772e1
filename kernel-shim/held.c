/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The data of writes lies one behind the other in arenas, arenas in eras.
 *
 * 1. New writes go to the end of the last era, so walking through all eras is the order of writing.
 * 2. An era is dropped by a flush that began when none of its writes was under way any more. One that
 *    had some then stays, and all that come after it: to write again what is on the medium already
 *    does no harm as long as everything newer is written again, too.
 * 3. Two arenas are there from the beginning, so that some room always comes back with a flush, even when
 *    there is no memory. What else is free is given back one arena with each flush that frees less than
 *    is kept: an arena that is mapped anew costs as much time as it takes to fill it.
 * 4. An arena's memory is touched only by who fills it, as its first use takes long, not under the lock.
 */
#include "kernel-shim/held.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/iomem.h"
#include "base/list.h"

enum {
	ARENA_BYTES = IOMEM_PAGE,
	ARENAS_MIN = 2,
	ALIGN = 16,
	SPLIT = 4096,
	SPLIT_MIN = 128 * 1024, /* shorter beginnings of long writes are not worth a call of their own */
	WRITES_MAX = 1024,
};

struct arena {
	struct list link;
	uint8_t *data; /* ARENA_BYTES */
	size_t used, count;
	struct held_write writes[WRITES_MAX];
};

struct held_era {
	struct list link;
	uint64_t number;
	unsigned writing;
	struct list arenas;
};

struct held {
	struct list eras; /* oldest first, never empty */
	struct list free_arenas;
	size_t arena_count, arenas_max, count;
	size_t free_count, keep; /* keep: so many of them, at most */
};

/* ---- arenas and eras ----------------------------------------------------------------------- */

static struct arena *arena_map(struct held *held)
{
	struct arena *arena = malloc(sizeof(*arena));
	uint8_t *data = arena ? iomem_map(ARENA_BYTES) : NULL;

	if (!data) {
		free(arena);
		return NULL;
	}
	arena->data = data;
	held->arena_count++;
	return arena;
}

static void arena_unmap(struct held *held, struct arena *arena)
{
	iomem_unmap(arena->data, ARENA_BYTES);
	free(arena);
	held->arena_count--;
}

static struct arena *arena_get(struct held *held)
{
	struct arena *arena;

	if (held->free_count > 0) {
		arena = list_first(&held->free_arenas, struct arena, link);
		list_remove(&arena->link);
		held->free_count--;
	} else {
		arena = held->arena_count < held->arenas_max ? arena_map(held) : NULL;
	}
	if (arena)
		arena->used = arena->count = 0;
	return arena;
}

static void arena_put(struct held *held, struct arena *arena)
{
	list_add_head(&held->free_arenas, &arena->link);
	held->free_count++;
}

static struct held_era *era_new(uint64_t number)
{
	struct held_era *era = calloc(1, sizeof(*era));

	if (era) {
		era->number = number;
		list_init(&era->arenas);
	}
	return era;
}

static struct held_era *era_last(const struct held *held)
{
	return list_entry(held->eras.prev, struct held_era, link);
}

static struct arena *arena_last(const struct held_era *era)
{
	return list_entry(era->arenas.prev, struct arena, link);
}

int held_new(size_t bytes_max, struct held **ret_held)
{
	struct held *held = calloc(1, sizeof(*held));
	struct held_era *era = era_new(1);

	if (!held || !era) {
		free(held);
		free(era);
		return -ENOMEM;
	}
	list_init(&held->eras);
	list_init(&held->free_arenas);
	list_add_tail(&held->eras, &era->link);
	held->arenas_max = max_u64(bytes_max / ARENA_BYTES, ARENAS_MIN);
	held->keep = ARENAS_MIN;
	while (held->free_count < ARENAS_MIN) {
		struct arena *arena = arena_map(held);

		if (!arena) {
			held_free(held);
			return -ENOMEM;
		}
		arena_put(held, arena);
	}
	*ret_held = held;
	return 0;
}

void held_free(struct held *held)
{
	struct list *pos, *tmp, *p, *t;

	if (!held)
		return;
	list_for_each_safe(pos, tmp, &held->eras) {
		struct held_era *era = list_entry(pos, struct held_era, link);

		list_for_each_safe(p, t, &era->arenas)
			arena_unmap(held, list_entry(p, struct arena, link));
		free(era);
	}
	list_for_each_safe(pos, tmp, &held->free_arenas)
		arena_unmap(held, list_entry(pos, struct arena, link));
	free(held);
}

/* ---- writes -------------------------------------------------------------------------------- */

/* Where in the arena a write of len bytes would begin. */
static size_t piece_start(const struct arena *arena, size_t len)
{
	return round_up_u64(arena->used, len >= SPLIT ? SPLIT : ALIGN);
}

/* How much of a write goes into the arena: all, or whole blocks. */
static size_t piece_len(const struct arena *arena, size_t len)
{
	size_t start = piece_start(arena, len);
	size_t room = start < ARENA_BYTES && arena->count < WRITES_MAX ? ARENA_BYTES - start : 0;

	return len <= room ? len : round_down_u64(room, SPLIT);
}

static struct arena *arena_for(struct held *held, struct held_era *era, size_t len)
{
	struct arena *last = list_empty(&era->arenas) ? NULL : arena_last(era), *arena;
	size_t piece = last ? piece_len(last, len) : 0;

	if (piece > 0 && piece >= min_u64(len, SPLIT_MIN))
		return last;
	arena = arena_get(held);
	if (arena)
		list_add_tail(&era->arenas, &arena->link);
	return arena || piece == 0 ? arena : last;
}

struct held_write *held_add(struct held *held, size_t len, uint64_t off, uint32_t owner,
	struct held_era **ret_era)
{
	struct held_era *era = era_last(held);
	struct arena *arena = arena_for(held, era, len);
	struct held_write *write;

	if (!arena)
		return NULL;
	write = &arena->writes[arena->count++];
	*write = (struct held_write){
		.off = off,
		.len = (uint32_t)piece_len(arena, len),
		.owner = owner,
		.data = arena->data + piece_start(arena, len),
	};
	arena->used = (size_t)(write->data - arena->data) + write->len;
	held->count++;
	era->writing++;
	*ret_era = era;
	return write;
}

void held_wrote(struct held_era *era)
{
	era->writing--;
}

void held_cancel(struct held_era *era, struct held_write *write)
{
	write->len = 0;
	held_wrote(era);
}

bool held_is_pressed(const struct held *held)
{
	return held->arena_count - held->free_count > held->arenas_max / 2;
}

size_t held_count(const struct held *held)
{
	return held->count;
}

/* ---- flushing ------------------------------------------------------------------------------ */

uint64_t held_begin_flush(struct held *held)
{
	struct held_era *last = era_last(held), *next;
	uint64_t number = 0;
	struct list *pos;

	list_for_each(pos, &held->eras) {
		struct held_era *era = list_entry(pos, struct held_era, link);

		if (era->writing > 0)
			break;
		number = era->number;
	}
	/* Without memory the era goes on; what is written from now on must not be dropped with it. */
	next = era_new(last->number + 1);
	if (next)
		list_add_tail(&held->eras, &next->link);
	else if (number == last->number)
		number--;
	return number;
}

static void era_walk(const struct held_era *era, held_fn fn, void *ctx)
{
	struct list *pos;

	list_for_each(pos, &era->arenas) {
		struct arena *arena = list_entry(pos, struct arena, link);

		for (size_t i = 0; i < arena->count; i++)
			fn(ctx, &arena->writes[i]);
	}
}

struct counting {
	held_fn fn;
	void *ctx;
	struct held *held;
};

static void count_down(void *ctx, const struct held_write *write)
{
	struct counting *c = ctx;

	c->held->count--;
	c->fn(c->ctx, write);
}

void held_drop(struct held *held, uint64_t number, held_fn fn, void *ctx)
{
	struct counting c = {.fn = fn, .ctx = ctx, .held = held};
	struct list *pos, *tmp;
	size_t dropped = 0;

	while (list_first(&held->eras, struct held_era, link)->number <= number) {
		struct held_era *era = list_first(&held->eras, struct held_era, link);

		era_walk(era, count_down, &c);
		list_for_each_safe(pos, tmp, &era->arenas) {
			list_remove(pos);
			arena_put(held, list_entry(pos, struct arena, link));
			dropped++;
		}
		list_remove(&era->link);
		free(era);
	}
	held->keep = max_u64(max_u64(dropped, ARENAS_MIN), held->keep - 1);
	while (held->free_count > held->keep) {
		struct arena *arena = list_first(&held->free_arenas, struct arena, link);

		list_remove(&arena->link);
		held->free_count--;
		arena_unmap(held, arena);
	}
}

int held_each(const struct held *held, int (*fn)(void *ctx, const struct held_write *write), void *ctx)
{
	struct list *era_pos, *pos;
	int r = 0;

	list_for_each(era_pos, &held->eras) {
		struct held_era *era = list_entry(era_pos, struct held_era, link);

		list_for_each(pos, &era->arenas) {
			struct arena *arena = list_entry(pos, struct arena, link);

			for (size_t i = 0; r == 0 && i < arena->count; i++)
				r = fn(ctx, &arena->writes[i]);
		}
	}
	return r;
}
