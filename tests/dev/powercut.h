/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Power failures while something was written through a recording faultdev: every state that may be
 * left on the medium. Between two flushes sectors may arrive in any order: beginnings and endings of
 * each write, and some sets at random.
 */
#ifndef TESTS_DEV_POWERCUT_H
#define TESTS_DEV_POWERCUT_H

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "tests/dev/faultdev.h"
#include "tests/dev/memdev.h"

typedef void powercut_judge(void *ctx, struct blkdev *state);

enum { POWERCUT_SECTOR = 512, POWERCUT_RANDOM_SETS = 4 };

static inline void powercut_sectors(
	struct blkdev *state, const struct fault_record *record, uint64_t from, uint64_t to)
{
	if (record->op != FAULT_WRITE)
		return;
	from = min_u64(from * POWERCUT_SECTOR, record->len);
	to = min_u64(to * POWERCUT_SECTOR, record->len);
	memcpy((uint8_t *)memdev_data(state) + record->off + from, record->data + from, to - from);
}

static inline void powercut_torn(struct blkdev *state, const struct fault_record *records,
	size_t count, powercut_judge *judge, void *ctx)
{
	uint8_t *saved = malloc(state->size_bytes);

	memcpy(saved, memdev_data(state), state->size_bytes);
	for (size_t i = 0; i < count; i++) {
		uint64_t sectors = div_round_up_u64(records[i].len, POWERCUT_SECTOR);

		for (uint64_t cut = 1; cut < sectors; cut += 1 + sectors / 4) {
			powercut_sectors(state, &records[i], 0, cut);
			judge(ctx, state);
			memcpy(memdev_data(state), saved, state->size_bytes);
			powercut_sectors(state, &records[i], cut, sectors);
			judge(ctx, state);
			memcpy(memdev_data(state), saved, state->size_bytes);
		}
	}
	for (int tries = 0; tries < POWERCUT_RANDOM_SETS && count; tries++) {
		for (size_t i = 0; i < count; i++)
			for (uint64_t s = 0; s < div_round_up_u64(records[i].len, POWERCUT_SECTOR); s++)
				if (rand() & 1)
					powercut_sectors(state, &records[i], s, s + 1);
		judge(ctx, state);
		memcpy(memdev_data(state), saved, state->size_bytes);
	}
	free(saved);
}

/* state: what was on the medium before, in memory; afterwards what is there at the end. */
static inline void powercut_replay(
	struct blkdev *recorded, struct blkdev *state, powercut_judge *judge, void *ctx)
{
	size_t count, start = 0;
	const struct fault_record *records = faultdev_records(recorded, &count);

	judge(ctx, state);
	for (size_t i = 0; i < count; i++) {
		if (records[i].op != FAULT_FLUSH)
			continue;
		powercut_torn(state, records + start, i - start, judge, ctx);
		for (; start < i; start++)
			powercut_sectors(state, &records[start], 0, UINT32_MAX);
		judge(ctx, state);
		start = i + 1;
	}
}

#endif
