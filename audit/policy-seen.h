/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The newest version of the binding policy that was seen on this computer, in a file beside the event log:
 * an older one does not bind any more, so that a weaker policy that was replaced cannot be put back. Versions rise from
 * one policy to the next, whatever their ids.
 */
#ifndef AUDIT_POLICY_SEEN_H
#define AUDIT_POLICY_SEEN_H

#include "audit/policy.h"

/*
 * -SDE_POLICY with diag when an older version was put in place of a newer one, or another policy with a version that
 * is not higher than all before.
 * ret_changed: it is another policy, or another version or content, than at the last time. A file that
 * cannot be written is no error: the next call says "changed" again.
 */
int policy_seen(const char *path, const struct policy *policy, bool *ret_changed, struct diag *diag) MUST_CHECK;
enum { POLICY_ID_MAX = 80 };
/* No policy binds. 1: one did at the last time, and this is it; 0: that is known already. */
int policy_seen_none(const char *path, char ret_id[POLICY_ID_MAX], uint64_t *ret_version) MUST_CHECK;

#endif
