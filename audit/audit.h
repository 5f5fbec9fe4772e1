/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An audit: facts of many drives, held against one policy.
 *
 * 1. The result depends on facts, policy, waivers, inventory and date alone, and its order on that of
 *    the drives; never on threads.
 * 2. What is not known is STATE_UNKNOWN and never STATE_PASS.
 * 3. A waiver is for a drive: what has no header that says which one it is, is waived nothing.
 */
#ifndef AUDIT_AUDIT_H
#define AUDIT_AUDIT_H

#include "audit/finding.h"
#include "audit/inventory.h"
#include "audit/waiver.h"

enum { STATE_COUNT = STATE_FAIL + 1, SEVERITY_COUNT = SEVERITY_CRITICAL + 1 };

struct audit_drive {
	struct facts *facts; /* owned */
	struct finding findings[CHECK_COUNT]; /* those that the policy has */
	unsigned counts[STATE_COUNT];
	enum finding_state worst;
};

struct audit {
	const struct policy *policy;
	const struct waivers *waivers;	 /* NULL: none */
	const struct inventory *inventory; /* NULL: none */
	const char *today;		 /* "YYYY-MM-DD" */
	unsigned *waiver_uses;	 /* findings that each waiver is for; as many as there are waivers */
	struct audit_drive *drives;
	size_t count;
	unsigned counts[STATE_COUNT];
	unsigned by_severity[SEVERITY_COUNT][STATE_COUNT];
};

/* Reads the headers of all targets, several at a time, in their order. -ENOMEM, -EAGAIN. */
int audit_collect(char *const *targets, size_t count, struct facts **ret_facts) MUST_CHECK;
/* Fills findings, counts. -ENOMEM. */
int audit_evaluate(struct audit *audit) MUST_CHECK;
/* Whether the policy has the check, so that there is a finding. */
bool audit_has(const struct audit *audit, enum check_id id);
void audit_clear(struct audit *audit);

/* Compares all drives with each other (fleet.c): H-12 and H-27. */
int audit_compare_drives(struct audit *audit) MUST_CHECK;

#endif
