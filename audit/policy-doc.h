/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the reading of a policy and its model. Private to audit/policy*.c. */
#ifndef AUDIT_POLICY_DOC_H
#define AUDIT_POLICY_DOC_H

#include "audit/policy.h"
#include "audit/strict.h"

/* The names of severities and modes; -1: no such. */
int severity_find(const char *name);
int policy_mode_find(const char *name);

/* Whether the numbers and dates of a resolved policy go together. -SDE_FILE_INVALID with diag. */
int policy_check_sense(const struct strict *strict) MUST_CHECK;
/* doc is resolved and checked; the policy takes a reference. */
int policy_from_doc(json_t *doc, struct policy **ret_policy) MUST_CHECK;

#endif
