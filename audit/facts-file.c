/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/facts-file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit/canon.h"
#include "audit/strict.h"
#include "base/i18n.h"
#include "base/text.h"
#include "keymgr/luks2-json.h"

#define TYPE "sealdrive-facts"

static const struct strict_field file_fields[] = {
	{"schema", STRICT_INTEGER},
	{"type", STRICT_STRING},
	{"collected", STRICT_STRING},
	{"drives", STRICT_ARRAY},
	{"sha256", STRICT_STRING},
};

void time_text(int64_t seconds, char out[32])
{
	time_t t = seconds;
	struct tm tm;

	out[0] = '\0';
	if (gmtime_r(&t, &tm))
		strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

bool time_is_text(const char *text)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
	char day[11] = "";
	size_t i;

	for (i = 0; form[i]; i++)
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return false;
	memcpy(day, text, sizeof(day) - 1);
	return !text[i] && text_is_date(day);
}

/* The hash of the document without its hash. */
static int hash_of(const json_t *doc, char out[HASH256_HEX])
{
	CLEANUP_JSON json_t *bare = json_copy((json_t *)(uintptr_t)doc);
	CLEANUP_FREE char *text = NULL;
	uint8_t digest[HASH256_BYTES];
	size_t len;
	int r;

	if (!bare)
		return -ENOMEM;
	json_object_del(bare, "sha256");
	r = canon_print(bare, &text, &len);
	if (r < 0)
		return r;
	hash256_of(text, len, NULL, 0, digest);
	hex_encode(digest, sizeof(digest), out);
	return 0;
}

int facts_file_print(struct facts *const *facts, size_t count, int64_t seconds, char **ret_text, size_t *ret_len)
{
	char collected[32], hash[HASH256_HEX];
	CLEANUP_FREE char *text = NULL;
	json_t *drives = json_array();
	size_t len;

	time_text(seconds, collected);
	CLEANUP_JSON json_t *doc =
		json_pack("{s:i, s:s, s:s, s:o}", "schema", 1, "type", TYPE, "collected", collected, "drives", drives);

	if (!doc)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		json_t *one;
		int r = facts_to_json(facts[i], &one);

		if (r < 0)
			return r;
		if (json_array_append_new(drives, one))
			return -ENOMEM;
	}
	int r = hash_of(doc, hash);

	if (r == 0 && json_object_set_new(doc, "sha256", json_string(hash)))
		r = -ENOMEM;
	if (r == 0)
		r = canon_print(doc, &text, &len);
	if (r < 0)
		return r;
	/* open_memstream leaves room for the final zero, which becomes the newline */
	char *longer = realloc(text, len + 2);

	if (!longer)
		return -ENOMEM;
	text = longer;
	text[len++] = '\n';
	text[len] = '\0';
	*ret_text = take_ptr(text);
	*ret_len = len;
	return 0;
}

bool facts_file_claims(const char *text, size_t len)
{
	/* in canonical form "collected" comes first */
	static const char first[] = "{\"collected\":";

	return len >= sizeof(first) - 1 && memcmp(text, first, sizeof(first) - 1) == 0;
}

static int check_whole(const struct strict *s)
{
	CLEANUP_FREE char *canonical = NULL;
	char hash[HASH256_HEX];
	size_t len;
	int r = strict_fields(s, s->doc, "", file_fields, ARRAY_SIZE(file_fields));

	if (r == 0 && strcmp(json_string_value(json_object_get(s->doc, "type")), TYPE) != 0)
		r = strict_fail(s, "/type", _("not a file of facts"));
	if (r == 0 && json_integer_value(json_object_get(s->doc, "schema")) != 1)
		r = strict_fail(s, "/schema", _("this program knows schema %d only"), 1);
	if (r == 0 && !time_is_text(json_string_value(json_object_get(s->doc, "collected"))))
		r = strict_fail(s, "/collected", _("%s has a value that is not known"), "/collected");
	if (r == 0)
		r = canon_print(s->doc, &canonical, &len);
	if (r == -EINVAL || (r == 0 && (s->len != len + 1 || s->text[len] != '\n' || memcmp(s->text, canonical, len) != 0)))
		return strict_fail(s, "", _("not in canonical form: it was changed after it was made"));
	if (r == 0)
		r = hash_of(s->doc, hash);
	if (r == 0 && strcmp(json_string_value(json_object_get(s->doc, "sha256")), hash) != 0)
		r = strict_fail(s, "/sha256", _("the checksum is wrong: it was changed after it was made"));
	return r;
}

int facts_file_parse(const char *text, size_t len, struct facts ***ret_facts, size_t *ret_count, struct diag *diag)
{
	CLEANUP_STRICT struct strict s = {0};
	struct facts **facts;
	char at[64];
	json_t *item;
	size_t i, count = 0;
	int r = strict_parse(text, len, diag, &s);

	if (r == 0)
		r = check_whole(&s);
	if (r < 0)
		return r;
	const json_t *drives = json_object_get(s.doc, "drives");

	/* where nothing was looked at, nothing has passed */
	if (!json_array_size(drives))
		return strict_fail(&s, "/drives", _("there is no drive in it"));
	facts = calloc(json_array_size(drives) + 1, sizeof(*facts));
	if (!facts)
		return -ENOMEM;
	json_array_foreach(drives, i, item)
	{
		snprintf(at, sizeof(at), "/drives/%zu", i);
		r = facts_from_json(&s, item, at, &facts[count]);
		if (r < 0)
			break;
		count++;
	}
	if (r < 0) {
		while (count)
			facts_free(facts[--count]);
		free(facts);
		return r;
	}
	*ret_facts = facts;
	*ret_count = count;
	return 0;
}
