/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an audit judges by: a policy, exceptions from it, and the organisation's list of drives. */
#ifndef CLI_AUDIT_INPUTS_H
#define CLI_AUDIT_INPUTS_H

#include "audit/audit.h"

struct audit_input_names {
	const char *profile, *waivers, *inventory; /* the last two: NULL, none */
	const char *trust; /* waivers and inventory must be signed by this certificate or CA; NULL: need not */
};

struct audit_inputs {
	struct policy *policy;
	struct waivers *waivers;
	struct inventory *inventory;
};

/* ret_failed: the file that an error is about. Clear what came back in any case. */
int audit_inputs_load(const struct audit_input_names *names, struct audit_inputs *ret_inputs, const char **ret_failed,
	struct diag *diag) MUST_CHECK;
void audit_inputs_clear(struct audit_inputs *inputs);

#endif
