/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hashes by the names that LUKS headers use ("sha256", "sha3-512"), as libgcrypt knows them. */
#ifndef KEYMGR_HASH_H
#define KEYMGR_HASH_H

#include "base/error.h"

enum { HASH_BYTES_MAX = 64 };

/* libgcrypt's number for the hash; 0 when the name is unknown, or this libgcrypt lacks it. */
int hash_algo(const char *name) MUST_CHECK;
/* Length of its digest in bytes; 0 as above. */
unsigned hash_bytes(const char *name) MUST_CHECK;

#endif
