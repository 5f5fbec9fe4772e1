/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The anti-forensic splitter of LUKS (TKS1): a key spread over `stripes` blocks in such a way that
 * losing any one of them loses the key. Source: LUKS On-Disk Format 1.2.3, section 2.4.
 */
#ifndef KEYMGR_AF_H
#define KEYMGR_AF_H

#include <stdint.h>

#include "base/secret.h"

enum { AF_STRIPES = 4000, AF_SECTOR_BYTES = 512 };

/* Bytes of the split key, in whole sectors. Both are small enough not to overflow. */
static inline uint64_t af_bytes(uint32_t key_bytes, uint32_t stripes)
{
	return ((uint64_t)key_bytes * stripes + AF_SECTOR_BYTES - 1) / AF_SECTOR_BYTES *
	       AF_SECTOR_BYTES;
}

/* -EINVAL for an unknown hash, -ENOMEM, -SDE_CRYPTO. */
int af_split(const struct secret *key, uint32_t stripes, const char *hash,
	struct secret **ret_material) MUST_CHECK;
/* material holds af_bytes() of it. */
int af_merge(const struct secret *material, uint32_t key_bytes, uint32_t stripes, const char *hash,
	struct secret **ret_key) MUST_CHECK;

#endif
