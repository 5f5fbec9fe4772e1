/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A key slot that needs two things together: two tokens, or a token and a passphrase. A token object of our own, type
 * "sealdrive-both", with one key slot in keyslots, 32 random bytes of salt (base64), and two parts, in this order:
 *
 *	{"type": "systemd-pkcs11", ...}   as the token object of that type, without keyslots
 *	{"type": "systemd-fido2", ...}
 *	{"type": "passphrase"}            the second one only
 *
 * Each part gives a secret: a token the one that were the passphrase if it were alone (base64), a passphrase itself in
 * Unicode's form NFC. With lengths as four bytes, most significant first, the passphrase of the key slot is
 *
 *	hexadecimal digits of HKDF-SHA-256(length 1 | secret 1 | length 2 | secret 2, salt, "sealdrive two of two 1"), 32 bytes
 *
 * (RFC 5869), so neither secret says anything of it without the other.
 */
#ifndef KEYMGR_BOTH_H
#define KEYMGR_BOTH_H

#include <jansson.h>

#include "keymgr/token.h"

#define BOTH_TYPE "sealdrive-both"

enum { BOTH_SALT_BYTES = 32 };

struct both_part {
	enum token_kind kind; /* TOKEN_PKCS11, TOKEN_FIDO2; TOKEN_UNKNOWN: a passphrase */
	union {
		struct token_pkcs11 pkcs11;
		struct token_fido2 fido2;
	};
};

struct both {
	uint8_t salt[BOTH_SALT_BYTES];
	struct both_part parts[2];
};

/* One part that is a token's. id: for messages. -SDE_TOKEN with diag. */
int both_part_read(const json_t *json, int id, struct both_part *ret_part, struct diag *diag) MUST_CHECK;
/* A new object; NULL: no memory. */
json_t *both_part_json(const struct both_part *part);

/* Token id of hdr. -SDE_TOKEN with diag: it is not such a token, or cannot be used. */
int both_read(const struct luks2 *hdr, int id, struct both *ret_both, struct diag *diag) MUST_CHECK;
/* The JSON text for luks2_token_put(). The caller frees. -ENOMEM. */
int both_write(const struct both *both, int keyslot, char **ret_text) MUST_CHECK;
/* -SDE_CRYPTO. */
int both_new_salt(uint8_t ret_salt[BOTH_SALT_BYTES]) MUST_CHECK;
/* The key slot's passphrase. -ENOMEM, -SDE_CRYPTO. */
int both_combine(const uint8_t salt[BOTH_SALT_BYTES], const struct secret *first, const struct secret *second,
	struct secret **ret_passphrase) MUST_CHECK;

#endif
