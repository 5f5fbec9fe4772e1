/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/tokens.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "keymgr/base64.h"

enum { BASE64_TEXT_MAX = 65536 };

static const struct {
	const char *type; /* a beginning when it ends in '*' */
	enum token_kind kind;
} kinds[] = {
	{"systemd-pkcs11", TOKEN_PKCS11},
	{"systemd-fido2", TOKEN_FIDO2},
	{"systemd-tpm2", TOKEN_TPM2},
	{"systemd-recovery", TOKEN_RECOVERY},
	{"x-sealdrive-recovery", TOKEN_RECOVERY},
	{"x-sealdrive-escrow", TOKEN_RECOVERY},
	{"sealdrive-recovery", TOKEN_RECOVERY},
	{"sealdrive-escrow", TOKEN_RECOVERY},
	{"luks2-keyring", TOKEN_KEYRING},
	{"ssh", TOKEN_SSH},
	{"clevis", TOKEN_CLEVIS},
	{"sealdrive-shares", TOKEN_SHARES},
	{"sealdrive-both", TOKEN_BOTH},
};

enum token_kind token_kind_of(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].type, type) == 0)
			return kinds[i].kind;
	if (strncmp(type, "x-sealdrive-", 12) == 0 || strncmp(type, "sealdrive-", 10) == 0)
		return TOKEN_OURS;
	return TOKEN_UNKNOWN;
}

const json_t *token_json(const json_t *doc, const struct luks2_token *token)
{
	char id[16];

	snprintf(id, sizeof(id), "%d", token->id);
	return json_object_get(json_object_get(doc, "tokens"), id);
}

uint32_t token_machine_slots(const struct luks2 *hdr)
{
	uint32_t slots = 0;

	for (int i = 0; i < hdr->token_count; i++) {
		switch (token_kind_of(hdr->tokens[i].type)) {
		case TOKEN_PKCS11:
		case TOKEN_FIDO2:
		case TOKEN_TPM2:
		case TOKEN_RECOVERY:
		case TOKEN_CLEVIS:
		case TOKEN_SHARES:
		case TOKEN_BOTH:
			slots |= hdr->tokens[i].keyslots;
			break;
		default:
			break;
		}
	}
	return slots;
}

bool token_two_factor(enum token_kind kind, const json_t *json)
{
	switch (kind) {
	case TOKEN_PKCS11: /* the card and its PIN */
	case TOKEN_BOTH:
		return true;
	case TOKEN_FIDO2:
		return json_is_true(json_object_get(json, "fido2-clientPin-required")) ||
		       json_is_true(json_object_get(json, "fido2-uv-required"));
	case TOKEN_TPM2:
		return json_is_true(json_object_get(json, "tpm2-pin"));
	default:
		return false;
	}
}

bool token_unattended(enum token_kind kind, const json_t *json)
{
	switch (kind) {
	case TOKEN_KEYRING:
	case TOKEN_SSH:
	case TOKEN_CLEVIS:
		return true;
	case TOKEN_TPM2:
		return !json_is_true(json_object_get(json, "tpm2-pin"));
	default:
		return false;
	}
}

const char *token_string(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text ? text : "";
}

long token_base64_bytes(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));
	CLEANUP_FREE uint8_t *bytes = NULL;
	size_t len;

	if (!text || strlen(text) > BASE64_TEXT_MAX)
		return -1;
	bytes = malloc(BASE64_TEXT_MAX);
	if (!bytes || base64_decode(text, bytes, BASE64_TEXT_MAX, &len))
		return -1;
	return (long)len;
}
