/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The text of a policy -> a resolved document.
 *
 *	parse -> check what is there -> lay over the policy that it inherits from -> check that nothing
 *	is missing -> model
 *
 * What is there is checked before inheritance, so that a message can say where it stands; what is
 * missing can only be known afterwards.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit/hash256.h"
#include "audit/policy-doc.h"
#include "audit/strict.h"
#include "base/i18n.h"
#include "base/text.h"

static const struct strict_field policy_fields[] = {
	{"schema", STRICT_INTEGER},
	{"id", STRICT_STRING},
	{"version", STRICT_INTEGER},
	{"title", STRICT_OBJECT},
	{"note", STRICT_OBJECT | STRICT_OPTIONAL},
	{"issuer", STRICT_STRING | STRICT_OPTIONAL},
	{"inherits", STRICT_STRING | STRICT_OPTIONAL},
	{"inherits_sha256", STRICT_STRING | STRICT_OPTIONAL},
	{"provisional", STRICT_BOOL | STRICT_OPTIONAL},
	{"not_before", STRICT_STRING | STRICT_OPTIONAL},
	{"not_after", STRICT_STRING | STRICT_OPTIONAL},
	{"require_log", STRICT_BOOL | STRICT_OPTIONAL},
	{"checks", STRICT_OBJECT},
};
static const struct strict_field check_fields[] = {
	{"title", STRICT_OBJECT | STRICT_OPTIONAL},
	{"severity", STRICT_STRING | STRICT_OPTIONAL},
	{"mode", STRICT_STRING | STRICT_OPTIONAL},
	{"clause", STRICT_TEXT | STRICT_OPTIONAL},
	{"remedy", STRICT_OBJECT | STRICT_OPTIONAL},
	{"params", STRICT_OBJECT | STRICT_OPTIONAL},
};
static const struct strict_field text_fields[] = {
	{"en", STRICT_STRING},
	{"vi", STRICT_STRING},
};

/* Ids are names of files and are shown: small letters, digits and hyphens. */
static bool is_id(const char *id)
{
	size_t len = strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return len >= 1 && len <= 64 && !id[len] && id[0] != '-';
}

static int check_bilingual(const struct strict *s, const json_t *object, const char *parent, const char *name)
{
	const json_t *value = json_object_get(object, name);
	char at[STRICT_POINTER_MAX];

	/* a clause is the same text in all languages, unless it says more than the name of a document */
	return value && !json_is_string(value) ? strict_fields(s, value, strict_pointer(at, parent, name), text_fields,
			       ARRAY_SIZE(text_fields))
		     : 0;
}

static int check_params(const struct strict *s, const struct check *check, const json_t *params, const char *parent)
{
	static const unsigned types[] = {
		[PARAM_NUMBER] = STRICT_INTEGER | STRICT_OPTIONAL,
		[PARAM_FLAG] = STRICT_BOOL | STRICT_OPTIONAL,
		[PARAM_WORDS] = STRICT_STRINGS | STRICT_OPTIONAL,
	};
	struct strict_field fields[PARAMS_MAX];
	char at[STRICT_POINTER_MAX];
	size_t count = 0;

	if (!params)
		return 0;
	for (; count < PARAMS_MAX && check->params[count].name; count++)
		fields[count] = (struct strict_field){check->params[count].name, types[check->params[count].type]};
	return strict_fields(s, params, strict_pointer(at, parent, "params"), fields, count);
}

static int check_word(const struct strict *s, const json_t *object, const char *parent, const char *name,
	int (*find)(const char *))
{
	const char *word = json_string_value(json_object_get(object, name));
	char at[STRICT_POINTER_MAX];

	if (!word || find(word) >= 0)
		return 0;
	return strict_fail(s, strict_pointer(at, parent, name), _("'%s' is not a value of %s"), word, at);
}

static int check_check(const struct strict *s, const char *id, const json_t *object)
{
	enum check_id check = check_find(id);
	char at[STRICT_POINTER_MAX];
	int r;

	strict_pointer(at, "/checks", id);
	if (check == CHECK_COUNT)
		return strict_fail(s, at, _("there is no check '%s'"), id);
	r = strict_fields(s, object, at, check_fields, ARRAY_SIZE(check_fields));
	if (r == 0)
		r = check_bilingual(s, object, at, "title");
	if (r == 0)
		r = check_bilingual(s, object, at, "remedy");
	if (r == 0)
		r = check_bilingual(s, object, at, "clause");
	if (r == 0)
		r = check_word(s, object, at, "severity", severity_find);
	if (r == 0)
		r = check_word(s, object, at, "mode", policy_mode_find);
	return r < 0 ? r : check_params(s, &catalogue[check], json_object_get(object, "params"), at);
}

