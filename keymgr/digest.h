/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Digests: whether a key that came out of a keyslot is the right one. Format section 3.4. */
#ifndef KEYMGR_DIGEST_H
#define KEYMGR_DIGEST_H

#include "base/secret.h"
#include "keymgr/luks2.h"

/* 0, -SDE_PASSPHRASE when it is another key, -SDE_HEADER_INVALID when the digest cannot be
 * computed. */
int digest_verify(const struct luks2_digest *digest, const struct secret *key) MUST_CHECK;
/* A new PBKDF2-SHA256 digest of key that takes about iter_time_ms (0: as little as is allowed);
 * keyslots, segments and id are the caller's. */
int digest_make(const struct secret *key, uint32_t iter_time_ms,
	struct luks2_digest *ret_digest) MUST_CHECK;
/* The same with a salt of KDF_SALT_BYTES that the caller has chosen. */
int digest_make_salted(const struct secret *key, uint32_t iter_time_ms, const uint8_t *salt,
	struct luks2_digest *ret_digest) MUST_CHECK;

#endif
