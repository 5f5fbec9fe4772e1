/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a served drive has done since it was mounted, as names and numbers: for `sealdrive status
 * --json`, and for who wants to know why something is slow. Numbers only; nothing of any file.
 */
#ifndef FUSE_COUNTERS_H
#define FUSE_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

enum {
	COUNTERS_MAX = 80,
	COUNTER_NAME_BYTES = 28, /* with the zero */
	COUNTED_OPCODES = 64,
};

struct counter {
	char name[COUNTER_NAME_BYTES]; /* a-z and _ */
	uint64_t value;
};

struct counters {
	unsigned count;
	struct counter list[COUNTERS_MAX];
};

/* Of requests, by FUSE's numbers; what is beyond the last one counts as 0. */
struct request_counts {
	_Atomic uint64_t by_opcode[COUNTED_OPCODES];
};

static inline void request_count(struct request_counts *counts, uint32_t opcode)
{
	atomic_fetch_add_explicit(&counts->by_opcode[opcode < COUNTED_OPCODES ? opcode : 0], 1,
		memory_order_relaxed);
}

/* Adds name, which must be valid, while there is room. */
void counters_add(struct counters *counters, const char *name, uint64_t value);
/* Adds those that have come at least once, as requests_NAME. */
void counters_add_requests(struct counters *counters, struct request_counts *counts);
/* Whether it may be a counter's name. */
bool counter_name_valid(const char *name);

#endif
