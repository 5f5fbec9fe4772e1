/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules for keyslots: LUKS2 On-Disk Format 1.1.4, section 3.2. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/i18n.h"
#include "keymgr/luks2-json.h"
#include "keymgr/luks2-rules.h"

static int check_keyslot(const json_t *doc, const json_t *keyslot, const struct place *place)
{
	int r = CHECK_FIELDS(keyslot, place, {"type", FIELD_STRING}, {"key_size", FIELD_U32},
		{"area", FIELD_OBJECT});

	if (r)
		return r;
	return CHECK_FIELDS(json_object_get(keyslot, "area"), place, {"type", FIELD_STRING},
		{"offset", FIELD_NUMBER}, {"size", FIELD_NUMBER});
}

static int check_kdf(const json_t *kdf, const struct place *place)
{
	int r = CHECK_FIELDS(kdf, place, {"type", FIELD_STRING}, {"salt", FIELD_STRING});

	if (r)
		return r;
	const char *type = get_string(kdf, "type");

	if (!strcmp(type, "pbkdf2"))
		return CHECK_FIELDS(kdf, place, {"hash", FIELD_STRING}, {"iterations", FIELD_INT});
	if (!strcmp(type, "argon2i") || !strcmp(type, "argon2id"))
		return CHECK_FIELDS(kdf, place, {"time", FIELD_INT}, {"memory", FIELD_INT},
			{"cpus", FIELD_INT});
	return 0;
}

static int check_luks2_keyslot(const json_t *keyslot, const struct place *place)
{
	const json_t *af = json_object_get(keyslot, "af"), *area = json_object_get(keyslot, "area");
	int r = CHECK_FIELDS(keyslot, place, {"kdf", FIELD_OBJECT}, {"af", FIELD_OBJECT});

	if (!r)
		r = check_kdf(json_object_get(keyslot, "kdf"), place);
	if (!r)
		r = CHECK_FIELDS(af, place, {"type", FIELD_STRING}, {"hash", FIELD_STRING},
			{"stripes", FIELD_INT});
	if (!r && strcmp(get_string(af, "type"), "luks1"))
		r = rule_broken(place, "af", _("has an unknown type"));
	if (!r && strcmp(get_string(area, "type"), "raw"))
		r = rule_broken(place, "area", _("has an unknown type"));
	return r ? r
		 : CHECK_FIELDS(area, place, {"encryption", FIELD_STRING}, {"key_size", FIELD_INT});
}

static bool one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(text, *words))
			return true;
	return false;
}

static int check_reencrypt_area(const json_t *area, const struct place *place)
{
	const char *type = get_string(area, "type");

	if (!strcmp(type, "checksum") || !strcmp(type, "datashift-checksum")) {
		int r = CHECK_FIELDS(
			area, place, {"hash", FIELD_STRING}, {"sector_size", FIELD_U32});
		uint64_t sector =
			(uint64_t)json_integer_value(json_object_get(area, "sector_size"));

		if (r)
			return r;
		if (sector < SECTOR_BYTES || !is_power_of_2(sector))
			return rule_broken(place, "sector_size", _("has a wrong type or value"));
	}
	if (!strncmp(type, "datashift", strlen("datashift"))) {
		int r = CHECK_FIELDS(area, place, {"shift_size", FIELD_NUMBER});
		uint64_t shift = get_number(area, "shift_size");

		if (r)
			return r;
		if (!shift || shift % SECTOR_BYTES)
			return rule_broken(place, "shift_size", _("has a wrong type or value"));
	}
	return 0;
}

static int check_reencrypt_keyslot(const json_t *keyslot, const struct place *place)
{
	static const char *const modes[] = {"reencrypt", "encrypt", "decrypt", NULL};
	static const char *const directions[] = {"forward", "backward", NULL};
	static const char *const types[] = {"none", "checksum", "journal", "datashift",
		"datashift-checksum", "datashift-journal", NULL};
	const json_t *area = json_object_get(keyslot, "area");
	int r = CHECK_FIELDS(keyslot, place, {"mode", FIELD_STRING}, {"direction", FIELD_STRING});

	if (r)
		return r;
	if (!one_of(get_string(keyslot, "mode"), modes))
		return rule_broken(place, "mode", _("has a wrong type or value"));
	if (!one_of(get_string(keyslot, "direction"), directions))
		return rule_broken(place, "direction", _("has a wrong type or value"));
	if (!one_of(get_string(area, "type"), types))
		return rule_broken(place, "area", _("has an unknown type"));
	return check_reencrypt_area(area, place);
}

/* A keyslot that the number of its name finds: "7" for "7", but also for "007". */
static bool name_usual(const char *name, char usual[24])
{
	name += strspn(name, "0");
	return snprintf(usual, 24, "%s", *name ? name : "0") < 10;
}

