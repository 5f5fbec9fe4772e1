/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The model of a policy, from a resolved document (audit/policy-read.c makes that). */
#include "audit/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit/policy-doc.h"
#include "base/i18n.h"

static const char *const severity_names[] = {
	[SEVERITY_INFO] = "info",
	[SEVERITY_LOW] = "low",
	[SEVERITY_MEDIUM] = "medium",
	[SEVERITY_HIGH] = "high",
	[SEVERITY_CRITICAL] = "critical",
};
static const char *const mode_names[] = {
	[MODE_OFF] = "off",
	[MODE_INFO] = "info",
	[MODE_WARN] = "warn",
	[MODE_FAIL] = "fail",
};

static int find_name(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

int severity_find(const char *name)
{
	return find_name(severity_names, ARRAY_SIZE(severity_names), name);
}

int policy_mode_find(const char *name)
{
	return find_name(mode_names, ARRAY_SIZE(mode_names), name);
}

const char *severity_name(enum severity severity)
{
	return severity_names[severity];
}

const char *policy_mode_name(enum policy_mode mode)
{
	return mode_names[mode];
}

static const char *get_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static struct bilingual get_bilingual(const json_t *object, const char *name)
{
	const json_t *both = json_object_get(object, name);
	const char *one = json_string_value(both);

	if (one)
		return (struct bilingual){one, one};
	return (struct bilingual){get_text(both, "en"), get_text(both, "vi")};
}

static void read_rule(const json_t *check, struct rule *rule)
{
	rule->severity = (enum severity)severity_find(get_text(check, "severity"));
	rule->mode = (enum policy_mode)policy_mode_find(get_text(check, "mode"));
	rule->clause = get_bilingual(check, "clause");
	rule->title = get_bilingual(check, "title");
	rule->remedy = get_bilingual(check, "remedy");
	rule->params = json_object_get(check, "params");
}

int policy_from_doc(json_t *doc, struct policy **ret_policy)
{
	struct policy *policy = calloc(1, sizeof(*policy));
	const json_t *checks = json_object_get(doc, "checks");

	if (!policy)
		return -ENOMEM;
	policy->doc = json_incref(doc);
	policy->id = get_text(doc, "id");
	policy->issuer = get_text(doc, "issuer");
	policy->inherits = get_text(doc, "inherits");
	policy->title = get_bilingual(doc, "title");
	policy->note = get_bilingual(doc, "note");
	policy->version = (uint64_t)json_integer_value(json_object_get(doc, "version"));
	policy->provisional = json_is_true(json_object_get(doc, "provisional"));
	policy->not_before = get_text(doc, "not_before");
	policy->not_after = get_text(doc, "not_after");
	policy->require_log = json_is_true(json_object_get(doc, "require_log"));
	for (enum check_id i = 0; i < CHECK_COUNT; i++) {
		const json_t *check = json_object_get(checks, catalogue[i].id);

		if (check)
			read_rule(check, &policy->rules[i]);
	}
	*ret_policy = policy;
	return 0;
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	json_decref(policy->doc);
	free(policy);
}

uint64_t rule_number(const struct rule *rule, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(rule->params, name));
}

bool rule_flag(const struct rule *rule, const char *name)
{
	return json_is_true(json_object_get(rule->params, name));
}

const json_t *rule_words(const struct rule *rule, const char *name)
{
	return json_object_get(rule->params, name);
}

const char *bilingual_text(struct bilingual text)
{
	/* Translators: the code of your language, if policies have texts in it, else "en". */
	return strcmp(_("language of policies: en"), "language of policies: vi") == 0 ? text.vi : text.en;
}

bool policy_in_force(const struct policy *policy, const char *today)
{
	/* dates of one form compare as text */
	return (!policy->not_before[0] || strcmp(today, policy->not_before) >= 0) &&
	       (!policy->not_after[0] || strcmp(today, policy->not_after) <= 0);
}
