/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Comparisons of secrets, with the secrets marked as undefined: valgrind then reports every branch and
 * every address that depends on them (the idea of ctgrind). Only under valgrind, see constant-time.sh.
 *
 *	constant-time ours | memcmp
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "base/secret.h"

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

int main(int argc, char **argv)
{
	CLEANUP_SECRET struct secret *a = secret_of(1), *b = secret_of(2), *same = secret_of(1);

	if (argc != 2 || !a || !b || !same)
		return 2;
	if (!strcmp(argv[1], "memcmp"))
		return revealed(memcmp(secret_data(a), secret_data(b), LEN)) == 0;
	/* right answers, without a branch on the way */
	return revealed(bytes_equal_ct(secret_data(a), secret_data(b), LEN)) != 0 ||
	       revealed(bytes_equal_ct(secret_data(a), secret_data(same), LEN)) != 1 ||
	       revealed(secret_equal(a, b)) != 0 || revealed(secret_equal(a, same)) != 1;
}