/* Keyslot name -> id of the digest that names it, or false when several do. */
static json_t *keyslot_owners(const json_t *doc)
{
	CLEANUP_JSON json_t *owners = json_object();
	const char *id, *name;
	json_t *digest, *item;
	size_t i;

	json_object_foreach(json_object_get(doc, "digests"), id, digest)
		json_array_foreach(json_object_get(digest, "keyslots"), i, item)
	{
		name = json_string_value(item);
		const json_t *owner = json_object_get(owners, name);
		bool other =
			owner && (json_is_false(owner) || strcmp(json_string_value(owner), id));

		if (json_object_set_new(owners, name, other ? json_false() : json_string(id)))
			return NULL;
	}
	return take_ptr(owners);
}

/* Every keyslot of a known type belongs to exactly one digest. */
static int check_keyslots_digested(const json_t *doc, struct diag *diag)
{
	CLEANUP_JSON json_t *owners = keyslot_owners(doc);
	const char *id;
	json_t *keyslot;

	if (!owners)
		return -ENOMEM;
	json_object_foreach(json_object_get(doc, "keyslots"), id, keyslot)
	{
		const char *type = get_string(keyslot, "type");
		char usual[24];

		if (strcmp(type, "luks2") && strcmp(type, "reencrypt"))
			continue;
		if (!name_usual(id, usual) || !json_is_string(json_object_get(owners, usual)))
			return rule_broken(&(struct place){"keyslots", id, diag}, NULL,
				_("does not belong to exactly one digest"));
	}
	return 0;
}

static int check_keyslot_type(const json_t *doc, const json_t *keyslot, const struct place *place)
{
	const char *type = get_string(keyslot, "type");

	if (!strcmp(type, "luks2"))
		return check_luks2_keyslot(keyslot, place);
	if (!strcmp(type, "reencrypt"))
		return check_reencrypt_keyslot(keyslot, place);
	return 0;
}

/* A reencryption in progress has its requirement and exactly one keyslot of its type. */
static int check_reencryption(const json_t *doc, struct diag *diag)
{
	const json_t *mandatory = json_object_get(
		json_object_get(json_object_get(doc, "config"), "requirements"), "mandatory");
	static const char *const online[] = {
		"online-reencrypt", "online-reencrypt-v2", "online-reencrypt-v3", NULL};
	struct place place = {"keyslots", NULL, diag};
	size_t slots = 0, i;
	bool required = false;
	const char *id;
	json_t *item;

	json_array_foreach(mandatory, i, item) required |= one_of(json_string_value(item), online);
	json_object_foreach(json_object_get(doc, "keyslots"), id, item) slots +=
		!strcmp(get_string(item, "type"), "reencrypt");
	if (slots != (required ? 1 : 0))
		return rule_broken(
			&place, NULL, _("reencryption keyslot and requirement do not agree"));
	return 0;
}

/* Keyslot areas lie between the headers and the end of the keyslots area, and do not overlap. */
static int check_areas(const json_t *doc, uint64_t hdr_bytes, struct diag *diag)
{
	const json_t *keyslots = json_object_get(doc, "keyslots");
	uint64_t area_end =
		2 * hdr_bytes + get_number(json_object_get(doc, "config"), "keyslots_size");
	size_t count = json_object_size(keyslots), i = 0;
	CLEANUP_FREE struct interval *intervals = calloc(count + 1, sizeof(*intervals));
	const char *id;
	json_t *keyslot;

	if (!intervals)
		return -ENOMEM;
	json_object_foreach((json_t *)(uintptr_t)keyslots, id, keyslot)
	{
		const json_t *area = json_object_get(keyslot, "area");
		uint64_t start = get_number(area, "offset"), size = get_number(area, "size"), end;
		struct place place = {"keyslots", id, diag};

		if (!size || start < 2 * hdr_bytes || !add_u64(start, size, &end) || end > area_end)
			return rule_broken(&place, "area", _("lies outside the keyslots area"));
		intervals[i++] = (struct interval){start, end};
	}
	if (intervals_overlap(intervals, count))
		return rule_broken(
			&(struct place){"keyslots", NULL, diag}, "area", _("two of them overlap"));
	return 0;
}

int luks2_validate_keyslots(const json_t *doc, uint64_t hdr_bytes, struct diag *diag)
{
	int r = check_section(doc, "keyslots", check_keyslot, diag);

	if (!r)
		r = check_areas(doc, hdr_bytes, diag);
	if (!r)
		r = check_section(doc, "keyslots", check_keyslot_type, diag);
	if (!r)
		r = check_keyslots_digested(doc, diag);
	return r ? r : check_reencryption(doc, diag);
}
