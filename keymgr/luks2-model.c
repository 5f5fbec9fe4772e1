/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Document -> typed model and back. The document has passed luks2_json_validate(). */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "keymgr/base64.h"
#include "keymgr/hash.h"
#include "keymgr/kdf.h"
#include "keymgr/keyslot.h"
#include "keymgr/luks2-disk.h"
#include "keymgr/luks2-json.h"

/* False when the string is missing or does not fit: to then is empty. */
static bool take_string(const json_t *object, const char *name, char *to, size_t room)
{
	const json_t *value = json_object_get(object, name);
	size_t len = json_string_length(value);

	to[0] = '\0';
	if (!json_is_string(value) || len >= room)
		return false;
	memcpy(to, json_string_value(value), len + 1);
	return true;
}

/* Type names are only shown and compared: a long one is cut. */
static void take_type(const json_t *object, char *to, size_t room)
{
	snprintf(to, room, "%s", json_string_value(json_object_get(object, "type")));
}

static bool take_u32(const json_t *object, const char *name, uint32_t *to)
{
	const json_t *value = json_object_get(object, name);
	json_int_t number = json_integer_value(value);

	*to = 0;
	if (!json_is_integer(value) || number < 0 || number > UINT32_MAX)
		return false;
	*to = (uint32_t)number;
	return true;
}

static uint64_t take_u64(const json_t *object, const char *name)
{
	uint64_t value;

	return luks2_json_u64(json_object_get(object, name), &value) ? value : 0;
}

static bool take_base64(
	const json_t *object, const char *name, uint8_t *to, size_t room, uint32_t *ret_len)
{
	const char *text = json_string_value(json_object_get(object, name));
	size_t len;

	*ret_len = 0;
	if (!text || base64_decode(text, to, room, &len))
		return false;
	*ret_len = (uint32_t)len;
	return true;
}

/* The id that a name stands for; -1 when it is not the usual form of a number below max. */
static int id_of(const char *name, int max)
{
	int id = 0;

	if (!name || !*name || (name[0] == '0' && name[1]))
		return -1;
	for (; *name; name++) {
		if (*name < '0' || *name > '9')
			return -1;
		id = id * 10 + (*name - '0');
		if (id >= max)
			return -1;
	}
	return id;
}

static uint32_t take_ids(const json_t *object, const char *name, int max)
{
	uint32_t mask = 0;
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(object, name), i, item)
	{
		int id = id_of(json_string_value(item), max);

		if (id >= 0)
			mask |= UINT32_C(1) << id;
	}
	return mask;
}

static bool kdf_from_json(const json_t *json, struct luks2_kdf *kdf)
{
	const char *type = json_string_value(json_object_get(json, "type"));

	if (!type || !kdf_type_of(type, &kdf->type) ||
		!take_base64(json, "salt", kdf->salt, sizeof(kdf->salt), &kdf->salt_len))
		return false;
	if (kdf->type == LUKS2_KDF_PBKDF2)
		return take_string(json, "hash", kdf->hash, sizeof(kdf->hash)) &&
		       take_u32(json, "iterations", &kdf->iterations);
	return take_u32(json, "time", &kdf->time) && take_u32(json, "memory", &kdf->memory_kib) &&
	       take_u32(json, "cpus", &kdf->cpus);
}

/* Values that nobody has given a meaning count as "ignore". */
static enum luks2_priority priority_from_json(const json_t *json)
{
	if (!json || json_is_string(json) || json_integer_value(json) == LUKS2_PRIORITY_NORMAL)
		return LUKS2_PRIORITY_NORMAL;
	return json_integer_value(json) == LUKS2_PRIORITY_HIGH ? LUKS2_PRIORITY_HIGH
							       : LUKS2_PRIORITY_IGNORE;
}

static void keyslot_from_json(const json_t *json, struct luks2_keyslot *slot)
{
	const json_t *area = json_object_get(json, "area"), *af = json_object_get(json, "af");
	bool whole;

	take_type(json, slot->type, sizeof(slot->type));
	whole = take_u32(json, "key_size", &slot->key_bytes);
	slot->area_offset = take_u64(area, "offset");
	slot->area_size = take_u64(area, "size");
	slot->priority = priority_from_json(json_object_get(json, "priority"));
	whole &= take_string(area, "encryption", slot->area_cipher, sizeof(slot->area_cipher));
	whole &= take_u32(area, "key_size", &slot->area_key_bytes);
	whole &= take_string(af, "hash", slot->af_hash, sizeof(slot->af_hash));
	whole &= take_u32(af, "stripes", &slot->af_stripes);
	whole &= kdf_from_json(json_object_get(json, "kdf"), &slot->kdf);
	slot->usable = whole && !keyslot_check(slot, NULL);
}

