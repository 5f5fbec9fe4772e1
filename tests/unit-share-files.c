/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shares in files: as text in whatever form (keymgr/share-file.h), and wrapped for tokens (keymgr/share-wrapped.h). */
#include <errno.h>
#include <gcrypt.h>
#include <string.h>

#include "kernel-shim/cryptdev.h"
#include "keymgr/share-file.h"
#include "keymgr/share-wrapped.h"
#include "tests/dev/leaks.h"
#include "tests/unit.h"

enum { COUNT = 3, THRESHOLD = 2 };

static struct share shares[COUNT];
static char text[SHARE_CHARS + 1]; /* of the first one */

static void make_shares(void)
{
	CLEANUP_SECRET struct secret *passphrase = NULL, *encoded = NULL;

	if (share_make(COUNT, THRESHOLD, shares, &passphrase) < 0 || share_encode(&shares[0], &encoded) < 0)
		abort();
	memcpy(text, secret_data_const(encoded), SHARE_CHARS);
}

static bool same(const struct share *a, const struct share *b)
{
	return !memcmp(a->set, b->set, sizeof(a->set)) && a->index == b->index && a->threshold == b->threshold &&
	       a->count == b->count && secret_equal(a->value, b->value);
}

/* ---- as text ---- */

static int from(const char *bytes, size_t len)
{
	struct share share = {0};
	struct diag diag = {0};
	int r = share_from_file(bytes, len, &share, &diag);

	if (r == 0 && !same(&share, &shares[0]))
		r = 1;
	CU_ASSERT(r != -SDE_SHARE || diag.detail[0]);
	share_clear(&share);
	return r;
}

/* What stands before and behind, and what is between its groups. */
static int around(const char *before, const char *gap, const char *behind)
{
	char file[4096];
	size_t len = (size_t)snprintf(file, sizeof(file), "%s", before);

	for (const char *at = text; *at; at++)
		len += (size_t)snprintf(file + len, sizeof(file) - len, *at == '-' ? "%s" : "%.1s", *at == '-' ? gap : at);
	len += (size_t)snprintf(file + len, sizeof(file) - len, "%s", behind);
	return from(file, len);
}

static void test_forms(void)
{
	CU_ASSERT_EQUAL(around("", "-", ""), 0);
	CU_ASSERT_EQUAL(around("", "", "\n"), 0);
	CU_ASSERT_EQUAL(around("\xef\xbb\xbf", "-\r\n", "\r\n"), 0);
	CU_ASSERT_EQUAL(around("A sheet\n\nDrive: x\n", "-", "\nKeep it.\n"), 0);
	CU_ASSERT_EQUAL(around("> A sheet\n> ", " ", "\n> Keep it.\n"), 0);
	CU_ASSERT_EQUAL(around("\xc2\xa0", "\xe2\x80\x93", "\xe2\x80\x8b"), 0);
	CU_ASSERT_EQUAL(around("", "\xe2\x88\x92", "\xe2\x80\xa8"), 0);
	CU_ASSERT_EQUAL(around("<svg a=\"bcde-fghi-jklnrtuv\">\n<text x=\"1\">", "-", "</text></svg>"), 0);
	CU_ASSERT_EQUAL(around("Drive: bbbbbbbb-bbbbbbbb-bbbbbbbb\n", "-", ""), 0);
	CU_ASSERT_EQUAL(around("", "*", ""), -SDE_SHARE);
	CU_ASSERT_EQUAL(around("\xff", "-", ""), -SDE_SHARE);
	CU_ASSERT_EQUAL(around("<svg ", "-", ""), -SDE_SHARE);
	CU_ASSERT_EQUAL(around("", "-", text), -SDE_SHARE);
	CU_ASSERT_EQUAL(from("", 0), -SDE_SHARE);
	CU_ASSERT_EQUAL(from("\0\0", 2), -SDE_SHARE);
	CU_ASSERT_EQUAL(from("\xff\xfe", 2), -SDE_SHARE);
	/* one that ends in the middle of a character */
	CU_ASSERT_EQUAL(around("", "-", "\xe2\x80"), -SDE_SHARE);
}

static void test_utf16(void)
{
	char file[2 + 2 * SHARE_CHARS + 1] = {0};

	for (int big = 0; big < 2; big++) {
		memcpy(file, big ? "\xfe\xff" : "\xff\xfe", 2);
		for (size_t i = 0; i < SHARE_CHARS; i++) {
			file[2 + 2 * i + (size_t)big] = text[i];
			file[2 + 2 * i + (size_t)!big] = 0;
		}
		CU_ASSERT_EQUAL(from(file, 2 + 2 * SHARE_CHARS), 0);
		/* half a character at the end */
		CU_ASSERT_EQUAL(from(file, 2 + 2 * SHARE_CHARS + 1), 0);
		CU_ASSERT_EQUAL(from(file, 2 * SHARE_CHARS), -SDE_SHARE);
	}
}

