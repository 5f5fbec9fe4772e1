/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes, text, errors. */
#include <errno.h>
#include <string.h>

#include "base/blkdev.h"
#include "base/bytes.h"
#include "base/iomem.h"
#include "base/error.h"
#include "base/text.h"
#include "tests/dev/memdev.h"
#include "tests/unit.h"

static void test_byte_order(void)
{
	const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8};
	le64 l;
	be64 b;

	memcpy(&l, bytes, 8);
	memcpy(&b, bytes, 8);
	CU_ASSERT_EQUAL(le64_get(l), 0x0807060504030201);
	CU_ASSERT_EQUAL(be64_get(b), 0x0102030405060708);
	CU_ASSERT_EQUAL(be16_get(be16_make(0xabcd)), 0xabcd);
	CU_ASSERT_EQUAL(le32_get(le32_make(0xdeadbeef)), 0xdeadbeef);
}

static void test_checked_arithmetic(void)
{
	uint64_t r = 77;

	CU_ASSERT(add_u64(UINT64_MAX - 1, 1, &r) && r == UINT64_MAX);
	r = 77;
	CU_ASSERT(!add_u64(UINT64_MAX, 1, &r) && r == 77);
	CU_ASSERT(mul_u64(1ull << 32, (1ull << 32) - 1, &r) && r == 0xffffffff00000000);
	r = 77;
	CU_ASSERT(!mul_u64(1ull << 32, 1ull << 32, &r) && r == 77);
}

static void test_range_inside(void)
{
	CU_ASSERT(range_inside(0, 0, 0));
	CU_ASSERT(range_inside(0, 10, 10));
	CU_ASSERT(range_inside(10, 0, 10));
	CU_ASSERT(!range_inside(11, 0, 10));
	CU_ASSERT(!range_inside(1, 10, 10));
	CU_ASSERT(!range_inside(2, UINT64_MAX, 10));
	CU_ASSERT(!range_inside(UINT64_MAX, 2, UINT64_MAX));
}

static void test_rounding(void)
{
	CU_ASSERT_EQUAL(round_down_u64(4097, 4096), 4096);
	CU_ASSERT_EQUAL(round_up_u64(4097, 4096), 8192);
	CU_ASSERT_EQUAL(round_up_u64(4096, 4096), 4096);
	CU_ASSERT_EQUAL(div_round_up_u64(UINT64_MAX, 2), 1ull << 63);
	CU_ASSERT(is_power_of_2(1) && is_power_of_2(1ull << 63));
	CU_ASSERT(!is_power_of_2(0) && !is_power_of_2(3));
}

static void test_all_zero(void)
{
	uint8_t bytes[100] = {0};

	CU_ASSERT(bytes_all_zero(bytes, 0));
	CU_ASSERT(bytes_all_zero(bytes, sizeof(bytes)));
	for (size_t len = 1; len <= sizeof(bytes); len++)
		for (size_t i = 0; i < sizeof(bytes); i++) {
			bytes[i] = 1;
			CU_ASSERT_EQUAL(bytes_all_zero(bytes, len), i >= len);
			bytes[i] = 0;
		}
}

static void check_sanitized(const void *src, size_t len, const char *expected)
{
	char *text = NULL;

	CU_ASSERT_EQUAL_FATAL(text_sanitize(src, len, &text), 0);
	CU_ASSERT_STRING_EQUAL(text, expected);
	free(text);
}

#define BAD "\xef\xbf\xbd"

static void test_text_cut(void)
{
	char out[8];

	text_cut("", out, sizeof(out));
	CU_ASSERT_STRING_EQUAL(out, "");
	text_cut("1234567", out, sizeof(out));
	CU_ASSERT_STRING_EQUAL(out, "1234567");
	text_cut("12345678", out, sizeof(out));
	CU_ASSERT_STRING_EQUAL(out, "1234567");
	text_cut("12345\u1eadt", out, sizeof(out));
	CU_ASSERT_STRING_EQUAL(out, "12345");
	text_cut("\u1ead\u1ead\u1ead", out, sizeof(out));
	CU_ASSERT_STRING_EQUAL(out, "\u1ead\u1ead");
	text_cut("\u1ead", out, 1);
	CU_ASSERT_STRING_EQUAL(out, "");
}

