/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A share that only the token of its holder can read, as a file: JSON text of one object,
 *
 *	type       "sealdrive-share"
 *	about      a sentence for whoever finds the file; not read
 *	set        16 letters of modhex: the set that it is of
 *	share      its number, 1 to shares
 *	shares     how many there are, 2 to 32
 *	threshold  how many open the key slot, 2 to shares
 *	token      a part as in keymgr/both.h, of type systemd-pkcs11 or systemd-fido2: what the token needs to give its secret
 *	salt       base64 of 32 random bytes
 *	sealed     base64 of the 49 bytes of keymgr/share.h, encrypted, and 16 bytes of authentication
 *
 * sealed is AES-256-GCM (SP 800-38D) with twelve zero bytes as nonce, since its key is used once:
 *
 *	key = HKDF-SHA-256(the token's secret, salt, "sealdrive wrapped share 1"), 32 bytes
 *
 * What stands outside of sealed helps to name what is wrong before a PIN is asked for; it has to be the same inside.
 */
#ifndef KEYMGR_SHARE_WRAPPED_H
#define KEYMGR_SHARE_WRAPPED_H

#include "keymgr/both.h"
#include "keymgr/share.h"

enum { SHARE_SALT_BYTES = 32, SHARE_SEALED_BYTES = SHARE_BYTES + 16 };

struct share_wrapped {
	struct share claim; /* without a value */
	struct both_part token;
	uint8_t salt[SHARE_SALT_BYTES], sealed[SHARE_SEALED_BYTES];
};

/* Whether the file may be one: else it is a share as text. */
bool share_is_wrapped(const void *bytes, size_t len);
/* -SDE_SHARE with diag. */
int share_wrapped_read(const void *bytes, size_t len, struct share_wrapped *ret_wrapped, struct diag *diag) MUST_CHECK;
/* The text of the file, with a final newline. The caller frees. -ENOMEM. */
int share_wrapped_write(const struct share_wrapped *wrapped, char **ret_text) MUST_CHECK;

/* secret: what the token gave. -ENOMEM, -SDE_CRYPTO. */
int share_wrap(const struct share *share, const struct both_part *token, const struct secret *secret,
	struct share_wrapped *ret_wrapped) MUST_CHECK;
/* -SDE_SHARE with diag: damaged, or not of this token. */
int share_unwrap(const struct share_wrapped *wrapped, const struct secret *secret, struct share *ret_share,
	struct diag *diag) MUST_CHECK;

#endif
