/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Passphrase to key: PBKDF2 (RFC 8018) by libgcrypt, Argon2 (RFC 9106) by libargon2. */
#ifndef KEYMGR_KDF_H
#define KEYMGR_KDF_H

#include "base/secret.h"
#include "keymgr/luks2.h"

enum { KDF_SALT_BYTES = 32 };

bool kdf_type_of(const char *name, enum luks2_kdf_type *ret_type) MUST_CHECK;

/*
 * Fills all of key. -SDE_KDF_MEMORY when the machine cannot give the memory now (found out before
 * any is touched), -EINVAL for costs that the function does not have, -SDE_CRYPTO.
 */
int kdf_derive(const struct luks2_kdf *kdf, const struct secret *passphrase, struct secret *key,
	struct diag *diag) MUST_CHECK;
/* PBKDF2 of a secret to something that is public. */
int kdf_pbkdf2(const char *hash, const struct secret *passphrase, const uint8_t *salt,
	uint32_t salt_len, uint32_t iterations, void *out, size_t out_len) MUST_CHECK;

/*
 * Whether costs that are given (not 0) are inside the limits for new keyslots, which are
 * cryptsetup's. -SDE_USAGE with diag.
 */
int kdf_check_costs(const struct luks2_kdf *kdf, struct diag *diag) MUST_CHECK;
/*
 * Sets costs that are 0 so that one derivation of key_bytes takes about iter_time_ms here, and
 * still opens on a machine with weakest_bytes of memory (0: 4 GiB). Takes a second or so. -SDE_CRYPTO,
 * -SDE_KDF_MEMORY, -ENOMEM.
 */
int kdf_calibrate(struct luks2_kdf *kdf, uint32_t key_bytes, uint32_t iter_time_ms,
	uint64_t weakest_bytes) MUST_CHECK;
/* About how long one derivation takes here, from a much shorter one. */
int kdf_estimate(const struct luks2_kdf *kdf, uint32_t key_bytes, uint64_t *ret_ms) MUST_CHECK;

#endif