static void test_text_sanitize(void)
{
	check_sanitized("", 0, "");
	check_sanitized("Tài liệu", 100, "Tài liệu");
	check_sanitized("ab\0cd", 5, "ab");
	check_sanitized("abc", 2, "ab");
	check_sanitized("a\x1b[31mb\n\x7f", 9, "a" BAD "[31mb" BAD BAD);
	check_sanitized("\xc2\x9b", 2, BAD);		   /* C1 control */
	check_sanitized("\xe2\x80\xae", 3, BAD);	   /* right-to-left override */
	check_sanitized("\xe2\x81\xa6", 3, BAD);	   /* isolate */
	check_sanitized("\xe2\x80\xa8", 3, BAD);	   /* line separator */
	check_sanitized("\xc0\xaf", 2, BAD BAD);	   /* overlong */
	check_sanitized("\xe0\x80\xaf", 3, BAD BAD BAD);   /* overlong */
	check_sanitized("\xed\xa0\x80", 3, BAD BAD BAD);   /* surrogate */
	check_sanitized("\xf4\x90\x80\x80", 4, BAD BAD BAD BAD); /* above U+10FFFF */
	check_sanitized("\xf8\x88\x80\x80\x80", 1, BAD);
	check_sanitized("\xe1\xba", 2, BAD BAD);	   /* cut off */
	check_sanitized("\xf0\x9f\x94\x92", 4, "\xf0\x9f\x94\x92");
}

