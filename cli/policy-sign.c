/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* policy sign and policy verify. */
#include <string.h>

#include "audit/policy-find.h"
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/policy.h"
#include "cli/sign.h"

/* What the signature says nothing about, unless the policy names its hash. */
static void show_parent(const struct policy *policy)
{
	if (!policy->inherits[0])
		return;
	if (policy->pinned)
		printf(_("What it inherits from %s is covered: the policy demands its SHA-256.\n"), policy->inherits);
	else
		printf(_("What it inherits from %s is not covered. To cover it as it is now, add to the policy:\n"
			 "\"inherits_sha256\": \"%s\"\n"),
			policy->inherits, policy->parent_sha256);
}

int policy_sign(const struct policy_sign_args *args)
{
	CLEANUP_POLICY struct policy *policy = NULL;
	struct diag diag = {0};
	int r;

	if (!sign_complete(&args->by))
		return cli_usage(&command_policy, _("'policy sign' needs --sign-key and --sign-cert"));
	/* nobody signs what would be refused */
	r = policy_load(args->path, &policy, &diag);
	if (r == 0)
		r = sign_file(args->path, &args->by, args->signature, &diag);
	if (r < 0)
		return cli_fail_file(args->path, r, &diag);
	printf(_("Signed: policy %s, version %llu\n"), policy->id, (unsigned long long)policy->version);
	show_parent(policy);
	return EXIT_DONE;
}

int policy_verify(const struct policy_sign_args *args)
{
	CLEANUP_POLICY struct policy *policy = NULL;
	CLEANUP_FREE char *text = NULL;
	struct cms_signer signer;
	struct diag diag = {0};
	size_t len;
	int r;

	if (!args->trust)
		return cli_usage(&command_policy, _("'policy verify' needs --trust"));
	r = verify_file(args->path, args->signature, args->trust, &signer, &text, &len, &diag);
	/* what was verified, and not what the file is by now */
	if (r == 0)
		r = policy_load_text(args->path, text, len, &policy, &diag);
	if (r < 0)
		return cli_fail_file(args->path, r, &diag);
	printf(_("Good signature of policy %s, version %llu, by "), policy->id, (unsigned long long)policy->version);
	cli_put_safe(signer.name);
	printf(_("\nSHA-256 of the signer's certificate: %s\n"), signer.sha256);
	show_parent(policy);
	return EXIT_DONE;
}
