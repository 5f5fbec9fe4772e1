/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sizes and numbers of the command line. */
#include <string.h>

#include "cli/cli.h"
#include "tests/unit.h"

static void size_is(const char *text, uint64_t bytes)
{
	uint64_t got = 1;
	int r = cli_parse_size(text, &got);

	if (r != 0 || got != bytes)
		printf("# '%s': %d, %llu\n", text, r, (unsigned long long)got);
	CU_ASSERT(r == 0 && got == bytes);
}

static void no_size(const char *text)
{
	uint64_t got = 4711;
	int r = cli_parse_size(text, &got);

	if (r == 0)
		printf("# '%s' is taken as %llu\n", text, (unsigned long long)got);
	CU_ASSERT(r < 0 && got == 4711);
}

static void test_sizes(void)
{
	size_is("0", 0);
	size_is("1", 1);
	size_is("512b", 512);
	size_is("512B", 512);
	size_is("1k", 1024);
	size_is("3KB", 3 * 1024);
	size_is("500M", 500ULL << 20);
	size_is("500mib", 500ULL << 20);
	size_is("64G", 64ULL << 30);
	size_is("15T", 15ULL << 40);
	size_is("2PiB", 2ULL << 50);
	size_is("15E", 15ULL << 60);
	size_is("18446744073709551615", UINT64_MAX);
}

static void test_no_sizes(void)
{
	static const char *const wrong[] = {"", " 1", "1 ", "-1", "+1", "1.5G", "G", "0x10", "1X", "1GG",
		"1iB", "1Gi", "1G1", "16E", "18446744073709551616", "99999999999T", "1\xc3\xa9", "1@",
		"1K B", "1,000"};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		no_size(wrong[i]);
}

static void test_numbers(void)
{
	uint64_t v = 0;

	CU_ASSERT(cli_parse_number("7", 0, 10, &v) == 0 && v == 7);
	CU_ASSERT(cli_parse_number("0", 0, 10, &v) == 0 && v == 0);
	CU_ASSERT(cli_parse_number("10", 0, 10, &v) == 0 && v == 10);
	CU_ASSERT(cli_parse_number("007", 0, 10, &v) == 0 && v == 7);
	v = 4711;
	CU_ASSERT(cli_parse_number("11", 0, 10, &v) < 0);
	CU_ASSERT(cli_parse_number("2", 3, 10, &v) < 0);
	CU_ASSERT(cli_parse_number("", 0, 10, &v) < 0);
	CU_ASSERT(cli_parse_number("7k", 0, 10, &v) < 0);
	CU_ASSERT(cli_parse_number("-7", 0, 10, &v) < 0);
	CU_ASSERT(cli_parse_number("18446744073709551616", 0, UINT64_MAX, &v) < 0);
	CU_ASSERT_EQUAL(v, 4711);
}

static void shown_as(uint64_t bytes, const char *text)
{
	char buf[CLI_SIZE_TEXT];

	CU_ASSERT_STRING_EQUAL(cli_format_size(buf, bytes), text);
}

static void test_shown_sizes(void)
{
	shown_as(0, "0 bytes");
	shown_as(1023, "1023 bytes");
	shown_as(1024, "1 KiB");
	shown_as(1536, "1.5 KiB");
	shown_as(64ULL << 30, "64 GiB");
	shown_as(62008590336, "57.8 GiB");
	shown_as(1048575, "1 MiB");
	shown_as(UINT64_MAX, "16 EiB");
}

int main(void)
{
	return UNIT_RUN(UNIT(test_sizes), UNIT(test_no_sizes), UNIT(test_numbers),
		UNIT(test_shown_sizes));
}
