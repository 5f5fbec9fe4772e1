/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rules for a LUKS2 document (LUKS2 On-Disk Format 1.1.4, section 3), as strict and as lenient
 * as cryptsetup 2.6 is when it loads a header. What a valid header still cannot be used for is
 * luks2_check_usable()'s business.
 *
 * Everything here takes time linear in the document (but for sorting), whatever it holds.
 */
#include <errno.h>
#include <stdarg.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "keymgr/luks2-disk.h"
#include "keymgr/luks2-json.h"

enum { KEYSLOTS_BYTES_MAX = 128 * 1024 * 1024, KEYSLOTS_ALIGN = 4096, SECTOR_BYTES = 512 };

enum field_type {
	FIELD_STRING, /* not empty */
	FIELD_NUMBER, /* string-uint64 */
	FIELD_INT,
	FIELD_U32,
	FIELD_ARRAY,
	FIELD_STRINGS, /* array of strings */
	FIELD_OBJECT,
	FIELD_OPTIONAL = 1 << 8, /* may be missing; or'ed to one of the others */
};

struct field {
	const char *name;
	unsigned type;
};

/* What is being checked, for messages: "keyslots" and "3", or "config" and NULL. */
struct place {
	const char *section, *id;
	struct diag *diag;
};

static int invalid(const struct place *place, const char *field, const char *why)
{
	const char *dot = place->id ? "." : "", *id = place->id ? place->id : "";

	if (field)
		return diag_set(place->diag, -SDE_HEADER_INVALID, "%s%s%.20s.%s: %s", place->section,
			dot, id, field, why);
	return diag_set(place->diag, -SDE_HEADER_INVALID, "%s%s%.20s: %s", place->section, dot, id, why);
}

static bool all_strings(const json_t *array)
{
	json_t *item;
	size_t i;

	if (!json_is_array(array))
		return false;
	json_array_foreach(array, i, item)
		if (!json_is_string(item))
			return false;
	return true;
}

static bool field_ok(const json_t *value, unsigned type)
{
	uint64_t number;

	switch (type & ~FIELD_OPTIONAL) {
	case FIELD_STRING:
		return json_string_length(value) > 0;
	case FIELD_NUMBER:
		return json_string_length(value) > 0 && luks2_json_u64(value, &number);
	case FIELD_INT:
		return json_is_integer(value);
	case FIELD_U32:
		return json_is_integer(value) && json_integer_value(value) >= 0 &&
			json_integer_value(value) <= UINT32_MAX;
	case FIELD_ARRAY:
		return json_is_array(value);
	case FIELD_STRINGS:
		return all_strings(value);
	case FIELD_OBJECT:
		return json_is_object(value);
	}
	return false;
}

static int check_fields(const json_t *object, const struct field *fields, size_t count,
	const struct place *place)
{
	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_object_get(object, fields[i].name);

		if (!value && fields[i].type & FIELD_OPTIONAL)
			continue;
		if (!value)
			return invalid(place, fields[i].name, _("is missing"));
		if (!field_ok(value, fields[i].type))
			return invalid(place, fields[i].name, _("has a wrong type or value"));
	}
	return 0;
}
#define CHECK_FIELDS(object, place, ...)                                                           \
	check_fields(object, (const struct field[]){__VA_ARGS__},                                  \
		sizeof((const struct field[]){__VA_ARGS__}) / sizeof(struct field), place)

