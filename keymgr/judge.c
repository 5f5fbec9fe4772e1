/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/judge.h"

static luks2_judge_fn *judge_fn;

void luks2_judge_set(luks2_judge_fn *judge)
{
	judge_fn = judge;
}

int luks2_judge(const struct luks2 *before, const struct luks2 *after, struct diag *diag)
{
	return judge_fn ? judge_fn(before, after, diag) : 0;
}
