/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is done with secrets byte by byte, with the secrets marked as undefined: valgrind then reports every branch and
 * every address that depends on them (the idea of ctgrind). Only under valgrind, see constant-time.sh.
 *
 *	constant-time ours | memcmp | shares | table
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "base/secret.h"
#include "keymgr/gf256.h"
#include "keymgr/share.h"

enum { LEN = 64 };

static struct secret *secret_of(uint8_t last)
{
	struct secret *secret;

	if (secret_new(LEN, &secret))
		return NULL;
	memset(secret_data(secret), 0x5a, LEN);
	((uint8_t *)secret_data(secret))[LEN - 1] = last;
	VALGRIND_MAKE_MEM_UNDEFINED(secret_data(secret), LEN);
	return secret;
}

/* What everybody may know in the end. */
static int revealed(int result)
{
	VALGRIND_MAKE_MEM_DEFINED(&result, sizeof(result));
	return result;
}

/* Products by a table of logarithms, as they are often made: what must be found out. */
static int by_table(const struct secret *a)
{
	static const uint8_t logarithms[256] = {0, 1};

	return revealed(logarithms[((const uint8_t *)secret_data_const(a))[0]]) != 0;
}

/* The values are secret from here on, the text and the passphrase are what they are made for. */
static int shares(void)
{
	CLEANUP_SECRET struct secret *passphrase = NULL, *again = NULL, *text = NULL;
	CLEANUP_SHARE_TEXT struct share_text typed = SHARE_TEXT_NONE;
	struct share shares[3], read = {0};
	int bad = share_make(3, 2, shares, &passphrase);

	if (bad)
		return 2;
	for (unsigned i = 0; i < 3; i++)
		VALGRIND_MAKE_MEM_UNDEFINED(secret_data(shares[i].value), SHARE_SECRET_BYTES);
	bad |= revealed(gf256_inverse(((uint8_t *)secret_data(shares[0].value))[0])) > 255;
	bad |= share_combine(shares + 1, 2, &again) != 0 || revealed(secret_equal(passphrase, again)) != 1;
	bad |= share_encode(&shares[0], &text) != 0;
	/* whether a letter is one, and a check letter right, everybody may see */
	VALGRIND_MAKE_MEM_DEFINED(secret_data(text), SHARE_CHARS);
	bad |= share_text_add(&typed, secret_data(text), SHARE_CHARS, NULL) != 0 ||
	       share_text_finish(&typed, &read, NULL) != 0 || revealed(secret_equal(read.value, shares[0].value)) != 1;
	share_clear(&read);
	for (unsigned i = 0; i < 3; i++)
		share_clear(&shares[i]);
	return bad;
}

int main(int argc, char **argv)
{
	CLEANUP_SECRET struct secret *a = secret_of(1), *b = secret_of(2), *same = secret_of(1);

	if (argc != 2 || !a || !b || !same)
		return 2;
	if (!strcmp(argv[1], "memcmp"))
		return revealed(memcmp(secret_data(a), secret_data(b), LEN)) == 0;
	if (!strcmp(argv[1], "table"))
		return by_table(a);
	if (!strcmp(argv[1], "shares"))
		return shares();
	/* right answers, without a branch on the way */
	return revealed(bytes_equal_ct(secret_data(a), secret_data(b), LEN)) != 0 ||
	       revealed(bytes_equal_ct(secret_data(a), secret_data(same), LEN)) != 1 ||
	       revealed(secret_equal(a, b)) != 0 || revealed(secret_equal(a, same)) != 1;
}
