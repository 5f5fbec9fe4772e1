/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Facts as JSON and back. The header's document is kept as the text that it was, so that nothing is
 * lost or reordered, and is judged anew when it is read: a facts file proves nothing by itself.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/facts-file.h"
#include "audit/facts-luks1.h"
#include "audit/facts.h"
#include "audit/strict.h"
#include "base/i18n.h"
#include "base/text.h"
#include "keymgr/luks2-disk.h"
#include "keymgr/luks2-json.h"

static const char *const copy_names[] = {
	[LUKS2_COPY_OK] = "ok",
	[LUKS2_COPY_DAMAGED] = "damaged",
	[LUKS2_COPY_OLD] = "old",
	[LUKS2_COPY_MISSING] = "missing",
};
static const char *const rotational_names[] = {"unknown", "flash", "hard-disk"};
static const char *const clean_names[] = {"unknown", "no", "yes"};
static const char *const seal_names[] = {
	[LUKS2_SEAL_NONE] = "none",
	[LUKS2_SEAL_RIGHT] = "right",
	[LUKS2_SEAL_BROKEN] = "broken",
	[LUKS2_SEAL_REMOVED] = "removed",
};

static json_t *safe_string(const char *text)
{
	CLEANUP_FREE char *safe = NULL;

	if (text_sanitize(text ? text : "", text ? strlen(text) : 0, &safe) < 0)
		return NULL;
	return json_string(safe);
}

static json_t *u64_string(uint64_t value)
{
	return json_sprintf("%" PRIu64, value);
}

