/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* policy list: the profiles, and what binds this computer. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "audit/binding.h"
#include "audit/facts-file.h"
#include "audit/policy-find.h"
#include "cli/cli.h"
#include "cli/jsonout.h"
#include "cli/policy.h"

unsigned policy_count_rules(const struct policy *policy)
{
	unsigned count = 0;

	for (enum check_id i = 0; i < CHECK_COUNT; i++)
		count += policy->rules[i].mode != MODE_OFF;
	return count;
}

/* bound NULL: a profile. */
static void list_one(struct jsonout *out, bool json, const struct policy *policy, const struct binding *bound)
{
	if (json) {
		jsonout_object(out, NULL);
		jsonout_string(out, "id", policy->id);
		jsonout_number(out, "version", policy->version);
		jsonout_string(out, "title", bilingual_text(policy->title));
		jsonout_bool(out, "provisional", policy->provisional);
		jsonout_string(out, "inherits", policy->inherits[0] ? policy->inherits : NULL);
		jsonout_number(out, "checks", policy_count_rules(policy));
		jsonout_bool(out, "inherits_pinned", policy->pinned);
		jsonout_bool(out, "bound", bound != NULL);
		jsonout_bool(out, "signed", bound && binding_is_signed(bound));
		jsonout_end_object(out);
		return;
	}
	cli_put_padded(policy->id, 12);
	printf(" %4llu  ", (unsigned long long)policy->version);
	cli_put_padded(bound ? (binding_is_signed(bound) ? _("binds, signed") : _("binds this computer")) : policy->provisional ? _("provisional") : "", 22);
	cli_put_safe(bilingual_text(policy->title));
	putchar('\n');
}

/* The policy of this computer, as format and mount take it: with its signature, and its waivers. */
static int load_binding(struct binding **ret_binding)
{
	struct diag diag = {0};
	char today[32];
	int r;

	time_text(time(NULL), today);
	today[strlen("2026-11-30")] = '\0';
	r = binding_load(today, ret_binding, &diag);
	return r < 0 ? cli_fail_file(_("this computer's policy"), r, &diag) : EXIT_DONE;
}

static int list_bound(struct jsonout *out, bool json)
{
	struct binding *binding = NULL;
	int status = load_binding(&binding);

	if (!binding)
		return status;
	const struct policy *policy = binding_policy(binding);

	list_one(out, json, policy, binding);
	if (binding_is_signed(binding) && policy->inherits[0] && !policy->pinned)
		cli_warn(policy->id, _("what it inherits from %s is not covered by its signature: 'inherits_sha256' covers it"),
			policy->inherits);
	if (!binding_in_force(binding))
		cli_warn(policy->id, _("the policy of this computer is not in force today; it binds all the same"));
	binding_free(binding);
	return status;
}

int policy_list(int argc, char **argv, bool json)
{
	struct jsonout out = {0};
	int status = EXIT_DONE, r;
	struct diag diag = {0};
	char **names;

	r = policy_names(&names, &diag);
	if (r < 0)
		return cli_fail_file(_("the folder of the policies"), r, &diag);
	if (json) {
		jsonout_object(&out, NULL);
		jsonout_array(&out, "policies");
	}
	for (char **name = names; *name; name++) {
		CLEANUP_POLICY struct policy *policy = NULL;

		diag = (struct diag){0};
		r = policy_load(*name, &policy, &diag);
		if (r < 0)
			status = cli_fail_file(*name, r, &diag);
		else
			list_one(&out, json, policy, NULL);
	}
	policy_names_free(names);
	r = list_bound(&out, json);
	status = r ? r : status;
	if (json) {
		jsonout_end_array(&out);
		jsonout_end_object(&out);
	}
	return status;
}
