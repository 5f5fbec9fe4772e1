/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations as lines of text, and as deeds. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "tests/lockstep/witness.h"
#include "tests/lockstep/world.h"

static const struct op_kind *const tables[] = {open_kinds, data_kinds, map_kinds, name_kinds,
	attr_kinds, xattr_kinds, dir_kinds, lock_kinds, whole_kinds};

const struct op_kind *op_kind_at(unsigned i)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct op_kind *kind = tables[t]; kind->name; kind++)
			if (i-- == 0)
				return kind;
	return NULL;
}

static const struct op_kind *kind_named(const char *name)
{
	const struct op_kind *kind;

	for (unsigned i = 0; (kind = op_kind_at(i)) != NULL; i++)
		if (strcmp(kind->name, name) == 0)
			return kind;
	return NULL;
}

void op_print(const struct op *op, char line[OP_LINE])
{
	const bool flags = op->timed || op->verify || op->user;
	int at;

	at = sprintf(line, "%u %s%s%s%s %s", op->thread, op->timed ? "t" : "", op->verify ? "v" : "",
		op->user ? "u" : "", flags ? "" : "-", op->kind->name);
	if (op->dir != NONE)
		at += sprintf(line + at, " dir=%d", op->dir);
	if (strchr(op->kind->uses, 'p'))
		at += sprintf(line + at, " path=%s", op->path);
	if (op->dir2 != NONE)
		at += sprintf(line + at, " dir2=%d", op->dir2);
	if (strchr(op->kind->uses, 'q'))
		at += sprintf(line + at, " path2=%s", op->path2);
	if (op->slot != NONE)
		at += sprintf(line + at, " slot=%d", op->slot);
	if (op->slot2 != NONE)
		at += sprintf(line + at, " slot2=%d", op->slot2);
	if (op->fresh != NONE)
		at += sprintf(line + at, " fresh=%d", op->fresh);
	for (int i = 0; i < ARGUMENTS && op->kind->label[i]; i++)
		at += sprintf(line + at, " %s=%lld", op->kind->label[i], op->n[i]);
}

static bool parse_slot(const char *value, int *ret)
{
	char *end;
	long n = strtol(value, &end, 10);

	if (*end || n < 0 || n >= SLOTS)
		return false;
	*ret = (int)n;
	return true;
}

static bool parse_argument(struct op *op, char *word)
{
	char *value = strchr(word, '=');

	if (!value)
		return false;
	*value++ = '\0';
	if (strcmp(word, "path") == 0)
		return snprintf(op->path, PATH_BYTES, "%s", value) < PATH_BYTES;
	if (strcmp(word, "path2") == 0)
		return snprintf(op->path2, PATH_BYTES, "%s", value) < PATH_BYTES;
	if (strcmp(word, "dir") == 0)
		return parse_slot(value, &op->dir);
	if (strcmp(word, "dir2") == 0)
		return parse_slot(value, &op->dir2);
	if (strcmp(word, "slot") == 0)
		return parse_slot(value, &op->slot);
	if (strcmp(word, "slot2") == 0)
		return parse_slot(value, &op->slot2);
	if (strcmp(word, "fresh") == 0)
		return parse_slot(value, &op->fresh);
	for (int i = 0; i < ARGUMENTS && op->kind->label[i]; i++)
		if (strcmp(word, op->kind->label[i]) == 0) {
			op->n[i] = strtoll(value, NULL, 0);
			return true;
		}
	return false;
}

bool op_parse(char *line, struct op *op)
{
	char *save, *thread = strtok_r(line, " \n", &save), *flags = strtok_r(NULL, " \n", &save),
		   *name = strtok_r(NULL, " \n", &save), *word;

	*op = (struct op){.slot = NONE, .slot2 = NONE, .fresh = NONE, .dir = NONE, .dir2 = NONE};
	if (!thread || !flags || !name)
		return false;
	op->thread = strtoul(thread, NULL, 10);
	op->timed = strchr(flags, 't');
	op->verify = strchr(flags, 'v');
	op->user = strchr(flags, 'u');
	op->kind = kind_named(name);
	if (!op->kind || op->thread >= THREADS_MAX)
		return false;
	while ((word = strtok_r(NULL, " \n", &save)) != NULL)
		if (!parse_argument(op, word))
			return false;
	return !(strchr(op->kind->uses, 's') && op->slot == NONE) &&
	       !(strchr(op->kind->uses, 'r') && op->slot2 == NONE) &&
	       !(strchr(op->kind->uses, 'n') && op->fresh == NONE);
}

static bool slot_is_shared(const struct worker *w, int slot)
{
	return slot != NONE && w->slot[slot].used && w->slot[slot].shared;
}

static bool path_is_shared(const struct worker *w, int dir, const char *path)
{
	return dir == NONE ? strncmp(path, "shared", 6) == 0 : slot_is_shared(w, dir);
}

bool op_path_shared(const struct worker *w, const struct op *op)
{
	return path_is_shared(w, op->dir, op->path);
}

bool op_shared(const struct worker *w, const struct op *op)
{
	return op_path_shared(w, op) || path_is_shared(w, op->dir2, op->path2) ||
	       slot_is_shared(w, op->slot) || slot_is_shared(w, op->slot2) ||
	       slot_is_shared(w, op->fresh);
}

/* A script that lost lines may use what was never opened: nothing is done then. */
static bool op_possible(const struct worker *w, const struct op *op)
{
	const int used[] = {op->slot, op->slot2, op->dir, op->dir2};

	for (size_t i = 0; i < sizeof(used) / sizeof(used[0]); i++)
		if (used[i] != NONE && !w->slot[used[i]].used)
			return false;
	return true;
}

static void be_user(uid_t id)
{
	/* groups first: an ordinary user may not change them */
	if (id == 0)
		setfsuid(0);
	setfsgid(id);
	if (id != 0)
		setfsuid(id);
}

void op_run(struct worker *w, const struct op *op)
{
	struct witness before, after;
	const bool user = op->user && geteuid() == 0;

	w->count++;
	op_print(op, w->what);
	if (!op_possible(w, op))
		return;
	if (op->timed) {
		witness_take(w, op, &before);
		usleep(WITNESS_PAUSE_US);
	}
	if (user)
		be_user(OTHER_USER);
	op->kind->run(w, op);
	if (user)
		be_user(0);
	if (!op->timed && !op->verify)
		return;
	witness_take(w, op, &after);
	witness_compare(w, &after);
	if (op->timed)
		witness_compare_times(w, &before, &after);
}
