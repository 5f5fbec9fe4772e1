/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An operation with all its arguments: chosen at random or read from a script, then run. A line of
 * a script is
 *
 *	THREAD FLAGS NAME [ARGUMENT=VALUE]...
 *
 * with the flags (or "-"): t times of what it touches are looked at before and after, v attributes
 * are compared afterwards, u an ordinary user does it. Paths hold no white space. Lines that begin
 * with # are comments.
 */
#ifndef LOCKSTEP_OP_H
#define LOCKSTEP_OP_H

#include <stdbool.h>
#include <stddef.h>

enum { ARGUMENTS = 4, PATH_BYTES = 1024, OP_LINE = 4096, NONE = -1 };

struct worker;
struct op;

struct op_kind {
	const char *name;
	/* p path, q second path, s slot in use, r second slot in use, n slot to be replaced */
	const char *uses;
	const char *label[ARGUMENTS];
	unsigned weight;
	unsigned needs; /* capabilities */
	void (*run)(struct worker *w, const struct op *op);
	void (*choose)(struct worker *w, struct op *op); /* the numbers; may be NULL */
};

struct op {
	const struct op_kind *kind;
	unsigned thread;
	bool timed, verify, user;
	int slot, slot2, fresh;
	int dir, dir2; /* slots of folders that the paths are relative to; NONE: the root */
	char path[PATH_BYTES], path2[PATH_BYTES];
	long long n[ARGUMENTS];
};

/* Tables of kinds, each ended by one without a name. */
extern const struct op_kind open_kinds[], data_kinds[], map_kinds[], name_kinds[], attr_kinds[],
	xattr_kinds[], dir_kinds[], lock_kinds[], whole_kinds[];

/* Random operation for this worker, as far as both sides have what it needs. */
void op_choose(struct worker *w, struct op *op);
long long choose_mode(struct worker *w);
/* Does it on both sides and compares. */
void op_run(struct worker *w, const struct op *op);
/* In which of the two areas it works: does it need the lock? */
bool op_shared(const struct worker *w, const struct op *op);
/* Is what its path names reachable by other threads? */
bool op_path_shared(const struct worker *w, const struct op *op);

void op_print(const struct op *op, char line[OP_LINE]);
bool op_parse(char *line, struct op *op); /* changes the line */

/* The i-th of all kinds, NULL after the last. */
const struct op_kind *op_kind_at(unsigned i);

#endif