static int check_date(const struct strict *s, const char *name)
{
	const char *date = json_string_value(json_object_get(s->doc, name));
	char at[STRICT_POINTER_MAX];

	if (!date || text_is_date(date))
		return 0;
	return strict_fail(s, strict_pointer(at, "", name), _("%s is not a date like 2026-12-31"), name);
}

static int check_pin(const struct strict *s, const char *inherits)
{
	const char *pin = json_string_value(json_object_get(s->doc, "inherits_sha256"));
	uint8_t digest[HASH256_BYTES];

	if (!pin || (inherits && hex_decode(pin, digest, sizeof(digest)) == 0))
		return 0;
	return strict_fail(s, "/inherits_sha256",
		inherits ? _("a SHA-256 has 64 small hexadecimal digits") : _("there is nothing that it inherits from"));
}

static int check_head(const struct strict *s)
{
	const char *inherits = json_string_value(json_object_get(s->doc, "inherits"));
	int r = strict_fields(s, s->doc, "", policy_fields, ARRAY_SIZE(policy_fields));

	if (r == 0)
		r = strict_printable(s);
	if (r == 0 && json_integer_value(json_object_get(s->doc, "schema")) != POLICY_SCHEMA)
		r = strict_fail(s, "/schema", _("this program knows schema %d only"), POLICY_SCHEMA);
	if (r == 0 && !is_id(json_string_value(json_object_get(s->doc, "id"))))
		r = strict_fail(s, "/id", _("an id has small letters, digits and hyphens, at most 64"));
	if (r == 0 && inherits && !is_id(inherits))
		r = strict_fail(s, "/inherits", _("an id has small letters, digits and hyphens, at most 64"));
	if (r == 0)
		r = check_pin(s, inherits);
	if (r == 0)
		r = check_bilingual(s, s->doc, "", "title");
	if (r == 0)
		r = check_bilingual(s, s->doc, "", "note");
	if (r == 0)
		r = check_date(s, "not_before");
	return r < 0 ? r : check_date(s, "not_after");
}

static int check_own(const struct strict *s)
{
	const char *id;
	json_t *object;
	int r = check_head(s);

	json_object_foreach(json_object_get(s->doc, "checks"), id, object)
	{
		if (r < 0)
			return r;
		r = check_check(s, id, object);
	}
	return r;
}

/* ---- inheritance ---- */

/* Members of upper replace those of base; of parameters, each by itself. */
static int lay_over(json_t *base, json_t *upper)
{
	json_t *check, *merged;
	const char *id;

	json_object_foreach(upper, id, check)
	{
		json_t *params = json_object_get(check, "params");
		json_t *old = json_object_get(base, id);

		merged = old ? json_deep_copy(old) : json_object();
		if (!merged || json_object_set_new(base, id, merged))
			return -ENOMEM;
		json_t *all = json_object_get(merged, "params");

		all = all ? json_incref(all) : json_object();
		if (!all || (params && json_object_update(all, params)) || json_object_update(merged, check) ||
			json_object_set_new(merged, "params", all))
			return -ENOMEM;
	}
	return 0;
}

static int resolve(json_t *doc, const json_t *parent)
{
	static const char *const inherited[] = {"require_log"};
	json_t *checks = parent ? json_deep_copy(json_object_get(parent, "checks")) : json_object();

	if (!checks)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(inherited); i++) {
		json_t *value = json_object_get(parent, inherited[i]);

		if (value && !json_object_get(doc, inherited[i]) && json_object_set(doc, inherited[i], value)) {
			json_decref(checks);
			return -ENOMEM;
		}
	}
	int r = lay_over(checks, json_object_get(doc, "checks"));

	if (r == 0 && json_object_set(doc, "checks", checks))
		r = -ENOMEM;
	json_decref(checks);
	return r;
}

static int find_missing(const struct strict *s, enum check_id i, const json_t *check)
{
	static const char *const members[] = {"title", "severity", "mode", "clause", "remedy"};
	const json_t *params = json_object_get(check, "params");
	const char *mode = json_string_value(json_object_get(check, "mode"));
	char at[STRICT_POINTER_MAX];

	strict_pointer(at, "/checks", catalogue[i].id);
	if (!check || (mode && policy_mode_find(mode) == MODE_OFF))
		return 0;
	for (size_t m = 0; m < ARRAY_SIZE(members); m++)
		if (!json_object_get(check, members[m]))
			return strict_fail(s, at, _("%s has no '%s'"), at, members[m]);
	for (size_t p = 0; p < PARAMS_MAX && catalogue[i].params[p].name; p++)
		if (!json_object_get(params, catalogue[i].params[p].name))
			return strict_fail(s, at, _("%s has no parameter '%s'"), at, catalogue[i].params[p].name);
	return 0;
}

/* A check that is off need not have anything; it gets what the model wants. */
static int complete(const struct strict *s)
{
	json_t *checks = json_object_get(s->doc, "checks");
	int r = 0;

	for (enum check_id i = 0; i < CHECK_COUNT && r == 0; i++) {
		json_t *check = json_object_get(checks, catalogue[i].id);

		r = find_missing(s, i, check);
		if (check && !json_object_get(check, "severity") &&
			json_object_set_new(check, "severity", json_string("info")))
			r = -ENOMEM;
	}
	return r;
}

