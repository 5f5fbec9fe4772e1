/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Somebody above keymgr may have a say before a LUKS2 header is written: the policy that binds this
 * computer. keymgr asks once, when the new header is complete and nothing of it is on the medium.
 */
#ifndef KEYMGR_JUDGE_H
#define KEYMGR_JUDGE_H

#include "keymgr/luks2.h"

/* before: what is on the drive, NULL when it is being formatted. 0, or an error with diag. */
typedef int luks2_judge_fn(const struct luks2 *before, const struct luks2 *after, struct diag *diag);

/* Once, before threads: there is one policy for a process. */
void luks2_judge_set(luks2_judge_fn *judge);
/* 0 when there is no judge. */
int luks2_judge(const struct luks2 *before, const struct luks2 *after, struct diag *diag) MUST_CHECK;

#endif
