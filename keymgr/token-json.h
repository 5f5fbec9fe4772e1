/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Members of token objects, for those that hold other ones. Same rules as keymgr/token.h. */
#ifndef KEYMGR_TOKEN_JSON_H
#define KEYMGR_TOKEN_JSON_H

#include <jansson.h>

#include "keymgr/token.h"

/* The object of token id when it is of that type, else NULL. */
const json_t *token_json_find(const struct luks2 *hdr, int id, const char *type);
/* Base64 of 1 to room bytes. */
bool token_json_bytes(const json_t *value, uint8_t *out, size_t room, size_t *ret_len);
/* id: for messages. -SDE_TOKEN with diag. */
int token_json_pkcs11(const json_t *json, int id, struct token_pkcs11 *ret_token, struct diag *diag) MUST_CHECK;
int token_json_fido2(const json_t *json, int id, struct token_fido2 *ret_token, struct diag *diag) MUST_CHECK;
/* New objects; NULL: no memory. */
json_t *token_json_from_pkcs11(const struct token_pkcs11 *token);
json_t *token_json_from_fido2(const struct token_fido2 *token);

#endif
