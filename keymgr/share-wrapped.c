/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/share-wrapped.h"

#include <errno.h>
#include <gcrypt.h>
#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/base64.h"
#include "keymgr/hkdf.h"
#include "keymgr/luks2-json.h"
#include "keymgr/token-json.h"

#define WRAPPED_TYPE "sealdrive-share"

static const char purpose[] = "sealdrive wrapped share 1";

enum { KEY_BYTES = 32, NONCE_BYTES = 12, TAG_BYTES = SHARE_SEALED_BYTES - SHARE_BYTES, MARK_BYTES = 3 };

/* ---- the file ---- */

/* UTF-8's byte order mark, which editors put in front. */
static size_t mark_len(const void *bytes, size_t len)
{
	return len >= MARK_BYTES && memcmp(bytes, "\xef\xbb\xbf", MARK_BYTES) == 0 ? MARK_BYTES : 0;
}

bool share_is_wrapped(const void *bytes, size_t len)
{
	const char *text = bytes;
	size_t at = mark_len(bytes, len);

	while (at < len && strchr(" \t\r\n", text[at]) && text[at])
		at++;
	return at < len && text[at] == '{';
}

static int bad(struct diag *diag, const char *field)
{
	return diag_set(diag, -SDE_SHARE, _("its '%s' is missing or cannot be used"), field);
}

static bool read_number(const json_t *json, const char *name, unsigned min, unsigned max, uint8_t *ret_number)
{
	const json_t *value = json_object_get(json, name);

	if (!json_is_integer(value) || json_integer_value(value) < min || json_integer_value(value) > max)
		return false;
	*ret_number = (uint8_t)json_integer_value(value);
	return true;
}

static int read_claim(const json_t *json, struct share *claim, struct diag *diag)
{
	const char *set = json_string_value(json_object_get(json, "set"));

	if (!set || !share_set_parse(set, claim->set))
		return bad(diag, "set");
	if (!read_number(json, "shares", 2, SHAMIR_SHARES_MAX, &claim->count))
		return bad(diag, "shares");
	if (!read_number(json, "threshold", 2, claim->count, &claim->threshold))
		return bad(diag, "threshold");
	return read_number(json, "share", 1, claim->count, &claim->index) ? 0 : bad(diag, "share");
}

static int read_object(const json_t *json, struct share_wrapped *wrapped, struct diag *diag)
{
	const char *type = json_string_value(json_object_get(json, "type"));
	size_t salt_len, sealed_len;
	int r;

	if (!type || strcmp(type, WRAPPED_TYPE) != 0)
		return bad(diag, "type");
	r = read_claim(json, &wrapped->claim, diag);
	if (r < 0)
		return r;
	if (both_part_read(json_object_get(json, "token"), 0, &wrapped->token, NULL) < 0)
		return bad(diag, "token");
	if (!token_json_bytes(json_object_get(json, "salt"), wrapped->salt, sizeof(wrapped->salt), &salt_len) ||
		salt_len != sizeof(wrapped->salt))
		return bad(diag, "salt");
	if (!token_json_bytes(json_object_get(json, "sealed"), wrapped->sealed, sizeof(wrapped->sealed), &sealed_len) ||
		sealed_len != sizeof(wrapped->sealed))
		return bad(diag, "sealed");
	return 0;
}

int share_wrapped_read(const void *bytes, size_t len, struct share_wrapped *ret_wrapped, struct diag *diag)
{
	size_t skipped = mark_len(bytes, len);
	CLEANUP_JSON json_t *json = json_loadb((const char *)bytes + skipped, len - skipped, JSON_REJECT_DUPLICATES, NULL);
	struct share_wrapped wrapped = {0};
	int r;

	if (!json_is_object(json))
		return diag_set(diag, -SDE_SHARE, _("it is neither a share nor one for a token: its text is damaged"));
	r = read_object(json, &wrapped, diag);
	if (r == 0)
		*ret_wrapped = wrapped;
	return r;
}

