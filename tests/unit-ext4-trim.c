/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Discarding free blocks: all of them, never one that anybody needs. */
#include "tests/ext4-model.h"

static uint64_t trim(uint64_t off, uint64_t len, uint64_t min_len)
{
	struct e4_trim what = {.off = off, .len = len, .min_len = min_len};
	uint64_t bytes = 0;

	CU_ASSERT_EQUAL_FATAL(e4_trim(fs, &what, &bytes), 0);
	return bytes;
}

static uint64_t free_bytes(void)
{
	struct e4_statfs st;

	e4_statfs(fs, &st);
	return st.blocks_free * st.block_bytes;
}

/* Junk on the drive outside of /f: what a discard has not reached. */
static uint64_t junk_bytes(void)
{
	const uint8_t *data = memdev_data(mem);
	uint64_t n = 0;

	for (uint64_t at = 0; at + 1024 <= mem->size_bytes; at += 1024)
		if (data[at] == JUNK && memcmp(data + at, data + at + 1, 1023) == 0)
			n += 1024;
	return n;
}

static void everything(const char *options)
{
	uint64_t all;

	setup(24 << 20, options, 31);
	spread_junk();
	do_write(0, 700000);
	do_write(1500000, 3);
	do_write(2000000, 100000);
	CU_ASSERT(junk_bytes() > (10 << 20));
	all = free_bytes();
	CU_ASSERT_EQUAL(trim(0, UINT64_MAX, 0), all);
	CU_ASSERT_EQUAL(junk_bytes(), 0);
	check_all();
	/* Freed just now: the caller need not wait for a commit. */
	do_size(100000);
	all = free_bytes();
	CU_ASSERT_EQUAL(trim(0, UINT64_MAX, 0), all);
	check_all();
	reload();
	finish();
}

static void test_everything(void)
{
	everything("-b 1024");
	everything("-b 4096");
	everything("-b 1024 -O ^flex_bg,^uninit_bg,^metadata_csum");
}

static void test_ranges(void)
{
	uint64_t all, first, rest, longest;

	setup(24 << 20, "-b 1024", 32);
	do_write(0, 400000);
	all = free_bytes();
	first = trim(0, 9 << 20, 0);
	rest = trim(9 << 20, UINT64_MAX, 0);
	CU_ASSERT_EQUAL(first + rest, all);
	CU_ASSERT(first > 0 && rest > 0);
	longest = trim(0, UINT64_MAX, 6 << 20);
	CU_ASSERT(longest > 0 && longest < all);
	CU_ASSERT_EQUAL(trim(5000, 1024, 0) % 1024, 0);
	CU_ASSERT(trim(5000, 1024, 0) <= 1024);
	check_all();
	finish();
}

static void test_refused(void)
{
	struct e4_trim what = {.len = UINT64_MAX};
	uint64_t bytes = 77;

	setup(24 << 20, "-b 1024", 33);
	what.len = 1023;
	CU_ASSERT_EQUAL(e4_trim(fs, &what, &bytes), -EINVAL);
	what = (struct e4_trim){.off = 24 << 20, .len = 1 << 20};
	CU_ASSERT_EQUAL(e4_trim(fs, &what, &bytes), -EINVAL);
	what = (struct e4_trim){.len = UINT64_MAX, .min_len = 8193 << 10};
	CU_ASSERT_EQUAL(e4_trim(fs, &what, &bytes), -EINVAL);
	what = (struct e4_trim){.len = UINT64_MAX};
	dev->discards = false;
	CU_ASSERT_EQUAL(e4_trim(fs, &what, &bytes), -EOPNOTSUPP);
	dev->discards = true;
	CU_ASSERT_EQUAL(bytes, 77);
	finish();
}

static bool stop_third(void *ctx)
{
	return ++*(unsigned *)ctx == 3;
}

/* A discard that fails, or ends early, keeps no block from being given out. */
static void test_fails(void)
{
	unsigned asked = 0;
	struct e4_trim what = {.len = UINT64_MAX, .stop = stop_third, .stop_ctx = &asked};
	uint64_t bytes, all;

	setup(24 << 20, "-b 1024", 34);
	all = free_bytes();
	CU_ASSERT_EQUAL(e4_trim(fs, &what, &bytes), -EINTR);
	CU_ASSERT_EQUAL(asked, 3);
	what.stop = NULL;
	faultdev_fail_once(dev, FAULT_DISCARD, 2, -EIO);
	CU_ASSERT_EQUAL(e4_trim(fs, &what, &bytes), -EIO);
	CU_ASSERT_EQUAL(fs->error, 0);
	spread_junk(); /* takes every block there is */
	CU_ASSERT_EQUAL(free_bytes(), all);
	finish();
}

/* ---- while others write ---------------------------------------------------------------------- */

static atomic_bool writers_done;

static void *trim_always(void *arg)
{
	struct e4_trim what = {.len = UINT64_MAX};
	uint64_t bytes;

	while (!atomic_load(&writers_done))
		if (e4_trim(fs, &what, &bytes) < 0)
			return (void *)1;
	return NULL;
}

/* What was written stays, though its blocks were free, and discarded, all the time. */
static void test_while_writing(void)
{
	pthread_t thread;
	void *failed;

	setup(4 << 20, "-b 1024 -O ^has_journal", 35);
	atomic_store(&writers_done, false);
	CU_ASSERT_FATAL(pthread_create(&thread, NULL, trim_always, NULL) == 0);
	for (unsigned i = 0; i < 300; i++) {
		uint64_t off = pick(MODEL - 200000);

		do_write(off, 1 + pick(200000));
		if (i % 3 == 0)
			check_all();
		if (i % 7 == 0)
			do_size(pick((uint32_t)model_size + 1));
	}
	check_all();
	/* Nor does anybody hear of a full drive that is not full. */
	do_size(0);
	do_write(0, MODEL);
	check_all();
	atomic_store(&writers_done, true);
	pthread_join(thread, &failed);
	CU_ASSERT_PTR_NULL(failed);
	reload();
	finish();
}

int main(void)
{
	return UNIT_RUN(UNIT(test_everything), UNIT(test_ranges), UNIT(test_refused),
		UNIT(test_fails), UNIT(test_while_writing));
}
