/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/share-set.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "keymgr/base64.h"
#include "keymgr/luks2-json.h"
#include "keymgr/token-json.h"

static bool read_number(const json_t *json, const char *name, unsigned min, unsigned max, unsigned *ret_number)
{
	const json_t *value = json_object_get(json, name);
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < (json_int_t)min || number > (json_int_t)max)
		return false;
	*ret_number = (unsigned)number;
	return true;
}

static bool read_name(const json_t *value, uint8_t set[SHARE_SET_BYTES])
{
	const char *text = json_string_value(value);

	if (!text || json_string_length(value) != SHARE_SET_CHARS - 1)
		return false;
	return share_set_parse(text, set);
}

static bool read_digests(const json_t *array, struct share_set *set)
{
	if (!json_is_array(array) || json_array_size(array) != set->count)
		return false;
	for (unsigned i = 0; i < set->count; i++) {
		const json_t *value = json_array_get(array, i);
		const char *text = json_string_value(value);
		size_t len;

		if (!text || json_string_length(value) != BASE64_CHARS(SHARE_DIGEST_BYTES) ||
			base64_decode(text, set->digests[i], SHARE_DIGEST_BYTES, &len) < 0 || len != SHARE_DIGEST_BYTES)
			return false;
	}
	return true;
}

static void read_date(const json_t *value, char out[sizeof("YYYY-MM-DD")])
{
	const char *text = json_string_value(value);

	if (text && json_string_length(value) == strlen(text) && text_is_date(text))
		strcpy(out, text);
}

bool share_set_read(const struct luks2 *hdr, int id, struct share_set *ret_set)
{
	struct share_set set = {0};
	const json_t *json;

	json = token_json_find(hdr, id, SHARE_SET_TYPE);
	if (!json || !read_name(json_object_get(json, "set"), set.set) ||
		!read_number(json, "shares", 2, SHAMIR_SHARES_MAX, &set.count) ||
		!read_number(json, "threshold", 2, set.count, &set.threshold) ||
		!read_digests(json_object_get(json, "digests"), &set))
		return false;
	read_date(json_object_get(json, "made"), set.made);
	*ret_set = set;
	return true;
}

bool share_set_of_keyslot(const struct luks2 *hdr, int keyslot, struct share_set *ret_set)
{
	for (int i = 0; i < hdr->token_count; i++)
		if ((hdr->tokens[i].keyslots >> keyslot & 1) && share_set_read(hdr, hdr->tokens[i].id, ret_set))
			return true;
	return false;
}

bool share_set_find(const struct luks2 *hdr, const uint8_t set[SHARE_SET_BYTES], struct share_set *ret_set,
	int *ret_keyslot, bool *ret_any)
{
	*ret_any = false;
	for (int i = 0; i < hdr->keyslot_count; i++) {
		struct share_set found;

		if (!share_set_of_keyslot(hdr, hdr->keyslots[i].id, &found))
			continue;
		*ret_any = true;
		if (memcmp(found.set, set, SHARE_SET_BYTES) != 0)
			continue;
		*ret_set = found;
		*ret_keyslot = hdr->keyslots[i].id;
		return true;
	}
	return false;
}

int share_set_describe(const struct share *shares, unsigned count, struct share_set *ret_set)
{
	struct share_set set = {.count = count, .threshold = shares[0].threshold};
	time_t now = time(NULL);
	struct tm today;
	int r = 0;

	memcpy(set.set, shares[0].set, SHARE_SET_BYTES);
	if (gmtime_r(&now, &today))
		strftime(set.made, sizeof(set.made), "%Y-%m-%d", &today);
	for (unsigned i = 0; i < count && r == 0; i++)
		r = share_digest(&shares[i], set.digests[i]);
	if (r == 0)
		*ret_set = set;
	return r;
}

int share_set_write(const struct share_set *set, int keyslot, char **ret_text)
{
	char name[SHARE_SET_CHARS], slot[16], digest[BASE64_CHARS(SHARE_DIGEST_BYTES) + 1];
	CLEANUP_JSON json_t *json = NULL;
	json_t *digests;

	snprintf(slot, sizeof(slot), "%d", keyslot);
	share_set_name(set->set, name);
	json = json_pack("{s:s, s:[s], s:s, s:i, s:i, s:[]}", "type", SHARE_SET_TYPE, "keyslots", slot, "set", name,
		"shares", (int)set->count, "threshold", (int)set->threshold, "digests");
	digests = json_object_get(json, "digests");
	if (!json || (set->made[0] && json_object_set_new(json, "made", json_string(set->made)) < 0))
		return -ENOMEM;
	for (unsigned i = 0; i < set->count; i++) {
		base64_encode(set->digests[i], SHARE_DIGEST_BYTES, digest);
		if (json_array_append_new(digests, json_string(digest)) < 0)
			return -ENOMEM;
	}
	*ret_text = json_dumps(json, JSON_COMPACT);
	return *ret_text ? 0 : -ENOMEM;
}
