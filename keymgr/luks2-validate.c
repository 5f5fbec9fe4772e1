/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rules for a LUKS2 document (LUKS2 On-Disk Format 1.1.4, section 3), as strict and as lenient
 * as cryptsetup 2.6 is when it loads a header. What a valid header still cannot be used for is
 * luks2_check_usable()'s business.
 *
 * Everything here takes time linear in the document (but for sorting), whatever it holds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/i18n.h"
#include "keymgr/luks2-disk.h"
#include "keymgr/luks2-json.h"
#include "keymgr/luks2-rules.h"

enum { KEYSLOTS_BYTES_MAX = 128 * 1024 * 1024, KEYSLOTS_ALIGN = 4096 };

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
	return r ? r
		 : check_references(digest, "segments", json_object_get(doc, "segments"), place);
}

static int check_crypt_segment(const json_t *segment, const struct place *place)
{
	int r = CHECK_FIELDS(segment, place, {"iv_tweak", FIELD_NUMBER},
		{"encryption", FIELD_STRING}, {"sector_size", FIELD_U32},
		{"integrity", FIELD_OBJECT | FIELD_OPTIONAL});
	const json_t *integrity = json_object_get(segment, "integrity");

	if (!r && integrity)
		r = CHECK_FIELDS(integrity, place, {"type", FIELD_STRING},
			{"journal_encryption", FIELD_STRING}, {"journal_integrity", FIELD_STRING});
	if (r)
		return r;
	uint64_t sector = (uint64_t)json_integer_value(json_object_get(segment, "sector_size"));

	if (!sector || sector % SECTOR_BYTES)
		return rule_broken(place, "sector_size", _("is not a multiple of 512"));
	if (get_number(segment, "size") % sector)
		return rule_broken(place, "size", _("is not a multiple of the sector size"));
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
		return rule_broken(place, "size", _("has a wrong type or value"));
	if (get_number(segment, "offset") % SECTOR_BYTES)
		return rule_broken(place, "offset", _("is not a multiple of 512"));
	if (size % SECTOR_BYTES)
		return rule_broken(place, "size", _("is not a multiple of 512"));
	return strcmp(get_string(segment, "type"), "crypt") ? 0
							    : check_crypt_segment(segment, place);
}

/* Every crypt segment has a digest. */
static int check_segments_digested(const json_t *doc, struct diag *diag)
{
	CLEANUP_JSON json_t *digested = json_object();
	const char *id;
	json_t *object, *name;
	size_t i;

	json_object_foreach(json_object_get(doc, "digests"), id, object)
		json_array_foreach(json_object_get(object, "segments"), i,
			name) if (json_object_set_new(digested, json_string_value(name),
					  json_true())) return -ENOMEM;
	json_object_foreach(json_object_get(doc, "segments"), id, object)
	{
		struct place place = {"segments", id, diag};

		if (!strcmp(get_string(object, "type"), "crypt") && !json_object_get(digested, id))
			return rule_broken(&place, NULL, _("has no digest"));
	}
	return 0;
}

static bool segment_is_backup(const json_t *segment)
{
	json_t *flag;
	size_t i;

	json_array_foreach(json_object_get(segment, "flags"), i,
		flag) if (!strncmp(json_string_value(flag), "backup-",
				  strlen("backup-"))) return true;
	return false;
}

static const json_t *segment_number(const json_t *segments, uint64_t number)
{
	char name[24];

	snprintf(name, sizeof(name), "%llu", (unsigned long long)number);
	return json_object_get(segments, name);
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
			return rule_broken(place, NULL, _("only the last one may be dynamic"));
		if (!size)
			intervals[i].end = UINT64_MAX;
		else if (!add_u64(intervals[i].start, size, &intervals[i].end))
			return rule_broken(place, NULL, _("one ends beyond 64 bits"));
	}
	return intervals_overlap(intervals, regular)
		       ? rule_broken(place, NULL, _("two of them overlap"))
		       : 0;
}

/* Regular segments are numbered from 0 without gaps, and backup segments follow them. */
static int check_segments_order(const json_t *doc, struct diag *diag)
{
	const json_t *segments = json_object_get(doc, "segments");
	struct place place = {"segments", NULL, diag};
	size_t regular = 0;
	const char *id;
	json_t *segment;

	json_object_foreach((json_t *)(uintptr_t)segments, id, segment) regular +=
		!segment_is_backup(segment);
	if (!regular)
		return rule_broken(&place, NULL, _("there is no segment for data"));
	for (size_t i = 0; i < regular; i++) {
		const json_t *at = segment_number(segments, i);

		if (!at || segment_is_backup(at))
			return rule_broken(&place, NULL, _("their numbers have a gap"));
	}
	if (json_object_size(segments) > regular && !segment_number(segments, regular))
		return rule_broken(&place, NULL, _("their numbers have a gap"));
	return check_segments_extent(segments, regular, &place);
}

/* Where the first segment that holds data starts; 0 with a detached header. */
static uint64_t first_data_offset(const json_t *doc)
{
	uint64_t first = UINT64_MAX;
	const char *id;
	json_t *segment;

	json_object_foreach(json_object_get(doc, "segments"), id,
		segment) if (!segment_is_backup(segment)) first =
		min_u64(first, get_number(segment, "offset"));
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
		return rule_broken(&place, "json_size", _("does not fit the binary header"));
	if (keyslots > KEYSLOTS_BYTES_MAX || keyslots % KEYSLOTS_ALIGN)
		return rule_broken(&place, "keyslots_size", _("has a wrong type or value"));
	if (data && (data < keyslots || data - keyslots < 2 * hdr_bytes))
		return rule_broken(&place, "keyslots_size", _("reaches into the data"));
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
		r = check_config(doc, hdr_bytes, diag);
	return r ? r : luks2_validate_keyslots(doc, hdr_bytes, diag);
}
