/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* policy sign and policy verify. */
#include <string.h>

#include "audit/policy-find.h"
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/policy.h"
#include "cli/sign.h"

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
		return cli_fail(args->path, r, &diag);
	printf(_("Signed: policy %s, version %llu\n"), policy->id, (unsigned long long)policy->version);
	return EXIT_DONE;
}

int policy_verify(const struct policy_sign_args *args)
{
	CLEANUP_POLICY struct policy *policy = NULL;
	struct cms_signer signer;
	struct diag diag = {0};
	int r;

	if (!args->trust)
		return cli_usage(&command_policy, _("'policy verify' needs --trust"));
	r = verify_file(args->path, args->signature, args->trust, &signer, NULL, NULL, &diag);
	if (r == 0)
		r = policy_load(args->path, &policy, &diag);
	if (r < 0)
		return cli_fail(args->path, r, &diag);
	printf(_("Good signature of policy %s, version %llu, by "), policy->id, (unsigned long long)policy->version);
	cli_put_safe(signer.name);
	printf(_("\nSHA-256 of the signer's certificate: %s\n"), signer.sha256);
	return EXIT_DONE;
}
