/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The policy that binds this computer, and its judgement on what is about to be done. */
#ifndef AUDIT_BINDING_H
#define AUDIT_BINDING_H

#include <stdbool.h>
#include <stddef.h>

#include "keymgr/luks2.h"

struct binding;
struct policy;

/*
 * NULL when no policy binds. Fails as policy_load_bound() and waivers_parse() do. With policy-signer.pem in the
 * configuration folder, policy.json (and waivers.json, if there) must be signed by that certificate or CA:
 * -SDE_SIGNATURE.
 */
int binding_load(const char *today, struct binding **ret_binding, struct diag *diag) MUST_CHECK;
void binding_free(struct binding *binding);

const struct policy *binding_policy(const struct binding *binding);
const char *binding_name(const struct binding *binding); /* "nist/3" */
bool binding_requires_log(const struct binding *binding);
bool binding_is_signed(const struct binding *binding); /* by whom policy-signer.pem pins */
bool binding_in_force(const struct binding *binding);

/*
 * All return 0, or -SDE_POLICY with diag. What is unknown is no reason to refuse: it is in the audit.
 *
 * A header that is about to be written. before NULL: a new one, judged by what it can fulfil already;
 * else what was fulfilled before must be so afterwards, so that a drive that breaks the policy can be
 * brought nearer to it step by step.
 */
int binding_judge_header(const struct binding *binding, const struct luks2 *before, const struct luks2 *after,
	struct diag *diag) MUST_CHECK;
/* The check that the last refusal was about; NULL: there was none. */
const char *binding_refusal(void);
/* A drive (or what holds its header) that is about to be mounted. */
int binding_judge_drive(const struct binding *binding, const char *target, struct diag *diag) MUST_CHECK;
int binding_judge_passphrase(const struct binding *binding, size_t characters, struct diag *diag) MUST_CHECK;

#endif
