/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of `sealdrive policy` share. */
#ifndef CLI_POLICY_H
#define CLI_POLICY_H

#include "cli/sign.h"

struct policy_sign_args {
	struct sign_args by;
	const char *path, *trust;
	const char *signature; /* NULL: PATH.p7s */
};

/* Exit statuses; messages are out. */
int policy_sign(const struct policy_sign_args *args);
int policy_verify(const struct policy_sign_args *args);

struct policy;
/* Of checks that it does not switch off. */
unsigned policy_count_rules(const struct policy *policy);
int policy_list(int argc, char **argv, bool json);

#endif