int share_wrapped_write(const struct share_wrapped *wrapped, char **ret_text)
{
	char set[SHARE_SET_CHARS], salt[BASE64_CHARS(SHARE_SALT_BYTES) + 1], sealed[BASE64_CHARS(SHARE_SEALED_BYTES) + 1];
	const struct share *claim = &wrapped->claim;
	CLEANUP_FREE char *text = NULL;
	CLEANUP_JSON json_t *json = NULL;

	share_set_name(claim->set, set);
	base64_encode(wrapped->salt, sizeof(wrapped->salt), salt);
	base64_encode(wrapped->sealed, sizeof(wrapped->sealed), sealed);
	json = json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:o, s:s, s:s}", "type", WRAPPED_TYPE, "about",
		_("A share of a key that only the token of its holder can read: 'sealdrive mount --share' asks for the token."),
		"set", set, "share", claim->index, "shares", claim->count, "threshold", claim->threshold, "token",
		both_part_json(&wrapped->token), "salt", salt, "sealed", sealed);
	text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
	if (!text || asprintf(ret_text, "%s\n", text) < 0)
		return -ENOMEM;
	return 0;
}

/* ---- the cipher ---- */

static void close_cipher(gcry_cipher_hd_t *cipher)
{
	gcry_cipher_close(*cipher);
}

static int open_cipher(const uint8_t salt[SHARE_SALT_BYTES], const struct secret *secret, gcry_cipher_hd_t *ret_cipher)
{
	static const uint8_t nonce[NONCE_BYTES];
	CLEANUP_SECRET struct secret *key = NULL;
	CLEANUP(close_cipher) gcry_cipher_hd_t cipher = NULL;
	int r = crypto_init();

	r = r < 0 ? r : secret_new(KEY_BYTES, &key);
	r = r < 0 ? r : hkdf_sha256(secret, salt, SHARE_SALT_BYTES, purpose, strlen(purpose), key);
	if (r < 0)
		return r;
	if (gcry_cipher_open(&cipher, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_GCM, GCRY_CIPHER_SECURE) != 0 ||
		gcry_cipher_setkey(cipher, secret_data_const(key), KEY_BYTES) != 0 ||
		gcry_cipher_setiv(cipher, nonce, sizeof(nonce)) != 0)
		return -SDE_CRYPTO;
	*ret_cipher = take_ptr(cipher);
	return 0;
}

int share_wrap(const struct share *share, const struct both_part *token, const struct secret *secret,
	struct share_wrapped *ret_wrapped)
{
	CLEANUP(close_cipher) gcry_cipher_hd_t cipher = NULL;
	CLEANUP_SECRET struct secret *bytes = NULL;
	struct share_wrapped wrapped = {.claim = *share, .token = *token};
	int r = share_to_bytes(share, &bytes);

	wrapped.claim.value = NULL;
	if (r < 0)
		return r;
	gcry_randomize(wrapped.salt, sizeof(wrapped.salt), GCRY_STRONG_RANDOM);
	r = open_cipher(wrapped.salt, secret, &cipher);
	if (r < 0)
		return r;
	if (gcry_cipher_encrypt(cipher, wrapped.sealed, SHARE_BYTES, secret_data_const(bytes), SHARE_BYTES) != 0 ||
		gcry_cipher_gettag(cipher, wrapped.sealed + SHARE_BYTES, TAG_BYTES) != 0)
		return -SDE_CRYPTO;
	*ret_wrapped = wrapped;
	return 0;
}

static bool same_claim(const struct share *a, const struct share *b)
{
	return memcmp(a->set, b->set, sizeof(a->set)) == 0 && a->index == b->index && a->threshold == b->threshold &&
	       a->count == b->count;
}

int share_unwrap(const struct share_wrapped *wrapped, const struct secret *secret, struct share *ret_share,
	struct diag *diag)
{
	CLEANUP(close_cipher) gcry_cipher_hd_t cipher = NULL;
	CLEANUP_SECRET struct secret *bytes = NULL;
	struct share share = {0};
	int r = secret_new(SHARE_BYTES, &bytes);

	r = r < 0 ? r : open_cipher(wrapped->salt, secret, &cipher);
	if (r < 0)
		return r;
	if (gcry_cipher_decrypt(cipher, secret_data(bytes), SHARE_BYTES, wrapped->sealed, SHARE_BYTES) != 0)
		return -SDE_CRYPTO;
	if (gcry_cipher_checktag(cipher, wrapped->sealed + SHARE_BYTES, TAG_BYTES) != 0)
		return diag_set(diag, -SDE_SHARE, _("it is damaged, or the token is not the one that it was made for"));
	r = share_from_bytes(secret_data_const(bytes), &share, diag);
	if (r < 0)
		return r;
	if (!same_claim(&share, &wrapped->claim)) {
		share_clear(&share);
		return diag_set(diag, -SDE_SHARE, _("somebody has changed which share it says it is"));
	}
	*ret_share = share;
	return 0;
}
