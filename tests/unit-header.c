/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of looking after a header: what ciphertext looks like. */
#include <gcrypt.h>
#include <string.h>

#include "kernel-shim/cryptdev.h"
#include "keymgr/randomness.h"
#include "tests/unit.h"

static void test_randomness(void)
{
	uint8_t sector[RANDOMNESS_BYTES];

	CU_ASSERT_EQUAL_FATAL(crypto_init(), 0);
	for (int i = 0; i < 100000; i++) {
		gcry_create_nonce(sector, sizeof(sector));
		if (!randomness_likely(sector))
			CU_FAIL("random bytes");
	}
	memset(sector, 0, sizeof(sector));
	CU_ASSERT_FALSE(randomness_likely(sector));
	for (size_t i = 0; i < sizeof(sector); i++)
		sector[i] = (uint8_t)i; /* more uniform than chance is */
	CU_ASSERT_FALSE(randomness_likely(sector));
	for (size_t i = 0; i < sizeof(sector); i++)
		sector[i] = (uint8_t) "the quick brown fox jumps over "[i % 31];
	CU_ASSERT_FALSE(randomness_likely(sector));
	gcry_create_nonce(sector, sizeof(sector));
	memset(sector, 0, 64); /* an eighth of it is gone */
	CU_ASSERT_FALSE(randomness_likely(sector));
	for (size_t i = 0; i < sizeof(sector); i++)
		sector[i] = (uint8_t)(sector[i] & 0x7f); /* base64, text, ... */
	CU_ASSERT_FALSE(randomness_likely(sector));
}

int main(void)
{
	return UNIT_RUN(UNIT(test_randomness));
}
