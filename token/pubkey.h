/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Public keys of tokens, and secrets encrypted to them. What opens a key slot is base64 of D:
 *	RSA	D is random, half as long as the modulus, and wrapped is D encrypted (PKCS #1 v1.5 or OAEP)
 *	EC	wrapped is the point of an ephemeral key (SEC 1, uncompressed), D the x coordinate of the
 *		shared point (SP 800-56A 5.7.1.2), without key derivation
 * as systemd-cryptenroll has them.
 */
#ifndef TOKEN_PUBKEY_H
#define TOKEN_PUBKEY_H

#include "keymgr/token.h"

enum {
	PUBKEY_RSA_BYTES_MIN = 256, /* 2048 bits */
	PUBKEY_RSA_BYTES_MAX = 1024,
	PUBKEY_POINT_MAX = 133, /* P-521 */
};

enum pubkey_type { PUBKEY_RSA, PUBKEY_EC };

struct pubkey {
	enum pubkey_type type;
	uint8_t n[PUBKEY_RSA_BYTES_MAX], e[8]; /* RSA: big endian, no leading zeros */
	size_t n_len, e_len;
	const char *curve; /* EC: libgcrypt's name, static */
	uint8_t point[PUBKEY_POINT_MAX];
	size_t point_len;
};

/* All return -SDE_TOKEN with diag for what cannot be used. */
int pubkey_from_rsa(const uint8_t *n, size_t n_len, const uint8_t *e, size_t e_len,
	struct pubkey *ret_key, struct diag *diag) MUST_CHECK;
/* params: CKA_EC_PARAMS (DER of the curve's OID); point: CKA_EC_POINT, as DER OCTET STRING or raw. */
int pubkey_from_ec(const uint8_t *params, size_t params_len, const uint8_t *point, size_t point_len,
	struct pubkey *ret_key, struct diag *diag) MUST_CHECK;
/* der: an X.509 certificate. */
int pubkey_from_certificate(const uint8_t *der, size_t len, struct pubkey *ret_key, struct diag *diag) MUST_CHECK;

/* Makes D, wraps it (token->wrapped, token->padding), and returns base64(D). */
int pubkey_wrap(const struct pubkey *key, enum token_padding padding, struct token_pkcs11 *token,
	struct secret **ret_passphrase, struct diag *diag) MUST_CHECK;

/* base64 of secret: the passphrase that D stands for. */
int token_passphrase(const struct secret *d, struct secret **ret_passphrase) MUST_CHECK;

#endif
