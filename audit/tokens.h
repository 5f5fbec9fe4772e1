/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tokens of a header are, as far as their JSON says: none of it is authenticated. */
#ifndef AUDIT_TOKENS_H
#define AUDIT_TOKENS_H

#include <jansson.h>

#include "keymgr/luks2.h"

enum token_kind {
	TOKEN_UNKNOWN,
	TOKEN_PKCS11,
	TOKEN_FIDO2,
	TOKEN_TPM2,
	TOKEN_RECOVERY, /* a key of full entropy, on paper or with the inventory */
	TOKEN_KEYRING,
	TOKEN_SSH,
	TOKEN_CLEVIS,
	TOKEN_SHARES, /* a key of full entropy that several people share */
	TOKEN_BOTH, /* two tokens, or a token and a passphrase */
	TOKEN_OURS, /* a note of this program that opens nothing by itself */
};

enum token_kind token_kind_of(const char *type);
/* The JSON of a token of the model; never NULL. */
const json_t *token_json(const json_t *doc, const struct luks2_token *token);
/* Token of the model number i, its kind and JSON. */
#define FOR_EACH_TOKEN(in, token)                                                                  \
	for (const struct luks2_token *token = (in)->hdr->tokens;                                  \
		token < (in)->hdr->tokens + (in)->hdr->token_count; token++)

/* Key slots that a token of a kind with a machine's key names: bit mask of ids. */
uint32_t token_machine_slots(const struct luks2 *hdr);
/* Whether a token asks for a second factor, as far as it says. */
bool token_two_factor(enum token_kind kind, const json_t *json);
/* Whether it opens the drive without a person. */
bool token_unattended(enum token_kind kind, const json_t *json);

/* Strings and flags of a token: "" and missing when not there, or of another type. */
const char *token_string(const json_t *json, const char *name);
/* Length of base64 in bytes as decoded; -1: not base64, or not a string, or longer than 64 KiB. */
long token_base64_bytes(const json_t *json, const char *name);

#endif
