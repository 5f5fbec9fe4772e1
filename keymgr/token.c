/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/token.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "keymgr/base64.h"
#include "keymgr/both.h"
#include "keymgr/custody.h"
#include "keymgr/luks2-json.h"
#include "keymgr/share-set.h"
#include "keymgr/token-json.h"

enum { FIDO2_RP_MAX = sizeof(((struct token_fido2 *)NULL)->rp) };

static const char default_rp[] = "io.systemd.cryptsetup";

static const struct {
	const char *type;
	enum token_kind kind;
	const char *opened_by;
} kinds[] = {
	{"systemd-pkcs11", TOKEN_PKCS11, NULL},
	{"systemd-fido2", TOKEN_FIDO2, NULL},
	{"systemd-recovery", TOKEN_RECOVERY, NULL},
	{"systemd-tpm2", TOKEN_TPM2, N_("systemd-cryptsetup on the computer whose TPM it was made with")},
	{"clevis", TOKEN_CLEVIS, N_("clevis luks unlock")},
	{"luks2-keyring", TOKEN_KEYRING, N_("cryptsetup, from a key in the kernel's keyring")},
	{"ssh", TOKEN_SSH, N_("cryptsetup with its ssh plugin")},
};

enum token_kind token_kind(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].type, type) == 0)
			return kinds[i].kind;
	return TOKEN_UNKNOWN;
}

const char *token_opened_by(enum token_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].kind == kind && kinds[i].opened_by)
			return _(kinds[i].opened_by);
	return NULL;
}

static int bad(struct diag *diag, int id, const char *field)
{
	return diag_set(diag, -SDE_TOKEN, _("token %d: '%s' is missing or cannot be used"), id, field);
}

const json_t *token_json_find(const struct luks2 *hdr, int id, const char *type)
{
	const json_t *token;
	const char *found;
	char name[16];

	snprintf(name, sizeof(name), "%d", id);
	token = json_object_get(json_object_get(hdr->json, "tokens"), name);
	found = json_string_value(json_object_get(token, "type"));
	return found && strcmp(found, type) == 0 ? token : NULL;
}

static bool copy_text(const json_t *value, char *out, size_t room)
{
	const char *text = json_string_value(value);

	/* a text may hold bytes that no URI and no name has: strlen() must tell the whole length */
	if (!text || json_string_length(value) >= room || strlen(text) != json_string_length(value))
		return false;
	memcpy(out, text, strlen(text) + 1);
	return true;
}

bool token_json_bytes(const json_t *value, uint8_t *out, size_t room, size_t *ret_len)
{
	const char *text = json_string_value(value);

	return text && json_string_length(value) <= BASE64_CHARS(room) &&
	       base64_decode(text, out, room, ret_len) == 0 && *ret_len > 0;
}

static bool read_padding(const json_t *value, enum token_padding *ret_padding)
{
	static const struct {
		const char *name;
		enum token_padding padding;
	} names[] = {
		{"pkcs1v15", TOKEN_PKCS1V15},
		{"oaep-sha1", TOKEN_OAEP_SHA1},
		{"oaep-sha256", TOKEN_OAEP_SHA256},
	};
	const char *text = json_string_value(value);

	*ret_padding = TOKEN_PKCS1V15;
	if (!value)
		return true;
	for (size_t i = 0; text && i < ARRAY_SIZE(names); i++) {
		if (strcmp(text, names[i].name) == 0) {
			*ret_padding = names[i].padding;
			return true;
		}
	}
	return false;
}

int token_json_pkcs11(const json_t *json, int id, struct token_pkcs11 *ret_token, struct diag *diag)
{
	struct token_pkcs11 token = {0};

	if (!copy_text(json_object_get(json, "pkcs11-uri"), token.uri, sizeof(token.uri)))
		return bad(diag, id, "pkcs11-uri");
	if (!token_json_bytes(json_object_get(json, "pkcs11-key"), token.wrapped, sizeof(token.wrapped),
		    &token.wrapped_len))
		return bad(diag, id, "pkcs11-key");
	if (!read_padding(json_object_get(json, "pkcs11-padding"), &token.padding))
		return bad(diag, id, "pkcs11-padding");
	*ret_token = token;
	return 0;
}

int token_read_pkcs11(const struct luks2 *hdr, int id, struct token_pkcs11 *ret_token, struct diag *diag)
{
	const json_t *json = token_json_find(hdr, id, "systemd-pkcs11");

	return json ? token_json_pkcs11(json, id, ret_token, diag) : bad(diag, id, "type");
}

static bool read_demand(const json_t *json, const char *name, enum token_demand *ret_demand)
{
	const json_t *value = json_object_get(json, name);

	*ret_demand = !value ? TOKEN_UNSET : json_is_true(value) ? TOKEN_YES : TOKEN_NO;
	return !value || json_is_boolean(value);
}

