/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/crash/power.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { SECTOR = 512, SUPER_FIRST = 2, SUPER_SECTORS = 2 };

static uint64_t state = 1;

void power_seed(uint64_t seed)
{
	state = seed;
}

uint32_t power_pick(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state * 0x2545f4914f6cdd1d) >> 33) % below;
}

struct fault_record *power_sectors(const struct fault_record *records, size_t count, const uint8_t *before,
	uint64_t size_bytes)
{
	struct fault_record *whole = calloc(count + 1, sizeof(*whole));
	uint8_t *now = malloc(size_bytes);

	assert(whole && now);
	memcpy(now, before, size_bytes);
	for (size_t i = 0; i < count; i++) {
		uint64_t from = records[i].off / SECTOR * SECTOR;
		uint64_t end = round_up_u64(records[i].off + records[i].len, SECTOR);

		whole[i].op = records[i].op;
		if (records[i].op != FAULT_WRITE)
			continue;
		memcpy(now + records[i].off, records[i].data, records[i].len);
		whole[i] = (struct fault_record){FAULT_WRITE, from, end - from, malloc(end - from)};
		assert(whole[i].data);
		memcpy(whole[i].data, now + from, end - from);
	}
	free(now);
	return whole;
}

void power_sectors_free(struct fault_record *records, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(records[i].data);
	free(records);
}

static void put_sectors(uint8_t *medium, const struct fault_record *record, uint64_t from, uint64_t to)
{
	memcpy(medium + record->off + from, record->data + from, to - from);
}

static void put_maybe(uint8_t *medium, const struct fault_record *record, bool super_whole)
{
	uint32_t how = power_pick(4);

	if (how == 0)
		return;
	if (how == 1) {
		put_sectors(medium, record, 0, record->len);
		return;
	}
	for (uint64_t at = 0, len; at < record->len; at += len) {
		bool two = super_whole && (record->off + at) / SECTOR == SUPER_FIRST;

		len = min_u64((two ? SUPER_SECTORS : 1) * SECTOR, record->len - at);
		if (how == 2 ? power_pick(2) : at * 4 < record->len * (uint64_t)power_pick(5))
			put_sectors(medium, record, at, at + len);
	}
}

void power_fail(uint8_t *medium, const struct fault_record *records, size_t from, size_t cut, bool super_whole)
{
	size_t flushed = from;

	for (size_t i = from; i < cut; i++)
		if (records[i].op == FAULT_FLUSH)
			flushed = i;
	for (size_t i = from; i < cut; i++) {
		if (records[i].op != FAULT_WRITE)
			continue;
		if (i < flushed)
			put_sectors(medium, &records[i], 0, records[i].len);
		else
			put_maybe(medium, &records[i], super_whole);
	}
}