static void test_text_is_date(void)
{
	static const char *const good[] = {"2026-11-30", "2028-02-29", "2000-02-29", "0001-01-01", "9999-12-31"};
	static const char *const bad[] = {"", "2026", "2026-02-29", "1900-02-29", "2026-04-31", "2026-00-10", "2026-13-01",
		"2026-01-00", "2026-1-1", "2026-11-30 ", "2026/11/30", "20261130", "-026-11-30", "2026-11-3x"};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		CU_ASSERT(text_is_date(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CU_ASSERT(!text_is_date(bad[i]));
}

static void test_text_is_uuid(void)
{
	static const char *const bad[] = {"", "a483effb", "A483EFFB-3E50-4BB3-A580-1A1DD4A57972", "a483effb-3e50-4bb3-a580-1a1dd4a5797",
		"a483effb-3e50-4bb3-a580-1a1dd4a579722", "a483effb-3e50-4bb3-a580-1a1dd4a5797g", "a483effb 3e50-4bb3-a580-1a1dd4a57972",
		" a483effb-3e50-4bb3-a580-1a1dd4a57972", "a483effb3e504bb3a5801a1dd4a57972"};

	CU_ASSERT(text_is_uuid("a483effb-3e50-4bb3-a580-1a1dd4a57972"));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CU_ASSERT(!text_is_uuid(bad[i]));
}

static void test_error_table(void)
{
	for (int code = SDE_FIRST; code < SDE_END; code++) {
		const char *text = error_text(-code);
		enum exit_status exit = error_exit_status(-code);

		CU_ASSERT_PTR_NOT_NULL_FATAL(text);
		CU_ASSERT(strlen(text) > 10);
		CU_ASSERT_NOT_EQUAL(text[strlen(text) - 1], '.');
		CU_ASSERT(exit >= EXIT_FAILED && exit <= EXIT_FINDINGS);
		CU_ASSERT_EQUAL(error_remedy(-code) == NULL, code == SDE_CANCELLED);
		if (error_remedy(-code)) {
			CU_ASSERT_EQUAL(error_remedy(-code)[strlen(error_remedy(-code)) - 1], '.');
		}
		for (int other = SDE_FIRST; other < code; other++)
			CU_ASSERT_STRING_NOT_EQUAL(text, error_text(-other));
	}
}

static void test_error_exit_status(void)
{
	CU_ASSERT_EQUAL(error_exit_status(0), EXIT_DONE);
	CU_ASSERT_EQUAL(error_exit_status(5), EXIT_DONE);
	CU_ASSERT_EQUAL(error_exit_status(-SDE_PASSPHRASE), EXIT_SECRET);
	CU_ASSERT_EQUAL(error_exit_status(-SDE_NOT_LUKS), EXIT_NOT_LUKS);
	CU_ASSERT_EQUAL(error_exit_status(-SDE_HEADER_DAMAGED), EXIT_NOT_LUKS);
	CU_ASSERT_EQUAL(error_exit_status(-SDE_MOUNTED), EXIT_BUSY);
	CU_ASSERT_EQUAL(error_exit_status(-SDE_CIPHER), EXIT_FEATURE);
	CU_ASSERT_EQUAL(error_exit_status(-SDE_POLICY), EXIT_POLICY);
	CU_ASSERT_EQUAL(error_exit_status(-SDE_USAGE), EXIT_USAGE);
	CU_ASSERT_EQUAL(error_exit_status(-ENODEV), EXIT_IO);
	CU_ASSERT_EQUAL(error_exit_status(-EIO), EXIT_IO);
	CU_ASSERT_EQUAL(error_exit_status(-EBUSY), EXIT_BUSY);
	CU_ASSERT_EQUAL(error_exit_status(-ENOENT), EXIT_FAILED);
	CU_ASSERT_EQUAL(error_exit_status(-SDE_FIRST + 1), EXIT_FAILED);
	CU_ASSERT_EQUAL(error_exit_status(-SDE_END), EXIT_FAILED);
	CU_ASSERT_STRING_EQUAL(error_text(-ENOENT), strerror(ENOENT));
	CU_ASSERT_STRING_EQUAL(error_text(-EUCLEAN), error_text(-SDE_FS_DAMAGED));
}

static void test_diag(void)
{
	struct diag diag = {0};
	char longer[2 * sizeof(diag.detail)];

	CU_ASSERT_EQUAL(diag_set(NULL, -EIO, "x"), -EIO);
	CU_ASSERT_EQUAL(diag_set(&diag, -EINVAL, "first %d", 1), -EINVAL);
	CU_ASSERT_EQUAL(diag_set(&diag, -EIO, "second"), -EIO);
	CU_ASSERT_STRING_EQUAL(diag.detail, "first 1");
	CU_ASSERT_EQUAL(diag.err, -EINVAL);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	diag.detail[0] = '\0';
	diag_set(&diag, -EIO, "%s", longer);
	CU_ASSERT_EQUAL(strlen(diag.detail), sizeof(diag.detail) - 1);
}

static void test_blkdev_checks(void)
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	uint8_t b[16] = {0}, zero[16] = {0};

	CU_ASSERT_EQUAL_FATAL(memdev_new(4096, 512, &dev), 0);
	CU_ASSERT_EQUAL(blkdev_read(dev, b, 16, 4096), -EINVAL);
	CU_ASSERT_EQUAL(blkdev_read(dev, b, 16, 4081), -EINVAL);
	CU_ASSERT_EQUAL(blkdev_read(dev, b, 16, UINT64_MAX - 8), -EINVAL);
	CU_ASSERT_EQUAL(blkdev_write(dev, b, 16, UINT64_MAX - 8), -EINVAL);
	CU_ASSERT_EQUAL(blkdev_write_clobber(dev, b, 16, 4090), -EINVAL);
	CU_ASSERT_EQUAL(blkdev_discard(dev, 1, UINT64_MAX), -EINVAL);
	CU_ASSERT_EQUAL(blkdev_read(dev, NULL, 0, 4096), 0);
	CU_ASSERT_EQUAL(blkdev_write(dev, "0123456789abcdef", 16, 4080), 0);
	CU_ASSERT_EQUAL(blkdev_read(dev, b, 16, 4080), 0);
	CU_ASSERT_EQUAL(memcmp(b, "0123456789abcdef", 16), 0);
	CU_ASSERT_EQUAL(blkdev_discard(dev, 4080, 16), 0);
	CU_ASSERT_EQUAL(memcmp((uint8_t *)memdev_data(dev) + 4080, zero, 16), 0);
	dev->discards = false;
	CU_ASSERT_EQUAL(blkdev_discard(dev, 0, 16), -EOPNOTSUPP);
	dev->read_only = true;
	CU_ASSERT_EQUAL(blkdev_write(dev, b, 16, 0), -EROFS);
	CU_ASSERT_EQUAL(blkdev_write_clobber(dev, b, 16, 0), -EROFS);
	CU_ASSERT_EQUAL(blkdev_discard(dev, 0, 16), -EROFS);
	blkdev_close(NULL);
}

static void test_iomem(void)
{
	enum { BYTES = IOMEM_PAGE + 4096 };
	unsigned char *mem[4];

	for (size_t i = 0; i < ARRAY_SIZE(mem); i++) {
		mem[i] = iomem_map(BYTES);
		CU_ASSERT_PTR_NOT_NULL_FATAL(mem[i]);
		CU_ASSERT_EQUAL((uintptr_t)mem[i] % IOMEM_PAGE, 0);
		CU_ASSERT_EQUAL(mem[i][0] | mem[i][BYTES - 1], 0);
		memset(mem[i], (int)i + 1, BYTES);
	}
	for (size_t i = 0; i < ARRAY_SIZE(mem); i++) {
		CU_ASSERT_EQUAL(mem[i][0], i + 1);
		CU_ASSERT_EQUAL(mem[i][BYTES - 1], i + 1);
		iomem_unmap(mem[i], BYTES);
	}
	CU_ASSERT_PTR_NULL(iomem_map(SIZE_MAX / 4));
}

int main(void)
{
	return UNIT_RUN(UNIT(test_iomem), UNIT(test_byte_order), UNIT(test_checked_arithmetic), UNIT(test_range_inside),
		UNIT(test_rounding), UNIT(test_all_zero), UNIT(test_text_sanitize), UNIT(test_text_cut), UNIT(test_text_is_date), UNIT(test_text_is_uuid),
		UNIT(test_error_table), UNIT(test_error_exit_status), UNIT(test_diag),
		UNIT(test_blkdev_checks));
}
