/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/checkpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit/canon.h"
#include "audit/facts-file.h"
#include "audit/merkle.h"
#include "audit/strict.h"
#include "base/i18n.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/luks2-json.h"

static const struct strict_field checkpoint_fields[] = {
	{"schema", STRICT_INTEGER},
	{"type", STRICT_STRING},
	{"size", STRICT_INTEGER},
	{"root", STRICT_STRING},
	{"ts", STRICT_STRING},
	{"station", STRICT_STRING},
};
static const struct strict_field proof_fields[] = {
	{"schema", STRICT_INTEGER},
	{"type", STRICT_STRING},
	{"size", STRICT_INTEGER},
	{"seq", STRICT_INTEGER},
	{"record", STRICT_STRING},
	{"path", STRICT_STRINGS},
};

static const struct strict_field consistency_fields[] = {
	{"schema", STRICT_INTEGER},
	{"type", STRICT_STRING},
	{"first", STRICT_INTEGER},
	{"size", STRICT_INTEGER},
	{"path", STRICT_STRINGS},
};

/* The leaf hashes of the first count records. */
static int leaves_of(const struct eventlog *log, size_t count, hash256_value **ret_leaves)
{
	hash256_value *leaves = calloc(count + 1, sizeof(*leaves));

	if (!leaves)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		memcpy(leaves[i], log->records[i].hash, sizeof(leaves[i]));
	*ret_leaves = leaves;
	return 0;
}

static int root_of(const struct eventlog *log, size_t count, char out[HASH256_HEX])
{
	CLEANUP_FREE hash256_value *leaves = NULL;
	hash256_value root;
	int r = leaves_of(log, count, &leaves);

	if (r < 0)
		return r;
	merkle_root(leaves, count, root);
	hex_encode(root, sizeof(root), out);
	return 0;
}

/* With a final newline. */
static int print_line(const json_t *doc, char **ret_text, size_t *ret_len)
{
	int r = doc ? canon_print(doc, ret_text, ret_len) : -ENOMEM;

	if (r == 0)
		(*ret_text)[(*ret_len)++] = '\n';
	return r;
}

int checkpoint_print(const struct eventlog *log, int64_t seconds, char **ret_text, size_t *ret_len)
{
	char root[HASH256_HEX], ts[32], station[256] = "";
	int r = root_of(log, log->count, root);

	if (r < 0)
		return r;
	time_text(seconds, ts);
	gethostname(station, sizeof(station) - 1);
	CLEANUP_JSON json_t *doc = json_pack("{s:i, s:s, s:I, s:s, s:s, s:s}", "schema", 1, "type", "sealdrive-checkpoint",
		"size", (json_int_t)log->count, "root", root, "ts", ts, "station", station);

	return print_line(doc, ret_text, ret_len);
}

static int parse(const char *text, size_t len, const char *type, const struct strict_field *fields, size_t count,
	struct diag *diag, struct strict *ret)
{
	CLEANUP_STRICT struct strict s = {0};
	int r = strict_parse(text, len, diag, &s);

	if (r == 0)
		r = strict_fields(&s, s.doc, "", fields, count);
	if (r == 0 && strcmp(json_string_value(json_object_get(s.doc, "type")), type) != 0)
		r = strict_fail(&s, "/type", _("this is not a file of type %s"), type);
	if (r == 0 && json_integer_value(json_object_get(s.doc, "schema")) != 1)
		r = strict_fail(&s, "/schema", _("this program knows schema %d only"), 1);
	if (r < 0)
		return r;
	*ret = s;
	s.doc = NULL;
	return 0;
}

static int parse_checkpoint(const char *text, size_t len, struct diag *diag, struct strict *ret)
{
	return parse(text, len, "sealdrive-checkpoint", checkpoint_fields, ARRAY_SIZE(checkpoint_fields), diag, ret);
}

