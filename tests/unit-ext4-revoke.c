/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The set of revoked blocks. (What journals do with it: unit-ext4-journal, unit-ext4-power.) */
#include "ext4/revoke.h"

#include <errno.h>

#include "tests/unit.h"

enum { BLOCKS = 600 };

static struct revokes revokes;

static void check_all(const uint64_t *tids)
{
	size_t count = 0;

	for (uint64_t block = 0; block < BLOCKS; block++) {
		CU_ASSERT_EQUAL(revokes_cover(&revokes, block, 1), tids[block] >= 1);
		CU_ASSERT_EQUAL(revokes_cover(&revokes, block, tids[block]), tids[block] >= 1);
		CU_ASSERT_FALSE(revokes_cover(&revokes, block, tids[block] + 1));
		count += tids[block] > 0;
	}
	CU_ASSERT_EQUAL(revokes.count, count);
}

/* Against an array that says the same. */
static void test_random(void)
{
	uint64_t tids[BLOCKS] = {0};
	uint32_t random = 1;

	for (unsigned i = 0; i < unit_times(4000, 400); i++) {
		uint64_t block, tid;

		random = random * 1103515245 + 12345;
		block = (random >> 8) % BLOCKS;
		tid = 1 + (random >> 20) % 7;
		if ((random >> 27) % 3 == 0) {
			revokes_remove(&revokes, block);
			tids[block] = 0;
			continue;
		}
		CU_ASSERT_EQUAL_FATAL(revokes_reserve(&revokes, 1), 0);
		revokes_add(&revokes, block, tid);
		tids[block] = tid > tids[block] ? tid : tids[block];
		if (i % 100 == 0)
			check_all(tids);
	}
	check_all(tids);
	revokes_free(&revokes);
}

/* Each has reserved what it adds before any of them adds. */
static void test_reserved_by_several(void)
{
	enum { USERS = 40, EACH = 9 };
	uint64_t tids[BLOCKS] = {0};

	for (unsigned user = 0; user < USERS; user++)
		CU_ASSERT_EQUAL_FATAL(revokes_reserve(&revokes, EACH), 0);
	for (uint64_t block = 0; block < USERS * EACH; block++) {
		revokes_add(&revokes, block, 1);
		tids[block] = 1;
		CU_ASSERT_FATAL(revokes.slot_count >= 2 * revokes.count);
	}
	CU_ASSERT_EQUAL(revokes.reserved, 0);
	check_all(tids);
	revokes_free(&revokes);
}

static void test_released(void)
{
	size_t slots;

	CU_ASSERT_EQUAL_FATAL(revokes_reserve(&revokes, 8), 0);
	slots = revokes.slot_count;
	for (unsigned i = 0; i < 100; i++) {
		revokes_release(&revokes, 8);
		CU_ASSERT_EQUAL_FATAL(revokes_reserve(&revokes, 8), 0);
	}
	CU_ASSERT_EQUAL(revokes.slot_count, slots);
	revokes_add(&revokes, 5, 1);
	revokes_release(&revokes, 7);
	CU_ASSERT_EQUAL(revokes.count, 1);
	CU_ASSERT_EQUAL(revokes_reserve(&revokes, SIZE_MAX), -ENOMEM);
	CU_ASSERT_EQUAL(revokes.reserved, 0);
	CU_ASSERT_TRUE(revokes_cover(&revokes, 5, 1));
	revokes_free(&revokes);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_random), UNIT(test_reserved_by_several), UNIT(test_released));
}