int token_json_fido2(const json_t *json, int id, struct token_fido2 *ret_token, struct diag *diag)
{
	const json_t *rp = json_object_get(json, "fido2-rp");
	struct token_fido2 token = {0};
	size_t salt_len;

	if (!token_json_bytes(json_object_get(json, "fido2-credential"), token.credential,
		    sizeof(token.credential), &token.credential_len))
		return bad(diag, id, "fido2-credential");
	if (!token_json_bytes(json_object_get(json, "fido2-salt"), token.salt, sizeof(token.salt), &salt_len) ||
		salt_len != sizeof(token.salt))
		return bad(diag, id, "fido2-salt");
	snprintf(token.rp, sizeof(token.rp), "%s", default_rp);
	if (rp && (!copy_text(rp, token.rp, FIDO2_RP_MAX) || !token.rp[0]))
		return bad(diag, id, "fido2-rp");
	if (!read_demand(json, "fido2-clientPin-required", &token.pin))
		return bad(diag, id, "fido2-clientPin-required");
	if (!read_demand(json, "fido2-up-required", &token.presence))
		return bad(diag, id, "fido2-up-required");
	if (!read_demand(json, "fido2-uv-required", &token.verification))
		return bad(diag, id, "fido2-uv-required");
	*ret_token = token;
	return 0;
}

int token_read_fido2(const struct luks2 *hdr, int id, struct token_fido2 *ret_token, struct diag *diag)
{
	const json_t *json = token_json_find(hdr, id, "systemd-fido2");

	return json ? token_json_fido2(json, id, ret_token, diag) : bad(diag, id, "type");
}

static bool made_here(const struct luks2_token *token)
{
	enum token_kind kind = token_kind(token->type);

	return kind == TOKEN_PKCS11 || kind == TOKEN_FIDO2 || kind == TOKEN_RECOVERY ||
	       strcmp(token->type, CUSTODY_TYPE) == 0 || strcmp(token->type, SHARE_SET_TYPE) == 0 ||
	       strcmp(token->type, BOTH_TYPE) == 0;
}

int token_forget(struct luks2_update *update, uint32_t keyslots, struct diag *diag)
{
	const struct luks2 *hdr = luks2_update_header(update);
	int ids[LUKS2_TOKENS_MAX], count = 0, r = 0;

	/* the header is another one after each change */
	for (int i = 0; i < hdr->token_count; i++)
		if (hdr->tokens[i].keyslots && !(hdr->tokens[i].keyslots & ~keyslots) && made_here(&hdr->tokens[i]))
			ids[count++] = hdr->tokens[i].id;
	for (int i = 0; i < count && r == 0; i++)
		r = luks2_token_remove(update, ids[i], diag);
	return r;
}

/* Takes json. */
static int print(json_t *json, int keyslot, char **ret_text)
{
	char slot[16], *text = NULL;

	snprintf(slot, sizeof(slot), "%d", keyslot);
	if (json && json_object_set_new(json, "keyslots", json_pack("[s]", slot)) == 0)
		text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (!text)
		return -ENOMEM;
	*ret_text = text;
	return 0;
}

static const char *padding_name(enum token_padding padding)
{
	return padding == TOKEN_OAEP_SHA256 ? "oaep-sha256" : padding == TOKEN_OAEP_SHA1 ? "oaep-sha1" : NULL;
}

json_t *token_json_from_pkcs11(const struct token_pkcs11 *token)
{
	const char *padding = padding_name(token->padding);
	char key[BASE64_CHARS(TOKEN_WRAPPED_MAX) + 1];
	json_t *json;

	base64_encode(token->wrapped, token->wrapped_len, key);
	json = json_pack("{s:s, s:s, s:s}", "type", "systemd-pkcs11", "pkcs11-uri", token->uri, "pkcs11-key", key);
	if (json && padding && json_object_set_new(json, "pkcs11-padding", json_string(padding)) < 0) {
		json_decref(json);
		json = NULL;
	}
	return json;
}

int token_write_pkcs11(const struct token_pkcs11 *token, int keyslot, char **ret_text)
{
	return print(token_json_from_pkcs11(token), keyslot, ret_text);
}

json_t *token_json_from_fido2(const struct token_fido2 *token)
{
	char credential[BASE64_CHARS(TOKEN_CREDENTIAL_MAX) + 1], salt[BASE64_CHARS(TOKEN_FIDO2_SALT) + 1];

	base64_encode(token->credential, token->credential_len, credential);
	base64_encode(token->salt, sizeof(token->salt), salt);
	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:b}", "type", "systemd-fido2", "fido2-credential", credential,
		"fido2-salt", salt, "fido2-rp", token->rp, "fido2-clientPin-required", token->pin == TOKEN_YES,
		"fido2-up-required", token->presence == TOKEN_YES, "fido2-uv-required",
		token->verification == TOKEN_YES);
}

int token_write_fido2(const struct token_fido2 *token, int keyslot, char **ret_text)
{
	return print(token_json_from_fido2(token), keyslot, ret_text);
}