static void segment_from_json(const json_t *json, struct luks2_segment *segment)
{
	take_type(json, segment->type, sizeof(segment->type));
	segment->offset = take_u64(json, "offset");
	segment->size = take_u64(json, "size");
	segment->iv_tweak = take_u64(json, "iv_tweak");
	segment->integrity = json_object_get(json, "integrity") != NULL;
	segment->flags_count = (uint32_t)json_array_size(json_object_get(json, "flags"));
	/* what does not fit is no cipher or size that we could use, and empty is neither */
	(void)take_string(json, "encryption", segment->cipher, sizeof(segment->cipher));
	(void)take_u32(json, "sector_size", &segment->sector_bytes);
}

/* One that cannot be computed keeps digest_len 0: nothing verifies against it. */
static void digest_from_json(const json_t *json, struct luks2_digest *digest)
{
	take_type(json, digest->type, sizeof(digest->type));
	digest->keyslots = take_ids(json, "keyslots", LUKS2_KEYSLOTS_MAX);
	digest->segments = take_ids(json, "segments", LUKS2_SEGMENTS_MAX);
	if (strcmp(digest->type, "pbkdf2") ||
		!take_string(json, "hash", digest->hash, sizeof(digest->hash)) ||
		!take_u32(json, "iterations", &digest->iterations) ||
		!take_base64(json, "salt", digest->salt, sizeof(digest->salt), &digest->salt_len))
		return;
	(void)take_base64(
		json, "digest", digest->digest, sizeof(digest->digest), &digest->digest_len);
}

static int strings_from_json(const json_t *array, char ***ret_strings)
{
	char **strings = calloc(json_array_size(array) + 1, sizeof(*strings));
	json_t *item;
	size_t i;

	if (!strings)
		return -ENOMEM;
	*ret_strings = strings;
	json_array_foreach(array, i, item)
	{
		strings[i] = strdup(json_string_value(item));
		if (!strings[i])
			return -ENOMEM;
	}
	return 0;
}

static int config_from_json(const json_t *config, struct luks2 *hdr)
{
	const json_t *requirements = json_object_get(config, "requirements");
	int r = strings_from_json(json_object_get(config, "flags"), &hdr->flags);

	hdr->keyslots_size = take_u64(config, "keyslots_size");
	if (!r)
		r = strings_from_json(
			json_object_get(requirements, "mandatory"), &hdr->requirements);
	for (char **name = r ? NULL : hdr->requirements; name && *name; name++)
		if (strcmp(*name, "offline-reencrypt") && strncmp(*name, "online-reencrypt", 16))
			hdr->has_unknown_requirement = true;
	return r;
}

/* The first digest that names the object; -1: none. */
static int digest_naming(const struct luks2 *hdr, int id, bool keyslot)
{
	for (int i = 0; i < hdr->digest_count; i++) {
		uint32_t mask = keyslot ? hdr->digests[i].keyslots : hdr->digests[i].segments;

		if (mask >> id & 1)
			return hdr->digests[i].id;
	}
	return -1;
}

/* Programs append objects; people, and cryptsetup's lists, count. */
static int keyslot_compare(const void *a, const void *b)
{
	const struct luks2_keyslot *left = a, *right = b;

	return left->id - right->id;
}

int luks2_json_to_model(json_t *doc, struct luks2 *hdr)
{
	const char *name;
	json_t *json;
	int id, r = config_from_json(json_object_get(doc, "config"), hdr);

	if (r)
		return r;
	hdr->json = json_incref(doc);
	json_object_foreach(json_object_get(doc, "digests"), name,
		json) if ((id = id_of(name, LUKS2_DIGESTS_MAX)) >= 0)
	{
		hdr->digests[hdr->digest_count].id = id;
		digest_from_json(json, &hdr->digests[hdr->digest_count++]);
	}
	json_object_foreach(json_object_get(doc, "segments"), name,
		json) if ((id = id_of(name, LUKS2_SEGMENTS_MAX)) >= 0)
	{
		hdr->segments[hdr->segment_count].id = id;
		hdr->segments[hdr->segment_count].digest = digest_naming(hdr, id, false);
		segment_from_json(json, &hdr->segments[hdr->segment_count++]);
	}
	json_object_foreach(json_object_get(doc, "keyslots"), name,
		json) if ((id = id_of(name, LUKS2_KEYSLOTS_MAX)) >= 0)
	{
		hdr->keyslots[hdr->keyslot_count].id = id;
		hdr->keyslots[hdr->keyslot_count].digest = digest_naming(hdr, id, true);
		keyslot_from_json(json, &hdr->keyslots[hdr->keyslot_count++]);
	}
	qsort(hdr->keyslots, (size_t)hdr->keyslot_count, sizeof(hdr->keyslots[0]), keyslot_compare);
	json_object_foreach(json_object_get(doc, "tokens"), name,
		json) if ((id = id_of(name, LUKS2_TOKENS_MAX)) >= 0)
	{
		struct luks2_token *token = &hdr->tokens[hdr->token_count++];

		token->id = id;
		token->keyslots = take_ids(json, "keyslots", LUKS2_KEYSLOTS_MAX);
		take_type(json, token->type, sizeof(token->type));
	}
	return 0;
}

