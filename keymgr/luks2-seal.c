/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making seals; see docs/HEADER.md, which is the specification.
 *
 * 1. The MAC covers the whole document but for its own value, so that there is nothing that could
 *    be changed beside it. What the parts' tags say only explains a MAC that is wrong.
 * 2. Nothing of a seal from a drive is believed before the MAC is right, but its salt, which
 *    whoever chooses it cannot use without the key.
 */
#include <errno.h>
#include <gcrypt.h>
#include <stdio.h>
#include <string.h>

#include "keymgr/base64.h"
#include "keymgr/digest.h"
#include "keymgr/kdf.h"
#include "keymgr/luks2-disk.h"
#include "keymgr/luks2-json.h"
#include "keymgr/luks2-seal-mac.h"

/* Gives the digest in doc a salt with the mark. One that does not verify is left as it is. */
static int digest_mark(
	const struct luks2 *hdr, json_t *doc, const struct secret *volume_key)
{
	const struct luks2_digest *old = seal_data_digest(hdr);
	struct luks2_digest digest;
	bool marked;
	char id[16];
	int r = seal_digest_marked(old, volume_key, &marked);

	if (r || marked || !old || digest_verify(old, volume_key))
		return r;
	snprintf(id, sizeof(id), "%d", old->id);
	json_t *json = json_object_get(json_object_get(doc, "digests"), id);
	char salt[BASE64_CHARS(LUKS2_SALT_MAX) + 1], value[BASE64_CHARS(LUKS2_DIGEST_MAX) + 1];

	digest = *old;
	r = luks2_seal_salt(volume_key, digest.salt);
	if (!r)
		r = kdf_pbkdf2(digest.hash, volume_key, digest.salt, digest.salt_len,
			digest.iterations, digest.digest, digest.digest_len);
	if (!r)
		r = digest_verify(&digest, volume_key);
	if (r)
		return r;
	base64_encode(digest.salt, digest.salt_len, salt);
	base64_encode(digest.digest, digest.digest_len, value);
	if (json_object_set_new(json, "salt", json_string(salt)) ||
		json_object_set_new(json, "digest", json_string(value)))
		return -ENOMEM;
	return 0;
}

/* --- sealing -------------------------------------------------------------------------------- */

static int put_tag(json_t *to, const struct secret *key, const char *name, const char *id,
	const json_t *json)
{
	uint8_t tag[SEAL_TAG_BYTES];
	int r = seal_json_tag(key, name, id, json, tag);

	return r ? r : seal_put_bytes(to, id ? id : name, tag, sizeof(tag));
}

static int put_text_tag(json_t *to, const struct secret *key, const char *name, const char *text)
{
	uint8_t tag[SEAL_TAG_BYTES];
	int r = seal_part_tag(key, name, NULL, text, strlen(text), tag);

	return r ? r : seal_put_bytes(to, name, tag, sizeof(tag));
}

static int section_tags(const struct secret *key, const char *name, const json_t *section,
	json_t *parts)
{
	json_t *tags = json_object();
	const char *id;
	json_t *object;
	int r = 0;

	if (!tags || json_object_set_new(parts, name, tags))
		return -ENOMEM;
	json_object_foreach((json_t *)(uintptr_t)section, id, object)
	{
		if (!seal_is(object))
			r = put_tag(tags, key, name, id, object);
		if (r)
			break;
	}
	return r;
}

static int parts_make(const struct luks2 *hdr, const json_t *doc, const struct secret *key,
	json_t **ret_parts)
{
	CLEANUP_JSON json_t *parts = json_object();
	const char *name;
	json_t *member;
	int r = parts ? 0 : -ENOMEM;

	if (!r)
		r = put_text_tag(parts, key, "label", hdr->label);
	if (!r)
		r = put_text_tag(parts, key, "subsystem", hdr->subsystem);
	if (!r)
		r = put_text_tag(parts, key, "uuid", hdr->uuid);
	json_object_foreach((json_t *)(uintptr_t)doc, name, member)
	{
		if (!r)
			r = seal_is_section(name) ? section_tags(key, name, member, parts)
					     : put_tag(parts, key, name, NULL, member);
	}
	if (!r)
		*ret_parts = take_ptr(parts);
	return r;
}

static bool fits(const struct luks2 *hdr, const json_t *doc)
{
	return json_dumpb(doc, NULL, 0, JSON_COMPACT) < hdr->hdr_bytes - LUKS2_BIN_BYTES;
}

static bool free_id(const json_t *tokens, char ret_id[16])
{
	for (int id = 0; id < LUKS2_TOKENS_MAX; id++) {
		snprintf(ret_id, 16, "%d", id);
		if (!json_object_get(tokens, ret_id))
			return true;
	}
	return false;
}

static int seal_fill(const struct luks2 *hdr, json_t *doc, json_t *token, const struct secret *key,
	bool with_parts)
{
	uint8_t mac[HMAC_BYTES];
	json_t *parts = NULL;
	int r = with_parts ? parts_make(hdr, doc, key, &parts) : 0;

	(void)json_object_del(token, "parts");
	if (!r && parts && json_object_set_new(token, "parts", parts))
		r = -ENOMEM;
	if (!r)
		r = seal_header_mac(hdr, doc, key, mac);
	return r ? r : seal_put_bytes(token, "mac", mac, sizeof(mac));
}

int luks2_seal_put(const struct luks2 *hdr, json_t *doc, const struct secret *volume_key)
{
	CLEANUP_SECRET struct secret *key = NULL;
	uint8_t salt[LUKS2_SEAL_SALT_BYTES];
	json_t *tokens = json_object_get(doc, "tokens"), *token;
	char id[16];

	if (!seal_find(doc, id) && !free_id(tokens, id))
		return 0;
	gcry_create_nonce(salt, sizeof(salt));
	int r = seal_key(volume_key, salt, &key);

	if (!r)
		r = digest_mark(hdr, doc, volume_key);
	if (r)
		return r;
	token = json_pack("{s:s, s:[], s:i}", "type", LUKS2_SEAL_TYPE, "keyslots", "version",
		SEAL_VERSION);
	if (!token || json_object_set_new(tokens, id, token))
		return -ENOMEM;
	r = seal_put_bytes(token, "salt", salt, sizeof(salt));
	if (!r)
		r = seal_fill(hdr, doc, token, key, true);
	/* what was changed cannot be told then, but that it was */
	if (!r && !fits(hdr, doc))
		r = seal_fill(hdr, doc, token, key, false);
	return !r && !fits(hdr, doc) ? -ENOSPC : r;
}