/* ---- for tokens ---- */

static struct both_part card(void)
{
	struct both_part part = {.kind = TOKEN_PKCS11};

	strcpy(part.pkcs11.uri, "pkcs11:token=Officer;id=%01");
	memset(part.pkcs11.wrapped, 0x5a, 65);
	part.pkcs11.wrapped_len = 65;
	return part;
}

static struct secret *secret_of(const char *bytes)
{
	struct secret *secret = NULL;

	if (secret_new_copy(bytes, strlen(bytes), &secret) < 0)
		abort();
	return secret;
}

static int unwrap(const struct share_wrapped *wrapped, const struct secret *secret)
{
	struct share share = {0};
	struct diag diag = {0};
	int r = share_unwrap(wrapped, secret, &share, &diag);

	if (r == 0 && !same(&share, &shares[1]))
		r = 1;
	CU_ASSERT(r != -SDE_SHARE || diag.detail[0]);
	share_clear(&share);
	return r;
}

static void test_wrapped(void)
{
	CLEANUP_SECRET struct secret *secret = secret_of("what the token gives"), *other = secret_of("what another gives");
	const struct both_part part = card();
	struct share_wrapped wrapped, second;

	CU_ASSERT_EQUAL_FATAL(share_wrap(&shares[1], &part, secret, &wrapped), 0);
	CU_ASSERT(!wrapped.claim.value);
	CU_ASSERT_EQUAL(unwrap(&wrapped, secret), 0);
	CU_ASSERT_EQUAL(unwrap(&wrapped, other), -SDE_SHARE);
	/* its key is used once */
	CU_ASSERT_EQUAL_FATAL(share_wrap(&shares[1], &part, secret, &second), 0);
	CU_ASSERT(memcmp(wrapped.salt, second.salt, sizeof(second.salt)) != 0);
	CU_ASSERT(memcmp(wrapped.sealed, second.sealed, sizeof(second.sealed)) != 0);
	for (size_t i = 0; i < sizeof(wrapped.sealed) * 8; i++) {
		struct share_wrapped damaged = wrapped;

		damaged.sealed[i / 8] ^= (uint8_t)(1 << i % 8);
		CU_ASSERT_EQUAL(unwrap(&damaged, secret), -SDE_SHARE);
	}
	for (size_t i = 0; i < sizeof(wrapped.salt); i++) {
		struct share_wrapped damaged = wrapped;

		damaged.salt[i] ^= 1;
		CU_ASSERT_EQUAL(unwrap(&damaged, secret), -SDE_SHARE);
	}
	second = wrapped;
	second.claim.index = 3;
	CU_ASSERT_EQUAL(unwrap(&second, secret), -SDE_SHARE);
	second = wrapped;
	second.claim.set[0] ^= 1;
	CU_ASSERT_EQUAL(unwrap(&second, secret), -SDE_SHARE);
}

static void test_wrapped_file(void)
{
	CLEANUP_SECRET struct secret *secret = secret_of("what the token gives");
	const struct both_part part = card();
	struct share_wrapped wrapped, again;
	CLEANUP_FREE char *file = NULL;
	struct diag diag = {0};
	size_t len;

	CU_ASSERT_EQUAL_FATAL(share_wrap(&shares[1], &part, secret, &wrapped), 0);
	CU_ASSERT_EQUAL_FATAL(share_wrapped_write(&wrapped, &file), 0);
	len = strlen(file);
	CU_ASSERT(share_is_wrapped(file, len));
	CU_ASSERT(!share_is_wrapped(text, SHARE_CHARS));
	CU_ASSERT(!share_is_wrapped("", 0));
	CU_ASSERT_EQUAL_FATAL(share_wrapped_read(file, len, &again, &diag), 0);
	CU_ASSERT_EQUAL(unwrap(&again, secret), 0);
	CU_ASSERT_EQUAL(memcmp(&again.token, &wrapped.token, sizeof(again.token)), 0);
	/* nothing of the share stands in it */
	CU_ASSERT(!memmem(file, len, text, SHARE_GROUP));
	/* one that is cut off anywhere */
	for (size_t cut = 0; cut < len - 1; cut++)
		if (share_wrapped_read(file, cut, &again, &diag) != -SDE_SHARE && cut < len - 2)
			CU_FAIL("a part of the file");
}

int main(void)
{
	int r;

	if (crypto_init() < 0)
		return 99;
	leaks_know_secure_memory();
	make_shares();
	r = UNIT_RUN(UNIT(test_forms), UNIT(test_utf16), UNIT(test_wrapped), UNIT(test_wrapped_file));
	for (unsigned i = 0; i < COUNT; i++)
		share_clear(&shares[i]);
	return r;
}