int checkpoint_verify(const struct eventlog *log, const char *text, size_t len, struct diag *diag)
{
	CLEANUP_STRICT struct strict s = {0};
	char root[HASH256_HEX];
	int r = parse_checkpoint(text, len, diag, &s);

	if (r < 0)
		return r;
	uint64_t size = (uint64_t)json_integer_value(json_object_get(s.doc, "size"));

	if (size > log->count)
		return diag_set(diag, -SDE_LOG, _("the log has %zu records, the checkpoint %llu: its end was cut off"), log->count,
			(unsigned long long)size);
	r = root_of(log, size, root);
	if (r == 0 && strcmp(root, json_string_value(json_object_get(s.doc, "root"))) != 0)
		r = diag_set(diag, -SDE_LOG, _("the first %llu records are not those of the checkpoint"), (unsigned long long)size);
	return r;
}

static int list_path(json_t *list, const hash256_value *path, size_t len)
{
	char hex[HASH256_HEX];

	for (size_t i = 0; i < len; i++) {
		hex_encode(path[i], sizeof(path[i]), hex);
		if (json_array_append_new(list, json_string(hex)))
			return -ENOMEM;
	}
	return 0;
}

int proof_print(const struct eventlog *log, uint64_t seq, char **ret_text, size_t *ret_len)
{
	CLEANUP_FREE hash256_value *leaves = NULL;
	hash256_value path[MERKLE_PATH_MAX];
	json_t *list = json_array();

	if (seq < 1 || seq > log->count || !list) {
		json_decref(list);
		return list ? -EINVAL : -ENOMEM;
	}
	const struct record *record = &log->records[seq - 1];
	CLEANUP_JSON json_t *doc = json_pack("{s:i, s:s, s:I, s:I, s:s%, s:o}", "schema", 1, "type", "sealdrive-proof", "size",
		(json_int_t)log->count, "seq", (json_int_t)seq, "record", record->line, record->len, "path", list);
	int r = doc ? leaves_of(log, log->count, &leaves) : -ENOMEM;

	if (r < 0)
		return r;
	r = list_path(list, path, merkle_path(leaves, log->count, seq - 1, path));
	return r == 0 ? print_line(doc, ret_text, ret_len) : r;
}

static int read_path(const struct strict *proof, hash256_value path[MERKLE_PATH_MAX], size_t *ret_len)
{
	const json_t *list = json_object_get(proof->doc, "path");
	size_t len = json_array_size(list);

	if (len > MERKLE_PATH_MAX)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (hex_decode(json_string_value(json_array_get(list, i)), path[i], sizeof(path[i])) < 0)
			return -EINVAL;
	*ret_len = len;
	return 0;
}

static int climb(const struct strict *proof, char root[HASH256_HEX])
{
	static const uint8_t leaf_prefix = 0;
	const json_t *record = json_object_get(proof->doc, "record");
	hash256_value path[MERKLE_PATH_MAX], leaf, top;
	size_t len;

	if (read_path(proof, path, &len) < 0)
		return -EINVAL;
	hash256_of(&leaf_prefix, 1, json_string_value(record), json_string_length(record), leaf);
	uint64_t seq = (uint64_t)json_integer_value(json_object_get(proof->doc, "seq"));
	uint64_t size = (uint64_t)json_integer_value(json_object_get(proof->doc, "size"));

	if (seq < 1 || merkle_climb(leaf, seq - 1, size, (const hash256_value *)path, len, top) < 0)
		return -EINVAL;
	hex_encode(top, sizeof(top), root);
	return 0;
}

int proof_verify(const char *proof_text, size_t proof_len, const char *checkpoint_text, size_t checkpoint_len,
	char **ret_record, struct diag *diag)
{
	CLEANUP_STRICT struct strict proof = {0};
	CLEANUP_STRICT struct strict checkpoint = {0};
	char root[HASH256_HEX];
	int r = crypto_init();

	if (r == 0)
		r = parse(proof_text, proof_len, "sealdrive-proof", proof_fields, ARRAY_SIZE(proof_fields), diag, &proof);
	if (r == 0)
		r = parse_checkpoint(checkpoint_text, checkpoint_len, diag, &checkpoint);
	if (r < 0)
		return r;
	if (!json_equal(json_object_get(proof.doc, "size"), json_object_get(checkpoint.doc, "size")))
		return diag_set(diag, -SDE_PROOF, _("proof and checkpoint are of logs of different length"));
	if (climb(&proof, root) < 0 || strcmp(root, json_string_value(json_object_get(checkpoint.doc, "root"))) != 0)
		return diag_set(diag, -SDE_PROOF, _("the proof does not lead to the checkpoint"));
	*ret_record = strdup(json_string_value(json_object_get(proof.doc, "record")));
	return *ret_record ? 0 : -ENOMEM;
}

