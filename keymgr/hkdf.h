/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* HKDF (RFC 5869) with SHA-256, and the HMAC below it (RFC 2104), on libgcrypt. */
#ifndef KEYMGR_HKDF_H
#define KEYMGR_HKDF_H

#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"

enum { HMAC_BYTES = 32, HKDF_OUT_MAX = 255 * HMAC_BYTES };

struct bytes_part {
	const void *data;
	size_t len;
};

/* HMAC-SHA-256 over the parts, one after the other. -SDE_CRYPTO. */
int hmac_sha256(const struct secret *key, const struct bytes_part *parts, size_t count,
	uint8_t ret_mac[HMAC_BYTES]) MUST_CHECK;

/*
 * Fills all of ret_out, of at most HKDF_OUT_MAX bytes, with key material for the purpose that info
 * names. salt is not secret and may be empty. -EINVAL, -ENOMEM, -SDE_CRYPTO.
 */
int hkdf_sha256(const struct secret *key, const void *salt, size_t salt_len, const void *info,
	size_t info_len, struct secret *out) MUST_CHECK;

#endif