static json_t *device_to_json(const struct facts_device *device)
{
	json_t *json = json_pack("{s:o, s:o, s:o, s:s, s:I, s:I}", "vendor", safe_string(device->vendor), "model",
		safe_string(device->model), "serial", safe_string(device->serial), "rotational",
		rotational_names[device->rotational + 1], "samples", (json_int_t)device->samples, "plain_samples",
		(json_int_t)device->plain_samples);

	if (json && device->beside_known && json_object_set_new(json, "beside", safe_string(device->beside))) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static int add_header(const struct facts *facts, json_t *json)
{
	const struct luks2 *hdr = facts->hdr;
	json_t *header = json_pack("{s:[s, s], s:[o, o], s:b, s:o, s:o, s:o, s:o, s:I, s:s, s:s}", "copies",
		copy_names[facts->copies[0]], copy_names[facts->copies[1]], "seqids", u64_string(facts->seqids[0]),
		u64_string(facts->seqids[1]), "equal", facts->equal, "label", safe_string(hdr->label), "subsystem",
		safe_string(hdr->subsystem), "uuid", safe_string(hdr->uuid), "checksum", safe_string(hdr->csum_alg),
		"copy_bytes", (json_int_t)hdr->hdr_bytes, "sha256", facts->header_sha256, "metadata", facts->metadata);

	return header && json_object_set_new(json, "header", header) == 0 ? 0 : -ENOMEM;
}

static int add_luks1(const struct facts *facts, json_t *json)
{
	char bytes[2 * LUKS1_HDR_BYTES + 1];
	json_t *header;

	hex_encode(facts->luks1, LUKS1_HDR_BYTES, bytes);
	header = json_pack("{s:s, s:s}", "bytes", bytes, "sha256", facts->header_sha256);
	return header && json_object_set_new(json, "luks1", header) == 0 ? 0 : -ENOMEM;
}

static int add_unlocked(const struct facts_unlocked *unlocked, json_t *json)
{
	json_t *doc = json_pack("{s:b, s:b, s:b, s:s}", "halves_differ", unlocked->halves_differ, "random", unlocked->random,
		"published", unlocked->published, "clean", clean_names[unlocked->clean + 1]);

	if (!doc || (unlocked->fingerprint[0] && json_object_set_new(doc, "fingerprint", json_string(unlocked->fingerprint))) ||
		(unlocked->seal_known && json_object_set_new(doc, "seal", json_string(seal_names[unlocked->seal]))) ||
		(unlocked->changed && json_object_set_new(doc, "changed", safe_string(unlocked->changed)))) {
		json_decref(doc);
		return -ENOMEM;
	}
	return json_object_set_new(json, "unlocked", doc) ? -ENOMEM : 0;
}

int facts_to_json(const struct facts *facts, json_t **ret_json)
{
	CLEANUP_JSON json_t *json = json_pack("{s:o, s:s, s:s, s:o, s:o}", "target", safe_string(facts->target), "kind",
		facts_kind_name(facts->kind), "state", facts_state_name(facts->state), "detail",
		safe_string(facts->detail && facts->detail[0]		? facts->detail
			    : facts->state == FACTS_UNREADABLE && facts->err ? error_text(facts->err)
								   : ""),
		"size_bytes", u64_string(facts->size_bytes));

	if (json && facts->collected[0] && json_object_set_new(json, "collected", json_string(facts->collected)))
		return -ENOMEM;
	if (!json || (facts->doc && add_header(facts, json) < 0) || (facts->luks1 && add_luks1(facts, json) < 0))
		return -ENOMEM;
	if (facts->device.known && json_object_set_new(json, "device", device_to_json(&facts->device)))
		return -ENOMEM;
	if (facts->unlocked.known && add_unlocked(&facts->unlocked, json) < 0)
		return -ENOMEM;
	*ret_json = take_ptr(json);
	return 0;
}

/* ---- back ---- */

static const struct strict_field drive_fields[] = {
	{"target", STRICT_STRING},
	{"kind", STRICT_STRING},
	{"state", STRICT_STRING},
	{"detail", STRICT_STRING},
	{"size_bytes", STRICT_STRING},
	{"collected", STRICT_STRING | STRICT_OPTIONAL},
	{"header", STRICT_OBJECT | STRICT_OPTIONAL},
	{"luks1", STRICT_OBJECT | STRICT_OPTIONAL},
	{"device", STRICT_OBJECT | STRICT_OPTIONAL},
	{"unlocked", STRICT_OBJECT | STRICT_OPTIONAL},
};
static const struct strict_field header_fields[] = {
	{"copies", STRICT_STRINGS},
	{"seqids", STRICT_STRINGS},
	{"equal", STRICT_BOOL},
	{"label", STRICT_STRING},
	{"subsystem", STRICT_STRING},
	{"uuid", STRICT_STRING},
	{"checksum", STRICT_STRING},
	{"copy_bytes", STRICT_INTEGER},
	{"sha256", STRICT_STRING},
	{"metadata", STRICT_STRING},
};
static const struct strict_field luks1_fields[] = {
	{"bytes", STRICT_STRING},
	{"sha256", STRICT_STRING},
};
static const struct strict_field device_fields[] = {
	{"vendor", STRICT_STRING},
	{"model", STRICT_STRING},
	{"serial", STRICT_STRING},
	{"rotational", STRICT_STRING},
	{"beside", STRICT_STRING | STRICT_OPTIONAL},
	{"samples", STRICT_INTEGER},
	{"plain_samples", STRICT_INTEGER},
};
static const struct strict_field unlocked_fields[] = {
	{"halves_differ", STRICT_BOOL},
	{"random", STRICT_BOOL},
	{"published", STRICT_BOOL},
	{"clean", STRICT_STRING},
	{"fingerprint", STRICT_STRING | STRICT_OPTIONAL},
	{"seal", STRICT_STRING | STRICT_OPTIONAL},
	{"changed", STRICT_STRING | STRICT_OPTIONAL},
};

static const char *get(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static int find(const char *text, const char *const *names, int count)
{
	int i = 0;

	while (i < count && strcmp(names[i], text) != 0)
		i++;
	return i < count ? i : -1;
}

static int bad_value(const struct strict *s, const char *parent, const char *name)
{
	char at[STRICT_POINTER_MAX];

	return strict_fail(s, strict_pointer(at, parent, name), _("%s has a value that is not known"), at);
}

static int read_copies(const struct strict *s, const json_t *json, const char *at, struct facts *facts)
{
	const json_t *copies = json_object_get(json, "copies"), *seqids = json_object_get(json, "seqids");

	if (json_array_size(copies) != 2)
		return bad_value(s, at, "copies");
	for (size_t i = 0; i < 2; i++) {
		int state = find(json_string_value(json_array_get(copies, i)), copy_names, ARRAY_SIZE(copy_names));

		if (state < 0)
			return bad_value(s, at, "copies");
		if (!luks2_json_u64(json_array_get(seqids, i), &facts->seqids[i]))
			return bad_value(s, at, "seqids");
		facts->copies[i] = (enum luks2_copy_state)state;
	}
	facts->equal = json_is_true(json_object_get(json, "equal"));
	return 0;
}

static int read_hash(const struct strict *s, const json_t *json, const char *at, struct facts *facts)
{
	uint8_t digest[HASH256_BYTES];

	if (get(json, "sha256")[0] && hex_decode(get(json, "sha256"), digest, sizeof(digest)) < 0)
		return bad_value(s, at, "sha256");
	snprintf(facts->header_sha256, sizeof(facts->header_sha256), "%s", get(json, "sha256"));
	return 0;
}

static int read_model(const struct strict *s, const json_t *json, const char *at, struct facts *facts)
{
	uint64_t hdr_bytes = (uint64_t)json_integer_value(json_object_get(json, "copy_bytes"));
	struct diag diag = {0};
	int r = read_hash(s, json, at, facts);

	if (r < 0)
		return r;
	if (!luks2_disk_size_valid(hdr_bytes))
		return bad_value(s, at, "copy_bytes");
	facts->metadata = strdup(get(json, "metadata"));
	facts->hdr = calloc(1, sizeof(*facts->hdr));
	if (!facts->metadata || !facts->hdr)
		return -ENOMEM;
	r = luks2_json_parse(facts->metadata, strlen(facts->metadata) + 1, &facts->doc, &diag);
	if (r == 0)
		r = luks2_json_validate(facts->doc, hdr_bytes, &diag);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		char where[STRICT_POINTER_MAX];

		return strict_fail(s, strict_pointer(where, at, "metadata"), "%s", diag.detail);
	}
	facts->hdr->hdr_bytes = hdr_bytes;
	facts->hdr->seqid = facts->seqids[0] > facts->seqids[1] ? facts->seqids[0] : facts->seqids[1];
	memcpy(facts->hdr->copies, facts->copies, sizeof(facts->copies));
	snprintf(facts->hdr->label, sizeof(facts->hdr->label), "%s", get(json, "label"));
	snprintf(facts->hdr->subsystem, sizeof(facts->hdr->subsystem), "%s", get(json, "subsystem"));
	snprintf(facts->hdr->uuid, sizeof(facts->hdr->uuid), "%s", get(json, "uuid"));
	snprintf(facts->hdr->csum_alg, sizeof(facts->hdr->csum_alg), "%s", get(json, "checksum"));
	return luks2_json_to_model(facts->doc, facts->hdr);
}

static int read_header(const struct strict *s, const json_t *json, const char *at, struct facts *facts)
{
	int r;

	if (!json != (facts->state != FACTS_OK))
		return bad_value(s, at, "state");
	if (!json)
		return 0;
	r = strict_fields(s, json, at, header_fields, ARRAY_SIZE(header_fields));
	if (r == 0)
		r = read_copies(s, json, at, facts);
	return r == 0 ? read_model(s, json, at, facts) : r;
}

/* Files of before had nothing but the state. */
static int read_luks1(const struct strict *s, const json_t *json, const char *at, struct facts *facts)
{
	struct diag diag = {0};
	int r;

	if (!json)
		return 0;
	if (facts->state != FACTS_LUKS1)
		return bad_value(s, at, "bytes");
	r = strict_fields(s, json, at, luks1_fields, ARRAY_SIZE(luks1_fields));
	if (r == 0)
		r = read_hash(s, json, at, facts);
	if (r < 0)
		return r;
	facts->luks1 = malloc(LUKS1_HDR_BYTES);
	if (!facts->luks1)
		return -ENOMEM;
	if (hex_decode(get(json, "bytes"), facts->luks1, LUKS1_HDR_BYTES) < 0)
		return bad_value(s, at, "bytes");
	r = facts_luks1_model(facts->luks1, facts->size_bytes, &facts->hdr, &diag);
	return r == 0 || r == -ENOMEM ? r : bad_value(s, at, "bytes");
}

static int read_device(const struct strict *s, const json_t *json, const char *at, struct facts_device *device)
{
	int r = json ? strict_fields(s, json, at, device_fields, ARRAY_SIZE(device_fields)) : 0, kind;

	if (!json || r < 0)
		return r;
	kind = find(get(json, "rotational"), rotational_names, ARRAY_SIZE(rotational_names));
	if (kind < 0)
		return bad_value(s, at, "rotational");
	device->known = true;
	device->rotational = kind - 1;
	device->samples = (uint32_t)json_integer_value(json_object_get(json, "samples"));
	device->plain_samples = (uint32_t)json_integer_value(json_object_get(json, "plain_samples"));
	device->beside_known = get(json, "beside") != NULL;
	device->beside = strdup(device->beside_known ? get(json, "beside") : "");
	device->vendor = strdup(get(json, "vendor"));
	device->model = strdup(get(json, "model"));
	device->serial = strdup(get(json, "serial"));
	return device->beside && device->vendor && device->model && device->serial ? 0 : -ENOMEM;
}

static int read_seal(const struct strict *s, const json_t *json, const char *at, struct facts_unlocked *unlocked)
{
	int seal;

	if (!get(json, "seal"))
		return 0;
	seal = find(get(json, "seal"), seal_names, ARRAY_SIZE(seal_names));
	if (seal < 0)
		return bad_value(s, at, "seal");
	unlocked->seal_known = true;
	unlocked->seal = (enum luks2_seal_state)seal;
	unlocked->changed = get(json, "changed") ? strdup(get(json, "changed")) : NULL;
	return get(json, "changed") && !unlocked->changed ? -ENOMEM : 0;
}

static int read_unlocked(const struct strict *s, const json_t *json, const char *at, struct facts_unlocked *unlocked)
{
	int r = json ? strict_fields(s, json, at, unlocked_fields, ARRAY_SIZE(unlocked_fields)) : 0, clean;

	if (!json || r < 0)
		return r;
	clean = find(get(json, "clean"), clean_names, ARRAY_SIZE(clean_names));
	if (clean < 0)
		return bad_value(s, at, "clean");
	unlocked->known = true;
	unlocked->clean = clean - 1;
	unlocked->halves_differ = json_is_true(json_object_get(json, "halves_differ"));
	unlocked->random = json_is_true(json_object_get(json, "random"));
	unlocked->published = json_is_true(json_object_get(json, "published"));
	if (get(json, "fingerprint")) {
		uint8_t digest[HASH256_BYTES];

		if (hex_decode(get(json, "fingerprint"), digest, sizeof(digest)) < 0)
			return bad_value(s, at, "fingerprint");
		snprintf(unlocked->fingerprint, sizeof(unlocked->fingerprint), "%s", get(json, "fingerprint"));
	}
	return read_seal(s, json, at, unlocked);
}

static int read_drive(const struct strict *s, const json_t *json, const char *pointer, struct facts *facts)
{
	char at[STRICT_POINTER_MAX];
	int r = strict_fields(s, json, pointer, drive_fields, ARRAY_SIZE(drive_fields)), kind = 0, state = 0;

	if (r < 0)
		return r;
	while (kind <= FACTS_HEADER && strcmp(facts_kind_name((enum facts_kind)kind), get(json, "kind")) != 0)
		kind++;
	while (state <= FACTS_UNREADABLE && strcmp(facts_state_name((enum facts_state)state), get(json, "state")) != 0)
		state++;
	if (kind > FACTS_HEADER)
		return bad_value(s, pointer, "kind");
	if (state > FACTS_UNREADABLE)
		return bad_value(s, pointer, "state");
	if (!luks2_json_u64(json_object_get(json, "size_bytes"), &facts->size_bytes))
		return bad_value(s, pointer, "size_bytes");
	facts->saved = true;
	if (get(json, "collected") && !time_is_text(get(json, "collected")))
		return bad_value(s, pointer, "collected");
	snprintf(facts->collected, sizeof(facts->collected), "%s",
		get(json, "collected") ? get(json, "collected") : get(s->doc, "collected"));
	facts->kind = (enum facts_kind)kind;
	facts->state = (enum facts_state)state;
	facts->target = strdup(get(json, "target"));
	facts->detail = strdup(get(json, "detail"));
	facts->device.rotational = facts->unlocked.clean = -1;
	if (!facts->target || !facts->detail)
		return -ENOMEM;
	r = read_header(s, json_object_get(json, "header"), strict_pointer(at, pointer, "header"), facts);
	if (r == 0)
		r = read_luks1(s, json_object_get(json, "luks1"), strict_pointer(at, pointer, "luks1"), facts);
	if (r == 0)
		r = read_device(s, json_object_get(json, "device"), strict_pointer(at, pointer, "device"), &facts->device);
	if (r == 0)
		r = read_unlocked(s, json_object_get(json, "unlocked"), strict_pointer(at, pointer, "unlocked"),
			&facts->unlocked);
	return r;
}

int facts_from_json(const struct strict *s, const json_t *json, const char *pointer, struct facts **ret_facts)
{
	struct facts *facts = calloc(1, sizeof(*facts));
	int r = facts ? read_drive(s, json, pointer, facts) : -ENOMEM;

	if (r < 0) {
		facts_free(facts);
		return r;
	}
	*ret_facts = facts;
	return 0;
}