struct chain {
	policy_open_fn *open;
	void *ctx;
	struct hash256 *hash;
	const char *ids[POLICY_DEPTH_MAX + 1]; /* of the policy, of its parent, ... */
	int depth;
	/* of the policy itself, not of those that it inherits from */
	bool pinned;
	char parent_sha256[HASH256_HEX];
};

static int read_doc(const char *text, size_t len, struct chain *chain, json_t **ret_doc, struct diag *diag);

/* The hash is that of everything so far: of the parent and of what that inherits from. */
static int check_parent(const struct strict *s, struct chain *chain, bool own)
{
	const char *pin = json_string_value(json_object_get(s->doc, "inherits_sha256"));
	char hash[HASH256_HEX];
	int r = hash256_peek(chain->hash, hash);

	if (r < 0)
		return r;
	if (pin && strcmp(pin, hash) != 0)
		return strict_fail(s, "/inherits_sha256", _("policy '%s' is another one: its SHA-256 is %s"),
			json_string_value(json_object_get(s->doc, "inherits")), hash);
	if (own) {
		chain->pinned = pin != NULL;
		memcpy(chain->parent_sha256, hash, sizeof(hash));
	}
	return 0;
}

/* Names itself, or one that inherits from it. */
static bool goes_in_a_circle(const struct chain *chain, const char *id)
{
	for (int i = 0; i <= chain->depth; i++)
		if (strcmp(chain->ids[i], id) == 0)
			return true;
	return false;
}

static int read_parent(const struct strict *s, struct chain *chain, json_t **ret_doc)
{
	bool own = chain->depth == 0;
	const char *id = json_string_value(json_object_get(s->doc, "inherits"));
	CLEANUP_FREE char *text = NULL;
	struct diag inner = {0};
	size_t len;
	int r;

	if (!id)
		return 0;
	chain->ids[chain->depth] = json_string_value(json_object_get(s->doc, "id"));
	if (goes_in_a_circle(chain, id))
		return strict_fail(s, "/inherits", _("policies inherit from each other in a circle"));
	if (++chain->depth > POLICY_DEPTH_MAX)
		return strict_fail(s, "/inherits", _("at most %d policies may inherit from each other"), POLICY_DEPTH_MAX);
	r = chain->open ? chain->open(chain->ctx, id, &text, &len) : -ENOENT;
	if (r < 0)
		return r == -ENOMEM ? r : strict_fail(s, "/inherits", _("policy '%s' cannot be read: %s"), id, error_text(r));
	r = read_doc(text, len, chain, ret_doc, &inner);
	if (r == 0 && strcmp(json_string_value(json_object_get(*ret_doc, "id")), id) != 0) {
		json_decref(*ret_doc);
		return strict_fail(s, "/inherits", _("the file of policy '%s' has another id"), id);
	}
	if (r == 0) {
		r = check_parent(s, chain, own);
		if (r < 0)
			json_decref(*ret_doc);
		return r;
	}
	return r == -SDE_FILE_INVALID ? diag_set(s->diag, r, "%s: %s", id, inner.detail) : r;
}

static int read_doc(const char *text, size_t len, struct chain *chain, json_t **ret_doc, struct diag *diag)
{
	CLEANUP_STRICT struct strict s = {0};
	json_t *parent = NULL;
	int r = strict_parse(text, len, diag, &s);

	if (r == 0)
		r = check_own(&s);
	if (r == 0)
		r = read_parent(&s, chain, &parent);
	if (r == 0) {
		hash256_update(chain->hash, text, len);
		r = resolve(s.doc, parent);
		json_decref(parent);
	}
	if (r == 0)
		r = complete(&s);
	if (r == 0)
		r = policy_check_sense(&s);
	if (r == 0)
		*ret_doc = json_incref(s.doc);
	return r;
}

int policy_parse(const char *text, size_t len, policy_open_fn *open, void *ctx, struct policy **ret_policy,
	struct diag *diag)
{
	CLEANUP_HASH256 struct hash256 hash = {0};
	struct chain chain = {.open = open, .ctx = ctx, .hash = &hash};
	json_t *doc = NULL;
	int r = hash256_begin(&hash);

	if (r == 0)
		r = read_doc(text, len, &chain, &doc, diag);
	if (r < 0)
		return r;
	r = policy_from_doc(doc, ret_policy);
	json_decref(doc);
	if (r == 0) {
		hash256_hex(&hash, (*ret_policy)->sha256);
		memcpy((*ret_policy)->parent_sha256, chain.parent_sha256, sizeof(chain.parent_sha256));
		(*ret_policy)->pinned = chain.pinned;
	}
	return r;
}