static const char *get_string(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* 0 for what is not a valid number */
static uint64_t get_number(const json_t *object, const char *name)
{
	uint64_t value;

	return luks2_json_u64(json_object_get(object, name), &value) ? value : 0;
}

static bool name_numbered(const char *name)
{
	return name[strspn(name, "0123456789")] == '\0';
}

/* Each of names is the name of an object in section. */
static bool refers_inside(const json_t *names, const json_t *section)
{
	json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
		if (!json_is_object(json_object_get(section, json_string_value(name))))
			return false;
	return true;
}

static int check_references(const json_t *object, const char *field, const json_t *section,
	const struct place *place)
{
	const json_t *names = json_object_get(object, field);

	if (!all_strings(names))
		return invalid(place, field, _("is not a list of names"));
	if (!refers_inside(names, section))
		return invalid(place, field, _("names an object that does not exist"));
	return 0;
}

typedef int section_check(const json_t *doc, const json_t *object, const struct place *place);

static int check_section(const json_t *doc, const char *section, section_check *check,
	struct diag *diag)
{
	const char *id;
	json_t *object;

	json_object_foreach(json_object_get(doc, section), id, object) {
		struct place place = {section, id, diag};

		if (!name_numbered(id))
			return invalid(&(struct place){section, NULL, diag}, NULL,
				_("holds an object whose name is not a number"));
		int r = check(doc, object, &place);

		if (r)
			return r;
	}
	return 0;
}

static int check_token(const json_t *doc, const json_t *token, const struct place *place)
{
	int r = CHECK_FIELDS(token, place, {"type", FIELD_STRING}, {"keyslots", FIELD_ARRAY});

	return r ? r : check_references(token, "keyslots", json_object_get(doc, "keyslots"), place);
}

static int check_digest(const json_t *doc, const json_t *digest, const struct place *place)
{
	int r = CHECK_FIELDS(digest, place, {"type", FIELD_STRING}, {"keyslots", FIELD_ARRAY},
		{"segments", FIELD_ARRAY});

	if (!r)
		r = check_references(digest, "keyslots", json_object_get(doc, "keyslots"), place);
	return r ? r : check_references(digest, "segments", json_object_get(doc, "segments"), place);
}

static int check_crypt_segment(const json_t *segment, const struct place *place)
{
	int r = CHECK_FIELDS(segment, place, {"iv_tweak", FIELD_NUMBER}, {"encryption", FIELD_STRING},
		{"sector_size", FIELD_U32}, {"integrity", FIELD_OBJECT | FIELD_OPTIONAL});
	const json_t *integrity = json_object_get(segment, "integrity");

	if (!r && integrity)
		r = CHECK_FIELDS(integrity, place, {"type", FIELD_STRING},
			{"journal_encryption", FIELD_STRING}, {"journal_integrity", FIELD_STRING});
	if (r)
		return r;
	uint64_t sector = (uint64_t)json_integer_value(json_object_get(segment, "sector_size"));

	if (!sector || sector % SECTOR_BYTES)
		return invalid(place, "sector_size", _("is not a multiple of 512"));
	if (get_number(segment, "size") % sector)
		return invalid(place, "size", _("is not a multiple of the sector size"));
	return 0;
}

static int check_segment(const json_t *doc, const json_t *segment, const struct place *place)
{
	int r = CHECK_FIELDS(segment, place, {"type", FIELD_STRING}, {"offset", FIELD_NUMBER},
		{"size", FIELD_STRING}, {"flags", FIELD_STRINGS | FIELD_OPTIONAL});

	if (r)
		return r;
	uint64_t size = get_number(segment, "size");

	if (!size && strcmp(get_string(segment, "size"), "dynamic"))
		return invalid(place, "size", _("has a wrong type or value"));
	if (get_number(segment, "offset") % SECTOR_BYTES)
		return invalid(place, "offset", _("is not a multiple of 512"));
	if (size % SECTOR_BYTES)
		return invalid(place, "size", _("is not a multiple of 512"));
	return strcmp(get_string(segment, "type"), "crypt") ? 0 : check_crypt_segment(segment, place);
}

/* Every crypt segment has a digest. */
static int check_segments_digested(const json_t *doc, struct diag *diag)
{
	CLEANUP_JSON json_t *digested = json_object();
	const char *id;
	json_t *object, *name;
	size_t i;

	json_object_foreach(json_object_get(doc, "digests"), id, object)
		json_array_foreach(json_object_get(object, "segments"), i, name)
			if (json_object_set_new(digested, json_string_value(name), json_true()))
				return -ENOMEM;
	json_object_foreach(json_object_get(doc, "segments"), id, object) {
		struct place place = {"segments", id, diag};

		if (!strcmp(get_string(object, "type"), "crypt") && !json_object_get(digested, id))
			return invalid(&place, NULL, _("has no digest"));
	}
	return 0;
}

static bool segment_is_backup(const json_t *segment)
{
	json_t *flag;
	size_t i;

	json_array_foreach(json_object_get(segment, "flags"), i, flag)
		if (!strncmp(json_string_value(flag), "backup-", strlen("backup-")))
			return true;
	return false;
}

static const json_t *segment_number(const json_t *segments, uint64_t number)
{
	char name[24];

	snprintf(name, sizeof(name), "%llu", (unsigned long long)number);
	return json_object_get(segments, name);
}

struct interval {
	uint64_t start, end;
};

static int interval_compare(const void *a, const void *b)
{
	const struct interval *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

static bool intervals_overlap(struct interval *intervals, size_t count)
{
	qsort(intervals, count, sizeof(*intervals), interval_compare);
	for (size_t i = 1; i < count; i++)
		if (intervals[i].start < intervals[i - 1].end)
			return true;
	return false;
}

/* Regular segments do not overlap, and only the last one may be dynamic. */
static int check_segments_extent(const json_t *segments, size_t regular, const struct place *place)
{
	CLEANUP_FREE struct interval *intervals = calloc(regular, sizeof(*intervals));

	if (!intervals)
		return -ENOMEM;
	if (regular == 1)
		return 0;
	for (size_t i = 0; i < regular; i++) {
		const json_t *segment = segment_number(segments, i);
		uint64_t size = get_number(segment, "size");

		intervals[i].start = get_number(segment, "offset");
		if (!size && i != regular - 1)
			return invalid(place, NULL, _("only the last one may be dynamic"));
		if (!size)
			intervals[i].end = UINT64_MAX;
		else if (!add_u64(intervals[i].start, size, &intervals[i].end))
			return invalid(place, NULL, _("one ends beyond 64 bits"));
	}
	return intervals_overlap(intervals, regular) ? invalid(place, NULL, _("two of them overlap")) : 0;
}

/* Regular segments are numbered from 0 without gaps, and backup segments follow them. */
static int check_segments_order(const json_t *doc, struct diag *diag)
{
	const json_t *segments = json_object_get(doc, "segments");
	struct place place = {"segments", NULL, diag};
	size_t regular = 0;
	const char *id;
	json_t *segment;

	json_object_foreach((json_t *)(uintptr_t)segments, id, segment)
		regular += !segment_is_backup(segment);
	if (!regular)
		return invalid(&place, NULL, _("there is no segment for data"));
	for (size_t i = 0; i < regular; i++) {
		const json_t *at = segment_number(segments, i);

		if (!at || segment_is_backup(at))
			return invalid(&place, NULL, _("their numbers have a gap"));
	}
	if (json_object_size(segments) > regular && !segment_number(segments, regular))
		return invalid(&place, NULL, _("their numbers have a gap"));
	return check_segments_extent(segments, regular, &place);
}

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
		r = invalid(place, "af", _("has an unknown type"));
	if (!r && strcmp(get_string(area, "type"), "raw"))
		r = invalid(place, "area", _("has an unknown type"));
	return r ? r : CHECK_FIELDS(area, place, {"encryption", FIELD_STRING}, {"key_size", FIELD_INT});
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
		int r = CHECK_FIELDS(area, place, {"hash", FIELD_STRING}, {"sector_size", FIELD_U32});
		uint64_t sector = (uint64_t)json_integer_value(json_object_get(area, "sector_size"));

		if (r)
			return r;
		if (sector < SECTOR_BYTES || !is_power_of_2(sector))
			return invalid(place, "sector_size", _("has a wrong type or value"));
	}
	if (!strncmp(type, "datashift", strlen("datashift"))) {
		int r = CHECK_FIELDS(area, place, {"shift_size", FIELD_NUMBER});
		uint64_t shift = get_number(area, "shift_size");

		if (r)
			return r;
		if (!shift || shift % SECTOR_BYTES)
			return invalid(place, "shift_size", _("has a wrong type or value"));
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
		return invalid(place, "mode", _("has a wrong type or value"));
	if (!one_of(get_string(keyslot, "direction"), directions))
		return invalid(place, "direction", _("has a wrong type or value"));
	if (!one_of(get_string(area, "type"), types))
		return invalid(place, "area", _("has an unknown type"));
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
		json_array_foreach(json_object_get(digest, "keyslots"), i, item) {
			name = json_string_value(item);
			const json_t *owner = json_object_get(owners, name);
			bool other = owner && (json_is_false(owner) || strcmp(json_string_value(owner), id));

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
	json_object_foreach(json_object_get(doc, "keyslots"), id, keyslot) {
		const char *type = get_string(keyslot, "type");
		char usual[24];

		if (strcmp(type, "luks2") && strcmp(type, "reencrypt"))
			continue;
		if (!name_usual(id, usual) || !json_is_string(json_object_get(owners, usual)))
			return invalid(&(struct place){"keyslots", id, diag}, NULL,
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
	static const char *const online[] = {"online-reencrypt", "online-reencrypt-v2",
		"online-reencrypt-v3", NULL};
	struct place place = {"keyslots", NULL, diag};
	size_t slots = 0, i;
	bool required = false;
	const char *id;
	json_t *item;

	json_array_foreach(mandatory, i, item)
		required |= one_of(json_string_value(item), online);
	json_object_foreach(json_object_get(doc, "keyslots"), id, item)
		slots += !strcmp(get_string(item, "type"), "reencrypt");
	if (slots != (required ? 1 : 0))
		return invalid(&place, NULL, _("reencryption keyslot and requirement do not agree"));
	return 0;
}

/* Where the first segment that holds data starts; 0 with a detached header. */
static uint64_t first_data_offset(const json_t *doc)
{
	uint64_t first = UINT64_MAX;
	const char *id;
	json_t *segment;

	json_object_foreach(json_object_get(doc, "segments"), id, segment)
		if (!segment_is_backup(segment))
			first = min_u64(first, get_number(segment, "offset"));
	return first;
}

static int check_config(const json_t *doc, uint64_t hdr_bytes, struct diag *diag)
{
	const json_t *config = json_object_get(doc, "config");
	struct place place = {"config", NULL, diag};
	int r = CHECK_FIELDS(config, &place, {"json_size", FIELD_NUMBER},
		{"keyslots_size", FIELD_NUMBER}, {"flags", FIELD_STRINGS | FIELD_OPTIONAL},
		{"requirements", FIELD_OBJECT | FIELD_OPTIONAL});

	if (!r)
		r = CHECK_FIELDS(json_object_get(config, "requirements"), &place,
			{"mandatory", FIELD_STRINGS | FIELD_OPTIONAL});
	if (r)
		return r;
	uint64_t keyslots = get_number(config, "keyslots_size"), data = first_data_offset(doc);

	if (!luks2_disk_size_valid(hdr_bytes) ||
		get_number(config, "json_size") != hdr_bytes - LUKS2_BIN_BYTES)
		return invalid(&place, "json_size", _("does not fit the binary header"));
	if (keyslots > KEYSLOTS_BYTES_MAX || keyslots % KEYSLOTS_ALIGN)
		return invalid(&place, "keyslots_size", _("has a wrong type or value"));
	if (data && (data < keyslots || data - keyslots < 2 * hdr_bytes))
		return invalid(&place, "keyslots_size", _("reaches into the data"));
	return 0;
}

/* Keyslot areas lie between the headers and the end of the keyslots area, and do not overlap. */
static int check_areas(const json_t *doc, uint64_t hdr_bytes, struct diag *diag)
{
	const json_t *keyslots = json_object_get(doc, "keyslots");
	uint64_t area_end = 2 * hdr_bytes + get_number(json_object_get(doc, "config"), "keyslots_size");
	size_t count = json_object_size(keyslots), i = 0;
	CLEANUP_FREE struct interval *intervals = calloc(count + 1, sizeof(*intervals));
	const char *id;
	json_t *keyslot;

	if (!intervals)
		return -ENOMEM;
	json_object_foreach((json_t *)(uintptr_t)keyslots, id, keyslot) {
		const json_t *area = json_object_get(keyslot, "area");
		uint64_t start = get_number(area, "offset"), size = get_number(area, "size"), end;
		struct place place = {"keyslots", id, diag};

		if (!size || start < 2 * hdr_bytes || !add_u64(start, size, &end) || end > area_end)
			return invalid(&place, "area", _("lies outside the keyslots area"));
		intervals[i++] = (struct interval){start, end};
	}
	if (intervals_overlap(intervals, count))
		return invalid(&(struct place){"keyslots", NULL, diag}, "area", _("two of them overlap"));
	return 0;
}

int luks2_json_validate(const json_t *doc, uint64_t hdr_bytes, struct diag *diag)
{
	struct place top = {"JSON", NULL, diag};
	int r = CHECK_FIELDS(doc, &top, {"keyslots", FIELD_OBJECT}, {"tokens", FIELD_OBJECT},
		{"segments", FIELD_OBJECT}, {"digests", FIELD_OBJECT}, {"config", FIELD_OBJECT});

	if (!r)
		r = check_section(doc, "tokens", check_token, diag);
	if (!r)
		r = check_section(doc, "digests", check_digest, diag);
	if (!r)
		r = check_section(doc, "segments", check_segment, diag);
	if (!r)
		r = check_segments_digested(doc, diag);
	if (!r)
		r = check_segments_order(doc, diag);
	if (!r)
		r = check_section(doc, "keyslots", check_keyslot, diag);
	if (!r)
		r = check_config(doc, hdr_bytes, diag);
	if (!r)
		r = check_areas(doc, hdr_bytes, diag);
	if (!r)
		r = check_section(doc, "keyslots", check_keyslot_type, diag);
	if (!r)
		r = check_keyslots_digested(doc, diag);
	return r ? r : check_reencryption(doc, diag);
}
