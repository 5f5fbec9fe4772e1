/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a power failure or an error at any write of a change of the header leaves. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "kernel-shim/cryptdev.h"
#include "tests/dev/faultdev.h"
#include "tests/dev/leaks.h"
#include "tests/luks2-small.h"

enum { FIRST = 1, SECOND = 2, NEW = 4 };

/* What must open, before and after. */
struct operation {
	int (*run)(struct blkdev *dev, const struct secret *key);
	unsigned before, after;
};

static int run_add(struct blkdev *dev, const struct secret *key)
{
	return add_slot(dev, "new", key, -1);
}

static int run_replace(struct blkdev *dev, const struct secret *key)
{
	return replace_slot(dev, "new", key, 0);
}

static int run_remove(struct blkdev *dev, const struct secret *key)
{
	return remove_slot(dev, 0, key);
}

static int run_priority(struct blkdev *dev, const struct secret *key)
{
	return set_priority(dev, 1, LUKS2_PRIORITY_HIGH);
}

static int run_token(struct blkdev *dev, const struct secret *key)
{
	return put_token(dev, "{\"type\":\"other\",\"keyslots\":[\"1\"],\"some\":\"thing\"}");
}

static const struct operation operations[] = {
	{run_add, FIRST | SECOND, FIRST | SECOND | NEW},
	{run_replace, FIRST | SECOND, SECOND | NEW},
	{run_remove, FIRST | SECOND, SECOND},
	{run_priority, FIRST | SECOND, FIRST | SECOND},
	{run_token, FIRST | SECOND, FIRST | SECOND},
};

/* Which of them open: each state must be the one before or the one after. */
static unsigned opening(struct blkdev *dev)
{
	return (opens(dev, "first") >= 0 ? FIRST : 0) | (opens(dev, "second") >= 0 ? SECOND : 0) |
	       (opens(dev, "new") >= 0 ? NEW : 0);
}

/* Whether key material of the area is on the medium: a slot that a header no longer names must not come
 * back once anybody has changed the header again. */
static bool area_has(struct blkdev *dev, uint64_t offset, const uint8_t *was)
{
	const uint8_t *area = (uint8_t *)memdev_data(dev) + offset;

	for (size_t i = 0; i < SLOT_AREA; i += 512)
		if (!memcmp(area + i, was + i, 512))
			return true;
	return false;
}

struct play {
	const struct operation *operation;
	struct blkdev *state, *scratch;
	const struct secret *key;
	uint64_t old_area;
	uint8_t was[SLOT_AREA];
	unsigned seen, old, new, judged;
};

/* One state that a power failure can leave. */
static void look(struct play *play)
{
	unsigned open = opening(play->state);
	bool before = open == play->operation->before, after = open == play->operation->after;

	play->judged++;
	play->old += before;
	play->new += after;
	CU_ASSERT(before || after);
	if (play->judged % 7)
		return;
	/* the next change finishes what this one began, and repairs the copies */
	memcpy(memdev_data(play->scratch), memdev_data(play->state), SIZE_BYTES);
	CU_ASSERT_EQUAL(set_priority(play->scratch, 1, LUKS2_PRIORITY_NORMAL), 0);
	CU_ASSERT_EQUAL(set_priority(play->scratch, 1, LUKS2_PRIORITY_HIGH), 0);
	CLEANUP_LUKS2 struct luks2 *hdr = load(play->scratch);

	CU_ASSERT(hdr->copies[0] == LUKS2_COPY_OK && hdr->copies[1] == LUKS2_COPY_OK);
	for (int i = 0; i < hdr->token_count; i++)
		CU_ASSERT(strcmp(hdr->tokens[i].type, "sealdrive-wipe"));
	if (!(open & FIRST))
		CU_ASSERT_FALSE(area_has(play->scratch, play->old_area, play->was));
	CU_ASSERT_EQUAL(opening(play->scratch), open);
}

/* Looking costs most; where time is short it is done for some of the states only. */
static void judge(struct play *play)
{
	if (play->seen++ % unit_step() == 0)
		look(play);
}

static void write_sectors(struct play *play, const struct fault_record *record, uint64_t from, uint64_t to)
{
	from = min_u64(from * 512, record->len);
	to = min_u64(to * 512, record->len);
	memcpy((uint8_t *)memdev_data(play->state) + record->off + from, record->data + from, to - from);
}

/* Sectors of what was written between two flushes may reach the medium in any order: beginnings,
 * endings, and some sets at random. */
