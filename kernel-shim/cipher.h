/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sector ciphers of dm-crypt that we open drives with, on libgcrypt. Private to kernel-shim/.
 *
 * Sources: IEEE 1619 and NIST SP 800-38E (XTS), NIST SP 800-38A (CBC), the kernel's dm-crypt
 * documentation (names, plain, plain64, essiv).
 */
#ifndef KERNEL_SHIM_CIPHER_H
#define KERNEL_SHIM_CIPHER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/secret.h"

enum cipher_iv {
	CIPHER_IV_PLAIN,   /* low 32 bits of the sector number, little endian */
	CIPHER_IV_PLAIN64, /* all 64 bits */
	CIPHER_IV_ESSIV,   /* plain64 encrypted with AES under SHA-256 of the key */
};

struct cipher_spec {
	const char *name; /* dm-crypt notation */
	int mode;	  /* libgcrypt's */
	enum cipher_iv iv;
	size_t key_bytes[3]; /* allowed lengths; 0: none */
};

/* NULL with the reason in diag when the cipher with this key length is not on the allow-list. */
const struct cipher_spec *cipher_spec_find(const char *name, size_t key_bytes, struct diag *diag);

struct cipher; /* key schedules in secure memory; one thread at a time */

/* -SDE_WEAK_KEY (XTS halves equal), -ENOMEM (secure memory used up too), -SDE_CRYPTO. The key's
 * length is one of the spec's. */
int cipher_new(const struct cipher_spec *spec, const struct secret *key, struct cipher **ret_cipher) MUST_CHECK;
void cipher_free(struct cipher *cipher); /* wipes */

/*
 * len bytes, a multiple of sector_bytes, from in to out (the same buffer, or not overlapping).
 * iv_sector: number of the first sector; counts 512 bytes whatever sector_bytes is.
 */
int cipher_encrypt(struct cipher *cipher, void *out, const void *in, size_t len,
	uint32_t sector_bytes, uint64_t iv_sector) MUST_CHECK;
int cipher_decrypt(struct cipher *cipher, void *out, const void *in, size_t len,
	uint32_t sector_bytes, uint64_t iv_sector) MUST_CHECK;

#endif
