/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/digest.h"

#include <gcrypt.h>

#include "base/bytes.h"
#include "keymgr/hash.h"
#include "keymgr/kdf.h"

enum { DIGEST_BYTES_MIN = 20, DIGEST_ITERATIONS_MIN = 1000 };

int digest_verify(const struct luks2_digest *digest, const struct secret *key)
{
	uint8_t computed[LUKS2_DIGEST_MAX];

	/* shorter than the hash: a volume that was LUKS version 1 once */
	if (digest->digest_len < DIGEST_BYTES_MIN || digest->salt_len != KDF_SALT_BYTES ||
		!hash_algo(digest->hash) || !digest->iterations)
		return -SDE_HEADER_INVALID;
	int r = kdf_pbkdf2(digest->hash, key, digest->salt, digest->salt_len, digest->iterations,
		computed, digest->digest_len);

	if (r)
		return r;
	return bytes_equal_ct(computed, digest->digest, digest->digest_len) ? 0 : -SDE_PASSPHRASE;
}

int digest_make_salted(const struct secret *key, uint32_t iter_time_ms, const uint8_t *salt,
	struct luks2_digest *ret_digest)
{
	struct luks2_digest digest = {
		.type = "pbkdf2", .hash = "sha256", .salt_len = KDF_SALT_BYTES};
	struct luks2_kdf cost = {.type = LUKS2_KDF_PBKDF2, .hash = "sha256"};
	int r;

	if (!iter_time_ms)
		cost.iterations = DIGEST_ITERATIONS_MIN;
	r = kdf_calibrate(&cost, hash_bytes(digest.hash), iter_time_ms, 0);
	if (r)
		return r;
	digest.iterations = cost.iterations;
	digest.digest_len = hash_bytes(digest.hash);
	memcpy(digest.salt, salt, KDF_SALT_BYTES);
	r = kdf_pbkdf2(digest.hash, key, digest.salt, digest.salt_len, digest.iterations,
		digest.digest, digest.digest_len);
	if (r)
		return r;
	*ret_digest = digest;
	return 0;
}

int digest_make(const struct secret *key, uint32_t iter_time_ms, struct luks2_digest *ret_digest)
{
	uint8_t salt[KDF_SALT_BYTES];

	gcry_randomize(salt, sizeof(salt), GCRY_STRONG_RANDOM);
	return digest_make_salted(key, iter_time_ms, salt, ret_digest);
}
