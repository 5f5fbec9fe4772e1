/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/hash.h"

#include <gcrypt.h>
#include <stddef.h>
#include <strings.h>

#include "base/cleanup.h"

static const struct {
	const char *name;
	int algo;
} hashes[] = {
	{"sha256", GCRY_MD_SHA256},
	{"sha512", GCRY_MD_SHA512},
	{"sha1", GCRY_MD_SHA1},
	{"sha224", GCRY_MD_SHA224},
	{"sha384", GCRY_MD_SHA384},
	{"ripemd160", GCRY_MD_RMD160},
	{"whirlpool", GCRY_MD_WHIRLPOOL},
	{"sha3-224", GCRY_MD_SHA3_224},
	{"sha3-256", GCRY_MD_SHA3_256},
	{"sha3-384", GCRY_MD_SHA3_384},
	{"sha3-512", GCRY_MD_SHA3_512},
	{"blake2b-512", GCRY_MD_BLAKE2B_512},
	{"blake2s-256", GCRY_MD_BLAKE2S_256},
	{"stribog256", GCRY_MD_STRIBOG256},
	{"stribog512", GCRY_MD_STRIBOG512},
	{"sm3", GCRY_MD_SM3},
};

int hash_algo(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++)
		if (!strcasecmp(name, hashes[i].name))
			return gcry_md_test_algo(hashes[i].algo) ? 0 : hashes[i].algo;
	return 0;
}

unsigned hash_bytes(const char *name)
{
	int algo = hash_algo(name);

	return algo ? gcry_md_get_algo_dlen(algo) : 0;
}