static void judge_torn(struct play *play, const struct fault_record *records, size_t count)
{
	static uint8_t saved[SIZE_BYTES];

	memcpy(saved, memdev_data(play->state), SIZE_BYTES);
	for (size_t i = 0; i < count; i++) {
		uint64_t sectors = div_round_up_u64(records[i].len, 512);

		for (uint64_t cut = 1; cut < sectors; cut += 1 + sectors / 8) {
			write_sectors(play, &records[i], 0, cut);
			judge(play);
			memcpy(memdev_data(play->state), saved, SIZE_BYTES);
			write_sectors(play, &records[i], cut, sectors);
			judge(play);
			memcpy(memdev_data(play->state), saved, SIZE_BYTES);
		}
	}
	for (int tries = 0; tries < 4; tries++) {
		for (size_t i = 0; i < count; i++)
			for (uint64_t s = 0; s < div_round_up_u64(records[i].len, 512); s++)
				if (rand() & 1)
					write_sectors(play, &records[i], s, s + 1);
		judge(play);
		memcpy(memdev_data(play->state), saved, SIZE_BYTES);
	}
}

static void replay(struct play *play, struct blkdev *recorded)
{
	size_t count, start = 0;
	const struct fault_record *records = faultdev_records(recorded, &count);

	CU_ASSERT_FATAL(count > 4 && records[count - 1].op == FAULT_FLUSH);
	judge(play);
	for (size_t i = 0; i < count; i++) {
		if (records[i].op != FAULT_FLUSH)
			continue;
		judge_torn(play, records + start, i - start);
		for (; start < i; start++)
			write_sectors(play, &records[start], 0, UINT32_MAX);
		judge(play);
		start = i + 1;
	}
	CU_ASSERT_EQUAL(opening(play->state), play->operation->after);
	look(play);
}

static void cut_power(const struct operation *operation)
{
	static struct play play;
	CLEANUP_SECRET struct secret *key = NULL;
	CLEANUP_BLKDEV struct blkdev *lower = volume(&key), *fault = NULL;
	CLEANUP_BLKDEV struct blkdev *state = memory(), *scratch = memory();

	play = (struct play){.operation = operation, .state = state, .scratch = scratch, .key = key};
	CU_ASSERT_EQUAL_FATAL(add_slot(lower, "second", key, -1), 0);
	play.old_area = area_of(lower, 0);
	memcpy(memdev_data(state), memdev_data(lower), SIZE_BYTES);
	memcpy(play.was, (uint8_t *)memdev_data(lower) + play.old_area, SLOT_AREA);
	CU_ASSERT_EQUAL_FATAL(faultdev_new(lower, &fault), 0);
	take_ptr(lower);
	faultdev_record(fault, true);
	CU_ASSERT_EQUAL_FATAL(operation->run(fault, key), 0);
	replay(&play, fault);
	CU_ASSERT(play.old > 0 && play.new > 0);
}

static void test_power_add(void)
{
	cut_power(&operations[0]);
}

static void test_power_replace(void)
{
	cut_power(&operations[1]);
}

static void test_power_remove(void)
{
	cut_power(&operations[2]);
}

static void test_power_priority(void)
{
	cut_power(&operations[3]);
}

static void test_power_token(void)
{
	cut_power(&operations[4]);
}

/* Whether the nth call of op was reached, and failed; all went well else. */
static bool fails(const struct operation *operation, struct blkdev *base, const struct secret *key,
	enum fault_op op, unsigned nth)
{
	CLEANUP_BLKDEV struct blkdev *lower = memory(), *fault = NULL;

	memcpy(memdev_data(lower), memdev_data(base), SIZE_BYTES);
	CU_ASSERT_EQUAL_FATAL(faultdev_new(lower, &fault), 0);
	take_ptr(lower);
	faultdev_set_torn(fault, 1024);
	faultdev_fail_once(fault, op, nth, -EIO);
	int r = operation->run(fault, key);
	bool failed = faultdev_calls(fault, op) >= nth;

	faultdev_fail_once(fault, op, 0, 0);
	unsigned open = opening(fault);

	/* one copy that cannot be read is what the other one is for */
	CU_ASSERT(failed ? r < 0 || op == FAULT_READ : r == 0);
	CU_ASSERT(open == operation->before || open == operation->after);
	CU_ASSERT(r < 0 || open == operation->after);
	return failed;
}

/* Each read, write or flush fails once: an error, and what is on the medium opens. */
static void test_errors(void)
{
	CLEANUP_SECRET struct secret *key = NULL;
	CLEANUP_BLKDEV struct blkdev *base = volume(&key);

	CU_ASSERT_EQUAL_FATAL(add_slot(base, "second", key, -1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		for (enum fault_op op = FAULT_READ; op <= FAULT_FLUSH; op++)
			for (unsigned nth = 1; fails(&operations[i], base, key, op, nth); nth += unit_step())
				;
}

int main(void)
{
	if (crypto_init())
		return 99;
	leaks_know_secure_memory();
	int r = UNIT_RUN(UNIT(test_power_add), UNIT(test_power_replace), UNIT(test_power_remove),
		UNIT(test_power_priority), UNIT(test_power_token), UNIT(test_errors));

	secret_free(volume_key);
	return r;
}
