/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The attributes of everything that an operation touches, on both sides. */
#ifndef LOCKSTEP_WITNESS_H
#define LOCKSTEP_WITNESS_H

#include <sys/stat.h>

#include "tests/lockstep/world.h"

enum witness_of { OF_PATH, OF_PARENT, OF_PATH2, OF_PARENT2, OF_SLOT, OF_SLOT2, OF_FRESH, WITNESSES };

struct witness {
	struct sight {
		bool asked;
		long long result[SIDES];
		int err[SIDES];
		struct stat st[SIDES];
	} sight[WITNESSES];
};

/* Between the first look and an operation whose times are compared: several steps of the kernel's
 * coarse clock. */
enum { WITNESS_PAUSE_US = 30000 };

void witness_take(struct worker *w, const struct op *op, struct witness *ret);
/* Both sides show the same. */
void witness_compare(struct worker *w, const struct witness *witness);
/* The same times have changed on both sides. */
void witness_compare_times(struct worker *w, const struct witness *before, const struct witness *after);

void stat_compare(struct worker *w, const char *whose, const struct stat st[SIDES]);

#endif
