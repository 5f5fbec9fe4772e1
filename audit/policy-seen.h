/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The newest version of the binding policy that was seen on this computer, in a file beside the event log:
 * an older one does not bind any more, so that a weaker policy that was replaced cannot be put back.
 */
#ifndef AUDIT_POLICY_SEEN_H
#define AUDIT_POLICY_SEEN_H

#include "audit/policy.h"

/*
 * -SDE_POLICY with diag when an older version of the same policy was put in place of a newer one.
 * ret_changed: it is another policy, or another version or content, than at the last time. A file that
 * cannot be written is no error: the next call says "changed" again.
 */
int policy_seen(const char *path, const struct policy *policy, bool *ret_changed, struct diag *diag) MUST_CHECK;

#endif
