/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CUnit suites that report as TAP: one line per test function.
 *
 *	static void test_x(void) { CU_ASSERT_EQUAL(1 + 1, 2); }
 *	int main(void) { return UNIT_RUN(UNIT(test_x), UNIT(test_y)); }
 *
 * A test that cannot run here calls unit_skip("why") and returns.
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <CUnit/CUnit.h>
#include <CUnit/TestRun.h>
#include <stdio.h>
#include <stdlib.h>

struct unit_test {
	const char *name;
	void (*fn)(void);
};
#define UNIT(fn) {#fn, fn}

static const char *unit_skip_reason;

static inline void unit_skip(const char *why)
{
	unit_skip_reason = why;
}

/* How often to repeat what differs only in its numbers: n times, or, where SEALDRIVE_FEWER=F is set, an
 * F-th of that (at least `least`). valgrind looks at lines, not at numbers, and takes fifty times as long. */
static inline unsigned unit_times(unsigned n, unsigned least)
{
	const char *fewer = getenv("SEALDRIVE_FEWER");
	unsigned share = fewer && atoi(fewer) > 0 ? n / (unsigned)atoi(fewer) : n;

	if (share < least)
		share = least;
	return share < n ? share : n;
}

/* 1, or how many are passed over for each that is done where SEALDRIVE_FEWER is set. */
static inline unsigned unit_step(void)
{
	return 1000 / unit_times(1000, 1);
}

static inline int unit_run(const struct unit_test *tests, size_t count)
{
	int bad = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 99;
	CU_set_error_action(CUEA_IGNORE);
	CU_pSuite suite = CU_add_suite("unit", NULL, NULL);

	printf("1..%zu\n", count);
	for (size_t i = 0; i < count; i++) {
		CU_pTest test = CU_add_test(suite, tests[i].name, tests[i].fn);

		unit_skip_reason = NULL;
		CU_run_test(suite, test);
		unsigned failed = CU_get_number_of_failures();

		for (CU_pFailureRecord f = CU_get_failure_list(); f; f = f->pNext)
			printf("# %s:%u: %s\n", f->strFileName, f->uiLineNumber, f->strCondition);
		printf("%sok %zu - %s", failed ? "not " : "", i + 1, tests[i].name);
		if (!failed && unit_skip_reason)
			printf(" # SKIP %s", unit_skip_reason);
		putchar('\n');
		bad |= failed != 0;
	}
	CU_cleanup_registry();
	return bad;
}
#define UNIT_RUN(...)                                                                              \
	unit_run((const struct unit_test[]){__VA_ARGS__},                                          \
		sizeof((const struct unit_test[]){__VA_ARGS__}) / sizeof(struct unit_test))

#endif
