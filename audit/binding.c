/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/binding.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/cms.h"
#include "audit/policy-find.h"
#include "audit/strict.h"
#include "base/i18n.h"

struct binding {
	struct policy *policy;
	struct waivers *waivers;
	char name[96], today[16];
	bool is_signed;
};

struct conf_file {
	char *path, *text; /* freed by conf_file_clear() */
	size_t len;
	bool is_signed;
};

static void conf_file_clear(struct conf_file *file)
{
	free(file->path);
	free(file->text);
}

/*
 * name.json in the configuration folder, which must be signed by whom policy-signer.pem pins, if that is there. What is
 * taken afterwards is the text that was verified, and not what the file is by then. -ENOENT: there is none.
 */
static int conf_file_read(const char *name, struct conf_file *file, struct diag *diag)
{
	CLEANUP_FREE char *signature = NULL, *trust = NULL, *der = NULL;
	const char *folder = policy_conf_folder();
	struct cms_signer signer;
	size_t der_len;
	int r;

	if (asprintf(&file->path, "%s/%s.json", folder, name) < 0) {
		file->path = NULL;
		return -ENOMEM;
	}
	if (asprintf(&signature, "%s/%s.json.p7s", folder, name) < 0 || asprintf(&trust, "%s/policy-signer.pem", folder) < 0)
		return -ENOMEM;
	if (access(trust, F_OK) == 0)
		file->is_signed = true;
	else if (errno != ENOENT && errno != ENOTDIR)
		return -errno;
	r = strict_read_file(file->path, POLICY_BYTES_MAX, &file->text, &file->len);
	if (r < 0 || !file->is_signed)
		return r;
	r = strict_read_file(signature, CMS_BYTES_MAX, &der, &der_len);
	if (r < 0)
		return diag_set(diag, -SDE_SIGNATURE, _("there is no signature: %s"), signature);
	return cms_verify(file->text, file->len, (const uint8_t *)der, der_len, trust, &signer, diag);
}

static int load_policy(struct binding *binding, struct diag *diag)
{
	CLEANUP(conf_file_clear) struct conf_file file = {0};
	int r = conf_file_read("policy", &file, diag);

	binding->is_signed = file.is_signed;
	/* not so where somebody pinned a signer, and the policy is gone */
	if ((r == -ENOENT || r == -ENOTDIR) && !file.is_signed)
		return 0;
	return r < 0 ? r : policy_load_text(file.path, file.text, file.len, &binding->policy, diag);
}

static int load_waivers(struct binding *binding, struct diag *diag)
{
	CLEANUP(conf_file_clear) struct conf_file file = {0};
	int r = conf_file_read("waivers", &file, diag);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : waivers_parse(file.text, file.len, &binding->waivers, diag);
}

int binding_load(const char *today, struct binding **ret_binding, struct diag *diag)
{
	struct binding *binding = calloc(1, sizeof(*binding));
	int r = binding ? load_policy(binding, diag) : -ENOMEM;

	if (r == 0 && binding->policy) {
		snprintf(binding->name, sizeof(binding->name), "%s/%llu", binding->policy->id,
			(unsigned long long)binding->policy->version);
		snprintf(binding->today, sizeof(binding->today), "%s", today);
		r = load_waivers(binding, diag);
	}
	if (r < 0 || !binding->policy) {
		binding_free(binding);
		binding = NULL;
	}
	*ret_binding = binding;
	return r;
}

void binding_free(struct binding *binding)
{
	if (!binding)
		return;
	waivers_free(binding->waivers);
	policy_free(binding->policy);
	free(binding);
}

const struct policy *binding_policy(const struct binding *binding)
{
	return binding->policy;
}

const char *binding_name(const struct binding *binding)
{
	return binding->name;
}

bool binding_requires_log(const struct binding *binding)
{
	return binding->policy->require_log;
}

bool binding_is_signed(const struct binding *binding)
{
	return binding->is_signed;
}

bool binding_in_force(const struct binding *binding)
{
	return policy_in_force(binding->policy, binding->today);
}

/* Takes the facts, unless ret_audit has no drive afterwards. Clear ret_audit whatever comes back. */
static int evaluate(const struct binding *binding, struct facts *facts, struct audit *ret_audit)
{
	*ret_audit = (struct audit){.policy = binding->policy, .waivers = binding->waivers, .today = binding->today};
	ret_audit->drives = calloc(1, sizeof(*ret_audit->drives));
	if (!ret_audit->drives)
		return -ENOMEM;
	ret_audit->count = 1;
	ret_audit->drives[0].facts = facts;
	return audit_evaluate(ret_audit);
}

static const char *refusal; /* of this process, which does one thing */

const char *binding_refusal(void)
{
	return refusal;
}

