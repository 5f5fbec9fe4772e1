/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/luks2-seal-mac.h"

#include <errno.h>
#include <gcrypt.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "keymgr/base64.h"
#include "keymgr/hkdf.h"
#include "keymgr/luks2-json.h"

enum { SEAL_KEY_BYTES = 32, MARK_BYTES = LUKS2_SEAL_SALT_BYTES / 2 };

static const char seal_info[] = "sealdrive-integrity 1 mac";
static const char mark_info[] = "sealdrive-integrity 1 mark";

const char *const seal_sections[SEAL_SECTIONS] = {"keyslots", "tokens", "segments", "digests"};

bool seal_is_section(const char *name)
{
	for (size_t i = 0; i < SEAL_SECTIONS; i++)
		if (!strcmp(name, seal_sections[i]))
			return true;
	return false;
}

/* --- the token in the document -------------------------------------------------------------- */

bool seal_is(const json_t *token)
{
	const char *type = json_string_value(json_object_get(token, "type"));

	return type && !strcmp(type, LUKS2_SEAL_TYPE);
}

json_t *seal_find(const json_t *doc, char ret_id[16])
{
	const json_t *tokens = json_object_get(doc, "tokens");

	for (int id = 0; id < LUKS2_TOKENS_MAX; id++) {
		snprintf(ret_id, 16, "%d", id);
		json_t *token = json_object_get(tokens, ret_id);

		if (seal_is(token))
			return token;
	}
	return NULL;
}

bool luks2_seal_present(const struct luks2 *hdr)
{
	char id[16];

	return seal_find(hdr->json, id) != NULL;
}

bool seal_take_bytes(const json_t *object, const char *name, uint8_t *to, size_t len)
{
	const char *text = json_string_value(json_object_get(object, name));
	size_t got;

	return text && !base64_decode(text, to, len, &got) && got == len;
}

int seal_put_bytes(json_t *object, const char *name, const uint8_t *data, size_t len)
{
	char text[BASE64_CHARS(HMAC_BYTES) + 1];

	base64_encode(data, len, text);
	return json_object_set_new(object, name, json_string(text)) ? -ENOMEM : 0;
}

/* --- keys and MACs -------------------------------------------------------------------------- */

int seal_key(const struct secret *volume_key, const uint8_t salt[LUKS2_SEAL_SALT_BYTES],
	struct secret **ret_key)
{
	CLEANUP_SECRET struct secret *key = NULL;
	int r = secret_new(SEAL_KEY_BYTES, &key);

	if (!r)
		r = hkdf_sha256(volume_key, salt, LUKS2_SEAL_SALT_BYTES, seal_info,
			strlen(seal_info), key);
	if (!r)
		*ret_key = take_ptr(key);
	return r;
}

char *seal_canonical(const json_t *json)
{
	return json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
}

int seal_part_tag(const struct secret *key, const char *name, const char *id, const void *data,
	size_t len, uint8_t ret_tag[SEAL_TAG_BYTES])
{
	uint8_t mac[HMAC_BYTES];
	struct bytes_part parts[] = {
		{"part", sizeof("part")},
		{name, strlen(name) + 1},
		{id ? id : "", strlen(id ? id : "") + 1},
		{data, len},
	};
	int r = hmac_sha256(key, parts, ARRAY_SIZE(parts), mac);

	if (!r)
		memcpy(ret_tag, mac, SEAL_TAG_BYTES);
	return r;
}

int seal_json_tag(const struct secret *key, const char *name, const char *id, const json_t *json,
	uint8_t ret_tag[SEAL_TAG_BYTES])
{
	CLEANUP_FREE char *text = seal_canonical(json);

	return text ? seal_part_tag(key, name, id, text, strlen(text), ret_tag) : -ENOMEM;
}

int seal_header_mac(const struct luks2 *hdr, const json_t *doc, const struct secret *key,
	uint8_t ret_mac[HMAC_BYTES])
{
	CLEANUP_JSON json_t *copy = json_deep_copy(doc);
	be64 hdr_bytes = be64_make(hdr->hdr_bytes);
	char id[16];

	if (!copy)
		return -ENOMEM;
	(void)json_object_del(seal_find(copy, id), "mac");
	CLEANUP_FREE char *text = seal_canonical(copy);

	if (!text)
		return -ENOMEM;
	struct bytes_part parts[] = {
		{"header", sizeof("header")},
		{&hdr_bytes, sizeof(hdr_bytes)},
		{hdr->label, strlen(hdr->label) + 1},
		{hdr->subsystem, strlen(hdr->subsystem) + 1},
		{hdr->uuid, strlen(hdr->uuid) + 1},
		{hdr->csum_alg, strlen(hdr->csum_alg) + 1},
		{text, strlen(text)},
	};
	return hmac_sha256(key, parts, ARRAY_SIZE(parts), ret_mac);
}

/* --- the mark in the digest's salt ---------------------------------------------------------- */

static int mark_of(const struct secret *volume_key, const uint8_t *salt, uint8_t ret_mark[MARK_BYTES])
{
	CLEANUP_SECRET struct secret *mark = NULL;
	int r = secret_new(MARK_BYTES, &mark);

	if (!r)
		r = hkdf_sha256(volume_key, salt, LUKS2_SEAL_SALT_BYTES - MARK_BYTES, mark_info,
			strlen(mark_info), mark);
	if (!r)
		memcpy(ret_mark, secret_data_const(mark), MARK_BYTES);
	return r;
}

int luks2_seal_salt(const struct secret *volume_key, uint8_t ret_salt[LUKS2_SEAL_SALT_BYTES])
{
	gcry_randomize(ret_salt, LUKS2_SEAL_SALT_BYTES - MARK_BYTES, GCRY_STRONG_RANDOM);
	return mark_of(volume_key, ret_salt, ret_salt + LUKS2_SEAL_SALT_BYTES - MARK_BYTES);
}

int seal_digest_marked(
	const struct luks2_digest *digest, const struct secret *volume_key, bool *ret_marked)
{
	uint8_t mark[MARK_BYTES];

	*ret_marked = false;
	if (!digest || digest->salt_len != LUKS2_SEAL_SALT_BYTES)
		return 0;
	int r = mark_of(volume_key, digest->salt, mark);

	if (!r)
		*ret_marked = bytes_equal_ct(
			mark, digest->salt + LUKS2_SEAL_SALT_BYTES - MARK_BYTES, MARK_BYTES);
	return r;
}

const struct luks2_digest *seal_data_digest(const struct luks2 *hdr)
{
	const struct luks2_segment *segment = luks2_data_segment(hdr);

	for (int i = 0; segment && i < hdr->digest_count; i++)
		if (hdr->digests[i].id == segment->digest)
			return &hdr->digests[i];
	return NULL;
}
