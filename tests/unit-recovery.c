/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Recovery keys: the one form, from whatever is typed. That systemd and cryptsetup agree is
 * tests/recovery.sh's business. */
#include <errno.h>
#include <string.h>

#include "kernel-shim/cryptdev.h"
#include "keymgr/recovery.h"
#include "tests/dev/leaks.h"
#include "tests/unit.h"

/* from systemd's own test of its modhex */
static const char known[] = "iefgcelh-biduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgktj";

static bool becomes(const char *typed, const char *wanted)
{
	CLEANUP_SECRET struct secret *in = NULL, *out = NULL;

	CU_ASSERT_EQUAL_FATAL(secret_new_copy(typed, strlen(typed), &in), 0);
	int r = recovery_normalise(in, &out);

	if (!wanted)
		return r == -EINVAL && !out;
	return r == 0 && secret_len(out) == strlen(wanted) && !memcmp(secret_data(out), wanted, strlen(wanted));
}

static void test_typed(void)
{
	CU_ASSERT(becomes(known, known));
	CU_ASSERT(becomes("iefgcelhbiduvkjvcjvuncnkvlfchdidjhtuhhdeurkllkegilkjgbrthjkbgktj", known));
	CU_ASSERT(becomes("IEFGCELH-BIDUVKJV-CJVUNCNK-VLFCHDID-JHTUHHDE-URKLLKEG-ILKJGBRT-HJKBGKTJ", known));
	CU_ASSERT(becomes("Iefgcelh biduvkjv cjvuncnk vlfchdid jhtuhhde urkllkeg ilkjgbrt hjkbgktj", known));
	CU_ASSERT(becomes("ie-fgcelhbidu-vkjvcjvuncnk-vlfchdidjhtuhhde urkllkegilkjgbrthjkbgktj ", known));
}

static void test_not_one(void)
{
	static const char *const others[] = {
		"x", "-", "correct horse battery staple",
		/* one letter less, one more, one that is none */
		"iefgcelh-biduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgkt",
		"iefgcelh-biduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgktjc",
		"iefgcelh-biduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgkta",
		"iefgcelh_biduvkjv_cjvuncnk_vlfchdid_jhtuhhde_urkllkeg_ilkjgbrt_hjkbgktj",
		"iefgcelh-biduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgktj\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		CU_ASSERT(becomes(others[i], NULL));
}

static void test_encoded(void)
{
	uint8_t bits[RECOVERY_BYTES];
	CLEANUP_SECRET struct secret *text = NULL;

	for (size_t i = 0; i < sizeof(bits); i++)
		bits[i] = (uint8_t)(i * 0x11);
	CU_ASSERT_EQUAL_FATAL(recovery_encode(bits, &text), 0);
	CU_ASSERT_EQUAL(secret_len(text), RECOVERY_CHARS);
	/* high nibble first */
	CU_ASSERT(!memcmp(secret_data(text),
		"ccbbddee-ffgghhii-jjkkllnn-rrttuuvv-bcdbedfe-gfhgihji-kjlknlrn-trutvucv",
		RECOVERY_CHARS));
}

static void test_made(void)
{
	CLEANUP_SECRET struct secret *a = NULL, *b = NULL, *again = NULL;

	CU_ASSERT_EQUAL_FATAL(recovery_make(&a), 0);
	CU_ASSERT_EQUAL_FATAL(recovery_make(&b), 0);
	CU_ASSERT(!secret_equal(a, b));
	CU_ASSERT_EQUAL_FATAL(recovery_normalise(a, &again), 0);
	CU_ASSERT(secret_equal(a, again));
}

int main(void)
{
	if (crypto_init() < 0)
		return 99;
	leaks_know_secure_memory();
	return UNIT_RUN(UNIT(test_typed), UNIT(test_not_one), UNIT(test_encoded), UNIT(test_made));
}
