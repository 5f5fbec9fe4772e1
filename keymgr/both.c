/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/both.h"

#include <errno.h>
#include <gcrypt.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/base64.h"
#include "keymgr/hex.h"
#include "keymgr/hkdf.h"
#include "keymgr/luks2-json.h"
#include "keymgr/token-json.h"

static const char purpose[] = "sealdrive two of two 1";

enum { COMBINED_BYTES = 32 };

static int bad(struct diag *diag, int id, const char *field)
{
	return diag_set(diag, -SDE_TOKEN, _("token %d: '%s' is missing or cannot be used"), id, field);
}

int both_part_read(const json_t *json, int id, struct both_part *part, struct diag *diag)
{
	const char *type = json_string_value(json_object_get(json, "type"));

	part->kind = type ? token_kind(type) : TOKEN_UNKNOWN;
	switch (part->kind) {
	case TOKEN_PKCS11:
		return token_json_pkcs11(json, id, &part->pkcs11, diag);
	case TOKEN_FIDO2:
		return token_json_fido2(json, id, &part->fido2, diag);
	default:
		return bad(diag, id, "parts");
	}
}

static int read_part(const json_t *json, int id, bool second, struct both_part *part, struct diag *diag)
{
	const char *type = json_string_value(json_object_get(json, "type"));

	if (!second || !type || strcmp(type, "passphrase") != 0)
		return both_part_read(json, id, part, diag);
	part->kind = TOKEN_UNKNOWN;
	return 0;
}

int both_read(const struct luks2 *hdr, int id, struct both *ret_both, struct diag *diag)
{
	const json_t *json = token_json_find(hdr, id, BOTH_TYPE), *parts = json_object_get(json, "parts");
	struct both both = {0};
	size_t salt_len;
	int r = 0;

	if (!json)
		return bad(diag, id, "type");
	if (!token_json_bytes(json_object_get(json, "salt"), both.salt, sizeof(both.salt), &salt_len) ||
		salt_len != sizeof(both.salt))
		return bad(diag, id, "salt");
	if (!json_is_array(parts) || json_array_size(parts) != ARRAY_SIZE(both.parts))
		return bad(diag, id, "parts");
	for (size_t i = 0; i < ARRAY_SIZE(both.parts) && r == 0; i++)
		r = read_part(json_array_get(parts, i), id, i > 0, &both.parts[i], diag);
	if (r == 0)
		*ret_both = both;
	return r;
}

json_t *both_part_json(const struct both_part *part)
{
	switch (part->kind) {
	case TOKEN_PKCS11:
		return token_json_from_pkcs11(&part->pkcs11);
	case TOKEN_FIDO2:
		return token_json_from_fido2(&part->fido2);
	default:
		return json_pack("{s:s}", "type", "passphrase");
	}
}

int both_write(const struct both *both, int keyslot, char **ret_text)
{
	char slot[16], salt[BASE64_CHARS(BOTH_SALT_BYTES) + 1];
	CLEANUP_JSON json_t *json = NULL;

	snprintf(slot, sizeof(slot), "%d", keyslot);
	base64_encode(both->salt, sizeof(both->salt), salt);
	json = json_pack("{s:s, s:[s], s:s, s:[o, o]}", "type", BOTH_TYPE, "keyslots", slot, "salt", salt, "parts",
		both_part_json(&both->parts[0]), both_part_json(&both->parts[1]));
	*ret_text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	return *ret_text ? 0 : -ENOMEM;
}

int both_new_salt(uint8_t ret_salt[BOTH_SALT_BYTES])
{
	int r = crypto_init();

	if (r == 0)
		gcry_randomize(ret_salt, BOTH_SALT_BYTES, GCRY_STRONG_RANDOM);
	return r;
}

static uint8_t *put_secret(uint8_t *out, const struct secret *secret)
{
	be32 len = be32_make((uint32_t)secret_len(secret));

	memcpy(out, &len, sizeof(len));
	memcpy(out + sizeof(len), secret_data_const(secret), secret_len(secret));
	return out + sizeof(len) + secret_len(secret);
}

int both_combine(const uint8_t salt[BOTH_SALT_BYTES], const struct secret *first, const struct secret *second,
	struct secret **ret_passphrase)
{
	CLEANUP_SECRET struct secret *together = NULL, *out = NULL;
	int r = secret_new(2 * sizeof(be32) + secret_len(first) + secret_len(second), &together);

	if (r == 0)
		r = secret_new(COMBINED_BYTES, &out);
	if (r < 0)
		return r;
	put_secret(put_secret(secret_data(together), first), second);
	r = hkdf_sha256(together, salt, BOTH_SALT_BYTES, purpose, strlen(purpose), out);
	return r < 0 ? r : hex_of_secret(out, ret_passphrase);
}
