/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Forms of passphrases (vectors of UAX #15 and Vietnamese), and which ones are too easy to guess. */
#include <errno.h>
#include <string.h>

#include "keymgr/quality.h"
#include "keymgr/unicode.h"
#include "tests/unit.h"

static struct secret *secret_of(const char *text, size_t len)
{
	struct secret *secret = NULL;

	CU_ASSERT_EQUAL_FATAL(secret_new_copy(text, len, &secret), 0);
	return secret;
}

static bool form_is(const char *from, enum unicode_form form, const char *to)
{
	CLEANUP_SECRET struct secret *text = secret_of(from, strlen(from)), *got = NULL;

	return unicode_form(text, form, &got) == 0 && secret_len(got) == strlen(to) &&
	       memcmp(secret_data(got), to, strlen(to)) == 0;
}

static void both(const char *any, const char *nfc, const char *nfd)
{
	const char *const from[] = {any, nfc, nfd};

	for (int i = 0; i < 3; i++) {
		CU_ASSERT(form_is(from[i], UNICODE_NFC, nfc));
		CU_ASSERT(form_is(from[i], UNICODE_NFD, nfd));
	}
}

static void test_forms(void)
{
	both("abc 123", "abc 123", "abc 123");
	/* Vietnamese: ậ as one character, as â and a dot, as a with dot and circumflex in both orders */
	both("m\u00e2\u0323t", "m\u1eadt", "ma\u0323\u0302t");
	both("ma\u0302\u0323t", "m\u1eadt", "ma\u0323\u0302t");
	both("\u1ed3 \u01b0\u0303", "\u1ed3 \u1eef", "o\u0302\u0300 u\u031b\u0303");
	both("\u0111", "\u0111", "\u0111");
	/* UAX #15, figures 3 to 5 */
	both("\u212b", "\u00c5", "A\u030a");
	both("\u2126", "\u03a9", "\u03a9");
	both("\u1e9b\u0323", "\u1e9b\u0323", "\u017f\u0323\u0307");
	both("\u1e0b\u0323", "\u1e0d\u0307", "d\u0323\u0307");
	both("q\u0307\u0323", "q\u0323\u0307", "q\u0323\u0307");
	/* not composed again; Hangul; a mark without a letter */
	both("\u0958", "\u0915\u093c", "\u0915\u093c");
	both("\uac01", "\uac01", "\u1100\u1161\u11a8");
	both("\u0301a", "\u0301a", "\u0301a");
	both("a\u0301\u0301", "\u00e1\u0301", "a\u0301\u0301");
	/* a mark that a letter in between takes out of reach */
	both("a\u0327b\u0301", "a\u0327b\u0301", "a\u0327b\u0301");
}

static void test_no_form(void)
{
	static const char *const bad[] = {"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\xaf", "abc\x80"};
	CLEANUP_SECRET struct secret *big = NULL, *form = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP_SECRET struct secret *text = secret_of(bad[i], strlen(bad[i]));

		CU_ASSERT_EQUAL(unicode_form(text, UNICODE_NFC, &form), -EILSEQ);
		CU_ASSERT_EQUAL(unicode_length(text), strlen(bad[i]));
	}
	CU_ASSERT_EQUAL_FATAL(secret_new(5000, &big), 0);
	CU_ASSERT_EQUAL(unicode_form(big, UNICODE_NFC, &form), -E2BIG);
}

/* The longest there is, of the character that grows most. */
static void test_longest(void)
{
	CLEANUP_SECRET struct secret *text = NULL, *form = NULL;

	CU_ASSERT_EQUAL_FATAL(secret_new(512, &text), 0);
	for (size_t i = 0; i < 510; i += 3)
		memcpy((char *)secret_data(text) + i, "\u1fa7", 3);
	secret_truncate(text, 510);
	CU_ASSERT_EQUAL(unicode_length(text), 170);
	CU_ASSERT_EQUAL_FATAL(unicode_form(text, UNICODE_NFD, &form), 0);
	CU_ASSERT_EQUAL(unicode_length(form), 4 * 170);
}

static bool is_weak(const char *text)
{
	static const char *const names[] = {"Hồ sơ", "lan", NULL};
	CLEANUP_SECRET struct secret *passphrase = secret_of(text, strlen(text));
	struct diag diag = {0};
	int r = quality_judge(passphrase, names, &diag);

	CU_ASSERT(r == 0 || r == -SDE_WEAK_PASSPHRASE);
	CU_ASSERT_EQUAL(r != 0, diag.detail[0] != '\0');
	CU_ASSERT(r == 0 || !strstr(diag.detail, text));
	return r != 0;
}

static void test_quality(void)
{
	static const char *const weak[] = {"1234567", "12345678", "aaaaaaaaaaaa", "abababababab", "password1",
		"Matkhau@2024", "mat khau 1", "mật khẩu 123", "Hồ sơ 2025", "lan12345678", "qwertyuiop",
		"iloveyou!!", "MẬT"};
	static const char *const good[] = {"correct horse 9", "Hồ sơ mật của tôi", "tôi yêu tiếng Việt lắm",
		"bốn con mèo đen", "xK3#vv09aQ", "рыба летит домой"};

	for (size_t i = 0; i < ARRAY_SIZE(weak); i++)
		if (!is_weak(weak[i]))
			CU_FAIL(weak[i]);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (is_weak(good[i]))
			CU_FAIL(good[i]);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_forms), UNIT(test_no_form), UNIT(test_longest), UNIT(test_quality));
}