/* --- model -> document ---------------------------------------------------------------------- */

/* json_pack() gives NULL when any part is NULL, so failures may be collected to the end. */

static json_t *json_u64(uint64_t value)
{
	return json_sprintf("%" PRIu64, value);
}

static json_t *json_base64(const uint8_t *data, uint32_t len)
{
	char text[BASE64_CHARS(LUKS2_SALT_MAX) + 1];

	base64_encode(data, len, text);
	return json_string(text);
}

static json_t *json_ids(uint32_t mask)
{
	json_t *array = json_array();

	for (int id = 0; array && id < 32; id++)
		if (mask >> id & 1 && json_array_append_new(array, json_sprintf("%d", id))) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *kdf_to_json(const struct luks2_kdf *kdf)
{
	json_t *salt = json_base64(kdf->salt, kdf->salt_len);

	if (kdf->type == LUKS2_KDF_PBKDF2)
		return json_pack("{s:s, s:s, s:I, s:o}", "type", luks2_kdf_name(kdf->type), "hash",
			kdf->hash, "iterations", (json_int_t)kdf->iterations, "salt", salt);
	return json_pack("{s:s, s:I, s:I, s:I, s:o}", "type", luks2_kdf_name(kdf->type), "time",
		(json_int_t)kdf->time, "memory", (json_int_t)kdf->memory_kib, "cpus",
		(json_int_t)kdf->cpus, "salt", salt);
}

json_t *luks2_json_keyslot(const struct luks2_keyslot *slot)
{
	return json_pack("{s:s, s:I, s:{s:s, s:I, s:s}, s:{s:s, s:o, s:o, s:s, s:I}, s:o}", "type",
		slot->type, "key_size", (json_int_t)slot->key_bytes, "af", "type", "luks1",
		"stripes", (json_int_t)slot->af_stripes, "hash", slot->af_hash, "area", "type",
		"raw", "offset", json_u64(slot->area_offset), "size", json_u64(slot->area_size),
		"encryption", slot->area_cipher, "key_size", (json_int_t)slot->area_key_bytes,
		"kdf", kdf_to_json(&slot->kdf));
}

static json_t *segment_to_json(const struct luks2_segment *segment)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:s, s:I}", "type", segment->type, "offset",
		json_u64(segment->offset), "size",
		segment->size ? json_u64(segment->size) : json_string("dynamic"), "iv_tweak",
		json_u64(segment->iv_tweak), "encryption", segment->cipher, "sector_size",
		(json_int_t)segment->sector_bytes);
}

static json_t *digest_to_json(const struct luks2_digest *digest)
{
	return json_pack("{s:s, s:o, s:o, s:s, s:I, s:o, s:o}", "type", digest->type, "keyslots",
		json_ids(digest->keyslots), "segments", json_ids(digest->segments), "hash",
		digest->hash, "iterations", (json_int_t)digest->iterations, "salt",
		json_base64(digest->salt, digest->salt_len), "digest",
		json_base64(digest->digest, digest->digest_len));
}

static bool put(json_t *section, int id, json_t *value)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", id);
	return !json_object_set_new(section, name, value);
}

int luks2_json_from_model(const struct luks2 *hdr, json_t **ret_doc)
{
	json_t *keyslots = json_object(), *segments = json_object(), *digests = json_object();
	bool whole = true;
	CLEANUP_JSON json_t *doc = json_pack("{s:o, s:{}, s:o, s:o, s:{s:o, s:o}}", "keyslots",
		keyslots, "tokens", "segments", segments, "digests", digests, "config", "json_size",
		json_u64(hdr->hdr_bytes - LUKS2_BIN_BYTES), "keyslots_size",
		json_u64(hdr->keyslots_size));

	if (!doc)
		return -ENOMEM;
	for (int i = 0; i < hdr->keyslot_count; i++)
		whole &= put(keyslots, hdr->keyslots[i].id, luks2_json_keyslot(&hdr->keyslots[i]));
	for (int i = 0; i < hdr->segment_count; i++)
		whole &= put(segments, hdr->segments[i].id, segment_to_json(&hdr->segments[i]));
	for (int i = 0; i < hdr->digest_count; i++)
		whole &= put(digests, hdr->digests[i].id, digest_to_json(&hdr->digests[i]));
	if (!whole)
		return -ENOMEM;
	*ret_doc = take_ptr(doc);
	return 0;
}