/* ---- from one checkpoint to a later one ---- */

#define CONSISTENCY "sealdrive-consistency"

int consistency_print(const struct eventlog *log, uint64_t first, char **ret_text, size_t *ret_len)
{
	CLEANUP_FREE hash256_value *leaves = NULL;
	hash256_value path[MERKLE_PATH_MAX];
	json_t *list;
	int r;

	if (first < 1 || first > log->count)
		return -EINVAL;
	list = json_array();
	CLEANUP_JSON json_t *doc = json_pack("{s:i, s:s, s:I, s:I, s:o}", "schema", 1, "type", CONSISTENCY, "first",
		(json_int_t)first, "size", (json_int_t)log->count, "path", list);
	r = doc ? leaves_of(log, log->count, &leaves) : -ENOMEM;
	if (r == 0)
		r = list_path(list, path, merkle_consistency(leaves, first, log->count, path));
	return r == 0 ? print_line(doc, ret_text, ret_len) : r;
}

bool consistency_claims(const char *text, size_t len)
{
	CLEANUP_JSON json_t *doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const char *type = json_string_value(json_object_get(doc, "type"));

	return type && strcmp(type, CONSISTENCY) == 0;
}

static bool same_size(const struct strict *proof, const char *name, const struct strict *checkpoint)
{
	return json_equal(json_object_get(proof->doc, name), json_object_get(checkpoint->doc, "size"));
}

static bool leads_to(const struct strict *proof, const struct strict *earlier, const struct strict *later)
{
	uint64_t first = (uint64_t)json_integer_value(json_object_get(proof->doc, "first"));
	uint64_t size = (uint64_t)json_integer_value(json_object_get(proof->doc, "size"));
	hash256_value path[MERKLE_PATH_MAX], old, new, climbed_old, climbed_new;
	size_t len;

	return read_path(proof, path, &len) == 0 &&
	       hex_decode(json_string_value(json_object_get(earlier->doc, "root")), old, sizeof(old)) == 0 &&
	       hex_decode(json_string_value(json_object_get(later->doc, "root")), new, sizeof(new)) == 0 &&
	       merkle_climb_both(first, size, old, (const hash256_value *)path, len, climbed_old, climbed_new) == 0 &&
	       memcmp(climbed_old, old, sizeof(old)) == 0 && memcmp(climbed_new, new, sizeof(new)) == 0;
}

int consistency_verify(const char *proof_text, size_t proof_len, struct checkpoint_text earlier_text,
	struct checkpoint_text later_text, uint64_t *ret_first, uint64_t *ret_size, struct diag *diag)
{
	CLEANUP_STRICT struct strict proof = {0};
	CLEANUP_STRICT struct strict earlier = {0};
	CLEANUP_STRICT struct strict later = {0};
	int r = crypto_init();

	if (r == 0)
		r = parse(proof_text, proof_len, CONSISTENCY, consistency_fields, ARRAY_SIZE(consistency_fields), diag,
			&proof);
	if (r == 0)
		r = parse_checkpoint(earlier_text.text, earlier_text.len, diag, &earlier);
	if (r == 0)
		r = parse_checkpoint(later_text.text, later_text.len, diag, &later);
	if (r < 0)
		return r;
	if (!same_size(&proof, "first", &earlier) || !same_size(&proof, "size", &later))
		return diag_set(diag, -SDE_PROOF, _("the proof is for other checkpoints: their logs have other lengths"));
	if (!leads_to(&proof, &earlier, &later))
		return diag_set(diag, -SDE_PROOF, _("the proof does not lead from the one checkpoint to the other"));
	*ret_first = (uint64_t)json_integer_value(json_object_get(proof.doc, "first"));
	*ret_size = (uint64_t)json_integer_value(json_object_get(proof.doc, "size"));
	return 0;
}
