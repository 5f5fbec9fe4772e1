/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where policies lie: the profiles that came with the program (data folder), and the policy that binds
 * this machine (policy.json in the configuration folder).
 */
#ifndef AUDIT_POLICY_FIND_H
#define AUDIT_POLICY_FIND_H

#include "audit/policy.h"

/*
 * Once, at the start of the program; the strings stay the caller's. A folder "policy" beside the
 * program goes before data_folder, so that a build folder works.
 */
void policy_folders_set(const char *data_folder, const char *conf_folder);
/* "" before policy_folders_set(). */
const char *policy_conf_folder(void);

/* name is a profile's id, or a path when it has a slash or ends in ".json". -ENOENT, as policy_parse(). */
int policy_load(const char *name, struct policy **ret_policy, struct diag *diag) MUST_CHECK;
/* The policy of a text that was read from the file at path already, and verified, say. */
int policy_load_text(const char *path, const char *text, size_t len, struct policy **ret_policy,
	struct diag *diag) MUST_CHECK;
/* The binding policy; NULL when this machine has none. */
int policy_load_bound(struct policy **ret_policy, struct diag *diag) MUST_CHECK;
/* Ids of the profiles, sorted, NULL-terminated; the caller frees with policy_names_free(). */
int policy_names(char ***ret_names, struct diag *diag) MUST_CHECK;
void policy_names_free(char **names);

#endif
