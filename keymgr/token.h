/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Token objects of a LUKS2 header as typed models. Sources: LUKS2 On-Disk Format 1.1.4 section 3.6;
 * the objects of systemd-cryptenroll (types systemd-pkcs11, systemd-fido2, systemd-recovery).
 *
 * No token has a checksum of its own, and whoever can write the header can write any: lengths are
 * checked before anything is decoded, and a URI loses whatever could name a PIN, a file or a module.
 */
#ifndef KEYMGR_TOKEN_H
#define KEYMGR_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "keymgr/luks2-update.h"

enum token_kind {
	TOKEN_UNKNOWN,
	TOKEN_PKCS11,	/* systemd-pkcs11: a smart card or another module's key */
	TOKEN_FIDO2,	/* systemd-fido2: hmac-secret of a security key */
	TOKEN_RECOVERY, /* systemd-recovery: a key on paper */
	TOKEN_TPM2,	/* systemd-tpm2 */
	TOKEN_CLEVIS,
	TOKEN_KEYRING, /* luks2-keyring */
	TOKEN_SSH,
};

enum token_kind token_kind(const char *type);
/* What opens a token of a kind that we only show: "systemd-cryptsetup, on the computer with ...",
 * translated; NULL for those that we use ourselves. */
const char *token_opened_by(enum token_kind kind);

enum {
	TOKEN_URI_MAX = 1024,	  /* bytes with the final zero */
	TOKEN_WRAPPED_MAX = 1024, /* bytes: RSA keys up to 8192 bits, points up to 133 bytes */
	TOKEN_CREDENTIAL_MAX = 1024,
	TOKEN_FIDO2_SALT = 32,
};

/* How pkcs11-key is encrypted to an RSA key; for EC keys it is a point, and this means nothing. */
enum token_padding { TOKEN_PKCS1V15, TOKEN_OAEP_SHA1, TOKEN_OAEP_SHA256 };

struct token_pkcs11 {
	char uri[TOKEN_URI_MAX]; /* as stored; see token/pkcs11-uri.h for what is used of it */
	uint8_t wrapped[TOKEN_WRAPPED_MAX];
	size_t wrapped_len;
	enum token_padding padding;
};

/* What a header may leave open (older systemd): the device decides. */
enum token_demand { TOKEN_UNSET, TOKEN_NO, TOKEN_YES };

struct token_fido2 {
	uint8_t credential[TOKEN_CREDENTIAL_MAX];
	size_t credential_len;
	uint8_t salt[TOKEN_FIDO2_SALT];
	char rp[256];
	enum token_demand pin, presence, verification;
};

/*
 * Token id of hdr. -SDE_TOKEN with diag: it is not such a token, or its content cannot be used.
 */
int token_read_pkcs11(const struct luks2 *hdr, int id, struct token_pkcs11 *ret_token,
	struct diag *diag) MUST_CHECK;
int token_read_fido2(const struct luks2 *hdr, int id, struct token_fido2 *ret_token,
	struct diag *diag) MUST_CHECK;

/*
 * Removes what the header says of the tokens and recovery keys that only key slots of the mask were for:
 * these are about to open the drive no more, and whoever revokes or replaces them later must not meet
 * another key in their place. Tokens of types that are not ours to make stay.
 */
int token_forget(struct luks2_update *update, uint32_t keyslots, struct diag *diag) MUST_CHECK;

/* The JSON text for luks2_token_put(), naming one key slot. The caller frees. -ENOMEM. */
int token_write_pkcs11(const struct token_pkcs11 *token, int keyslot, char **ret_text) MUST_CHECK;
int token_write_fido2(const struct token_fido2 *token, int keyslot, char **ret_text) MUST_CHECK;

#endif
