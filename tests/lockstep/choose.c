/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The generator: which operation comes next, on which names and open files. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/lockstep/probe.h"
#include "tests/lockstep/world.h"

enum {
	NAMES = 24,
	FOLDERS = 5,
	DEPTH = 3,
	SHARED_ONE_IN = 10,
	TIMED_ONE_IN = 40,
	VERIFIED_OF_10 = 6,
	USER_ONE_IN = 8,
};

/* The kernel's FUSE layer clears set-group-id at a write of an ordinary user only where the group may
 * execute; ext4 clears it, too, where it only once meant mandatory locking. So none of those. */
long long choose_mode(struct worker *w)
{
	long long mode = random_below(w, 010000);

	return mode & S_ISGID ? mode | S_IXGRP : mode;
}

static size_t choose_name(struct worker *w, char *out)
{
	unsigned n = random_below(w, NAMES);

	switch (n) {
	case 0:
		return sprintf(out, "tài-liệu-mật-%u", random_below(w, 3));
	case 1:
		return sprintf(out, "%0*u", 255, random_below(w, 3));
	case 2:
		if (random_below(w, 4) == 0)
			return sprintf(out, "%0*u", 256, 1);
		return sprintf(out, "\xff\xfe%u", random_below(w, 2));
	case 3:
		if (random_below(w, 8) == 0)
			return sprintf(out, "d%u/%s", random_below(w, FOLDERS),
				random_below(w, 2) ? "." : "..");
		/* fall through */
	case 4 ... 7:
		return sprintf(out, "d%u", n % FOLDERS);
	default:
		return sprintf(out, "f%u", n);
	}
}

static void choose_path(struct worker *w, bool shared, int dir, char *path)
{
	unsigned depth = 1 + random_below(w, dir == NONE ? DEPTH : DEPTH - 1);
	size_t at = 0;

	if (dir == NONE)
		at = shared ? sprintf(path, "shared/") : sprintf(path, "t%u/", w->number);
	for (unsigned i = 1; i < depth; i++)
		at += sprintf(path + at, "d%u/%s", random_below(w, FOLDERS),
			random_below(w, 60) == 0 ? "../" : "");
	at += choose_name(w, path + at);
	if (random_below(w, 80) == 0)
		strcpy(path + at, "/");
}

/* A slot in use that belongs to the area; NONE when there is none. */
static int choose_slot(struct worker *w, bool shared)
{
	unsigned first = random_below(w, SLOTS);

	for (unsigned i = 0; i < SLOTS; i++) {
		const struct slot *slot = &w->slot[(first + i) % SLOTS];

		if (slot->used && slot->shared == shared)
			return (first + i) % SLOTS;
	}
	return NONE;
}

static const struct op_kind *choose_kind(struct worker *w)
{
	const struct op_kind *kind;
	unsigned total = 0, at;

	for (unsigned i = 0; (kind = op_kind_at(i)) != NULL; i++)
		total += probe_allows(kind) ? kind->weight : 0;
	at = random_below(w, total);
	for (unsigned i = 0; (kind = op_kind_at(i)) != NULL; i++) {
		if (!probe_allows(kind))
			continue;
		if (at < kind->weight)
			return kind;
		at -= kind->weight;
	}
	return op_kind_at(0);
}

static void choose_operands(struct worker *w, struct op *op, bool shared)
{
	for (const char *use = op->kind->uses; *use; use++)
		switch (*use) {
		case 'p':
			op->dir = random_below(w, 8) == 0 ? choose_slot(w, shared) : NONE;
			choose_path(w, shared, op->dir, op->path);
			break;
		case 'q':
			op->dir2 = random_below(w, 8) == 0 ? choose_slot(w, shared) : NONE;
			choose_path(w, shared, op->dir2, op->path2);
			break;
		case 's':
			op->slot = choose_slot(w, shared);
			break;
		case 'r':
			op->slot2 = choose_slot(w, shared);
			break;
		default:
			op->fresh = random_below(w, SLOTS);
		}
}

void op_choose(struct worker *w, struct op *op)
{
	const bool shared = random_below(w, SHARED_ONE_IN) == 0;
	const struct op_kind *kind = choose_kind(w);

	if (strpbrk(kind->uses, "sr") && choose_slot(w, shared) == NONE)
		kind = &open_kinds[0];
	*op = (struct op){.kind = kind, .thread = w->number, .slot = NONE, .slot2 = NONE, .fresh = NONE,
		.dir = NONE, .dir2 = NONE};
	op->timed = random_below(w, TIMED_ONE_IN) == 0;
	op->verify = random_below(w, 10) < VERIFIED_OF_10;
	op->user = probe_has(CAN_BE_USER) && random_below(w, USER_ONE_IN) == 0;
	choose_operands(w, op, shared);
	if (kind->choose)
		kind->choose(w, op);
}