/* remedy NULL: the policy's own, which is about a drive that is there. */
static int refuse(const struct binding *binding, enum check_id id, const struct finding *finding, const char *remedy,
	struct diag *diag)
{
	const struct rule *rule = &binding->policy->rules[id];
	size_t len;

	remedy = remedy ? remedy : bilingual_text(rule->remedy);
	len = strlen(remedy);
	refusal = catalogue[id].id;
	/* the message ends with a full stop of its own */
	return diag_set(diag, -SDE_POLICY, _("%s (policy %s): %s; seen: %s; wanted: %s; clause: %s. %.*s"), catalogue[id].id,
		binding->name, bilingual_text(rule->title), finding->observed ? finding->observed : "-",
		finding->threshold ? finding->threshold : "-", bilingual_text(rule->clause),
		(int)(len && remedy[len - 1] == '.' ? len - 1 : len), remedy);
}

/* Facts of a header that is not on a drive yet: as good as it will be. */
static int facts_of(const struct luks2 *hdr, struct facts **ret_facts)
{
	struct facts *facts = calloc(1, sizeof(*facts));

	if (!facts)
		return -ENOMEM;
	facts->kind = FACTS_CONTAINER;
	facts->device.rotational = facts->unlocked.clean = -1;
	facts->equal = true;
	facts->seqids[0] = facts->seqids[1] = hdr->seqid;
	facts->doc = json_incref(hdr->json);
	/* the model stays its owner's: see forget() */
	facts->hdr = (struct luks2 *)(uintptr_t)hdr;
	facts->target = strdup("");
	facts->detail = strdup("");
	if (!facts->target || !facts->detail) {
		facts->hdr = NULL;
		facts_free(facts);
		return -ENOMEM;
	}
	*ret_facts = facts;
	return 0;
}

static int evaluate_header(const struct binding *binding, const struct luks2 *hdr, struct audit *ret_audit)
{
	struct facts *facts;
	int r = facts_of(hdr, &facts);

	if (r < 0)
		return r;
	r = evaluate(binding, facts, ret_audit);
	if (!ret_audit->count) {
		facts->hdr = NULL;
		facts_free(facts);
	}
	return r;
}

static void forget(struct audit *audit)
{
	if (audit->count)
		audit->drives[0].facts->hdr = NULL;
	audit_clear(audit);
}

/* What a new header cannot have yet: recovery keys and tokens come later. */
static bool judged_at_format(enum check_id id)
{
	switch (id) {
	case H03: case H05: case H06: case H07: case H08: case H09: case H11: case H12: case H13: case H14: case H25: case H26:
		return true;
	default:
		return false;
	}
}

int binding_judge_header(const struct binding *binding, const struct luks2 *before, const struct luks2 *after,
	struct diag *diag)
{
	struct audit old = {0}, new = {0};
	int r = evaluate_header(binding, after, &new);

	if (r == 0 && before)
		r = evaluate_header(binding, before, &old);
	for (enum check_id id = 0; r == 0 && id < CHECK_COUNT; id++) {
		const struct finding *finding = &new.drives[0].findings[id];

		if (catalogue[id].place > PLACE_FLEET || finding->state != STATE_FAIL)
			continue;
		if (before ? old.drives[0].findings[id].state != STATE_FAIL : judged_at_format(id))
			r = refuse(binding, id, finding,
				before ? NULL : _("Choose other options: 'sealdrive format --help' shows them"), diag);
	}
	forget(&new);
	forget(&old);
	return r;
}

int binding_judge_drive(const struct binding *binding, const char *target, struct diag *diag)
{
	struct audit audit = {0};
	struct facts *facts;
	int r = facts_collect(target, &facts);

	if (r < 0)
		return r;
	/* what is wrong with it is said better by whoever opens it */
	if (facts->state != FACTS_OK && facts->state != FACTS_LUKS1) {
		facts_free(facts);
		return 0;
	}
	r = evaluate(binding, facts, &audit);
	if (!audit.count)
		facts_free(facts);
	for (enum check_id id = 0; r == 0 && id < CHECK_COUNT; id++)
		if (audit.drives[0].findings[id].state == STATE_FAIL)
			r = refuse(binding, id, &audit.drives[0].findings[id], NULL, diag);
	audit_clear(&audit);
	return r;
}

int binding_judge_passphrase(const struct binding *binding, size_t characters, struct diag *diag)
{
	const struct rule *rule = &binding->policy->rules[U05];
	struct finding finding = {0};
	int r = 0;

	if (rule->mode != MODE_FAIL || characters >= rule_number(rule, "min_characters"))
		return 0;
	finding_want(&finding, _("at least %llu characters"), (unsigned long long)rule_number(rule, "min_characters"));
	/* how long it is stays a secret */
	finding_saw(&finding, VERDICT_BAD, NULL, _("fewer"));
	r = refuse(binding, U05, &finding, NULL, diag);
	finding_clear(&finding);
	return r;
}
