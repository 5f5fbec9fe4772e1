/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Operations on mapped files. A shared mapping stays in its slot while other operations write,
 * truncate and punch the same file; only what is inside the file is touched, as a page beyond its
 * end would be a SIGBUS.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lockstep/world.h"

enum { MAP_BYTES = 1 << 21, TOUCH_BYTES = 20000 };

static void choose_touch(struct worker *w, struct op *op)
{
	op->timed = false; /* moves a time only when the page was clean */
	op->n[0] = random_below(w, random_below(w, 2) ? 50000 : MAP_BYTES);
	op->n[1] = 1 + random_below(w, TOUCH_BYTES);
	op->n[2] = random_below(w, 256);
}

static void run_map(struct worker *w, const struct op *op)
{
	struct slot *slot = &w->slot[op->slot];
	const int protection = PROT_READ | (op->n[0] ? PROT_WRITE : 0);
	void *map[SIDES] = {MAP_FAILED, MAP_FAILED};

	if (slot->map[0] || slot->direct || !slot_regular(slot))
		return;
	if (BOTH(w, (map[side] = mmap(NULL, MAP_BYTES, protection, MAP_SHARED, slot->fd[side], 0)) ==
				    MAP_FAILED
			    ? -1
			    : 0)) {
		slot->map[0] = map[0];
		slot->map[1] = map[1];
		slot->map_bytes = MAP_BYTES;
		slot->map_writable = op->n[0];
		return;
	}
	for (int side = 0; side < SIDES; side++)
		if (map[side] != MAP_FAILED)
			munmap(map[side], MAP_BYTES);
}

static void choose_map(struct worker *w, struct op *op)
{
	op->n[0] = random_below(w, 4) != 0;
}

/* How much of the range lies in the mapping and in the file; 0: nothing to touch. */
static size_t touchable(struct worker *w, const struct slot *slot, long long off, long long len)
{
	struct stat st[SIDES];
	long long end = off + len;

	if (!slot->map[0])
		return 0;
	for (int side = 0; side < SIDES; side++)
		if (fstat(slot->fd[side], &st[side]) < 0)
			return 0;
	if (st[0].st_size != st[1].st_size) {
		differ(w, "sizes %lld and %lld", (long long)st[0].st_size, (long long)st[1].st_size);
		return 0;
	}
	if (end > (long long)slot->map_bytes)
		end = (long long)slot->map_bytes;
	if (end > st[0].st_size)
		end = st[0].st_size;
	return end > off ? (size_t)(end - off) : 0;
}

static void run_map_write(struct worker *w, const struct op *op)
{
	const struct slot *slot = &w->slot[op->slot];
	size_t len = touchable(w, slot, op->n[0], op->n[1]);

	for (int side = 0; side < SIDES && slot->map_writable && len > 0; side++)
		memset(slot->map[side] + op->n[0], (int)op->n[2], len);
}

static void run_map_read(struct worker *w, const struct op *op)
{
	const struct slot *slot = &w->slot[op->slot];
	size_t len = touchable(w, slot, op->n[0], op->n[1]);

	if (len > 0 && memcmp(slot->map[0] + op->n[0], slot->map[1] + op->n[0], len) != 0)
		differ(w, "mapped data differ");
}

static void run_msync(struct worker *w, const struct op *op)
{
	const struct slot *slot = &w->slot[op->slot];
	size_t at = (size_t)op->n[0] & ~(size_t)(ALIGNMENT - 1);

	if (slot->map[0])
		BOTH(w, msync(slot->map[side] + at, slot->map_bytes - at,
				op->n[1] % 2 ? MS_SYNC : MS_ASYNC));
}

static void run_unmap(struct worker *w, const struct op *op)
{
	struct slot *slot = &w->slot[op->slot];

	for (int side = 0; side < SIDES && slot->map_bytes; side++) {
		munmap(slot->map[side], slot->map_bytes);
		slot->map[side] = NULL;
	}
	slot->map_bytes = 0;
}

/* What is written to a private mapping is nobody else's. */
static void run_map_private(struct worker *w, const struct op *op)
{
	const struct slot *slot = &w->slot[op->slot];
	struct slot mine = *slot;
	ssize_t got[SIDES] = {0};
	size_t len;

	if (slot->direct || !slot_regular(slot) ||
		!BOTH(w, (mine.map[side] = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE,
				  slot->fd[side], 0)) == MAP_FAILED ? -1 : 0))
		return;
	mine.map_bytes = MAP_BYTES;
	len = touchable(w, &mine, op->n[0], op->n[1]);
	for (int side = 0; side < SIDES && len > 0; side++)
		memset(mine.map[side] + op->n[0], (int)op->n[2], len / 2);
	if (len > 0 && memcmp(mine.map[0] + op->n[0], mine.map[1] + op->n[0], len) != 0)
		differ(w, "privately mapped data differ");
	if (BOTH(w, got[side] = pread(slot->fd[side], w->buf[side], len, op->n[0])) &&
		memcmp(w->buf[0], w->buf[1], (size_t)got[0]) != 0)
		differ(w, "data differ after a change of a private mapping");
	for (int side = 0; side < SIDES; side++)
		munmap(mine.map[side], MAP_BYTES);
}

const struct op_kind map_kinds[] = {
	{"map", "s", {"write"}, 5, 0, run_map, choose_map},
	{"map-write", "s", {"off", "len", "fill"}, 14, 0, run_map_write, choose_touch},
	{"map-read", "s", {"off", "len", "fill"}, 10, 0, run_map_read, choose_touch},
	{"msync", "s", {"off", "sync"}, 3, 0, run_msync, choose_touch},
	{"unmap", "s", {NULL}, 3, 0, run_unmap, NULL},
	{"map-private", "s", {"off", "len", "fill"}, 4, 0, run_map_private, choose_touch},
	{NULL},
};
