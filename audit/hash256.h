/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256 (FIPS 180-4) of what is public: headers, files, records of the log. By libgcrypt. */
#ifndef AUDIT_HASH256_H
#define AUDIT_HASH256_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

enum { HASH256_BYTES = 32, HASH256_HEX = 65 };

struct hash256 {
	void *handle;
};

int hash256_begin(struct hash256 *hash) MUST_CHECK; /* -SDE_CRYPTO */
void hash256_update(struct hash256 *hash, const void *data, size_t len);
/* The digest of all so far, which begins anew afterwards. */
void hash256_final(struct hash256 *hash, uint8_t out[HASH256_BYTES]);
/* The same, and it goes on. -SDE_CRYPTO. */
int hash256_peek(const struct hash256 *hash, char out[HASH256_HEX]) MUST_CHECK;
void hash256_hex(struct hash256 *hash, char out[HASH256_HEX]);
void hash256_clear(struct hash256 *hash);
#define CLEANUP_HASH256 CLEANUP(hash256_clear)

/* In one call, of up to two parts: b may be NULL. */
void hash256_of(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[HASH256_BYTES]);
void hex_encode(const uint8_t *data, size_t len, char *out); /* 2 * len + 1 */
/* len bytes from exactly 2 * len small hexadecimal digits; -EINVAL. */
int hex_decode(const char *text, uint8_t *out, size_t len) MUST_CHECK;

#endif
