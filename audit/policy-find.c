/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/policy-find.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/strict.h"
#include "base/i18n.h"

static const char *data_folder = "", *conf_folder = "";
static char beside[PATH_MAX];

void policy_folders_set(const char *data, const char *conf)
{
	char exe[PATH_MAX - sizeof("/policy/baseline.json")];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	data_folder = data;
	conf_folder = conf;
	exe[len > 0 ? len : 0] = '\0';
	slash = strrchr(exe, '/');
	if (!slash)
		return;
	snprintf(beside, sizeof(beside), "%.*s/policy/baseline.json", (int)(slash - exe), exe);
	if (access(beside, R_OK) == 0) {
		*strrchr(beside, '/') = '\0';
		data_folder = beside;
	}
}

const char *policy_conf_folder(void)
{
	return conf_folder;
}

/* What a policy that lies in folder inherits from: its neighbour, else a profile. */
static int open_inherited(void *folder, const char *id, char **ret_text, size_t *ret_len)
{
	CLEANUP_FREE char *path = NULL;
	int r = -ENOENT;

	if (folder && asprintf(&path, "%s/%s.json", (const char *)folder, id) < 0)
		return -ENOMEM;
	if (path)
		r = strict_read_file(path, POLICY_BYTES_MAX, ret_text, ret_len);
	if (r != -ENOENT)
		return r;
	free(path);
	path = NULL;
	if (asprintf(&path, "%s/%s.json", data_folder, id) < 0)
		return -ENOMEM;
	return strict_read_file(path, POLICY_BYTES_MAX, ret_text, ret_len);
}

int policy_load_text(const char *path, const char *text, size_t len, struct policy **ret_policy, struct diag *diag)
{
	CLEANUP_FREE char *folder = strdup(path);
	char *slash;

	if (!folder)
		return -ENOMEM;
	slash = strrchr(folder, '/');
	if (slash)
		*slash = '\0';
	else
		strcpy(folder, path[0] ? "." : ""); /* never longer than path */
	return policy_parse(text, len, open_inherited, folder, ret_policy, diag);
}

static int load_file(const char *path, struct policy **ret_policy, struct diag *diag)
{
	CLEANUP_FREE char *text = NULL;
	size_t len;
	int r = strict_read_file(path, POLICY_BYTES_MAX, &text, &len);

	return r < 0 ? r : policy_load_text(path, text, len, ret_policy, diag);
}

int policy_load(const char *name, struct policy **ret_policy, struct diag *diag)
{
	CLEANUP_FREE char *path = NULL;
	size_t len = strlen(name);

	if (strchr(name, '/') || (len > 5 && strcmp(name + len - 5, ".json") == 0))
		return load_file(name, ret_policy, diag);
	if (asprintf(&path, "%s/%s.json", data_folder, name) < 0)
		return -ENOMEM;
	int r = load_file(path, ret_policy, diag);

	return r == -ENOENT ? diag_set(diag, r, _("there is no profile '%s'; 'sealdrive policy list' shows them"), name)
			    : r;
}

int policy_load_bound(struct policy **ret_policy, struct diag *diag)
{
	CLEANUP_FREE char *path = NULL;

	*ret_policy = NULL;
	if (asprintf(&path, "%s/policy.json", conf_folder) < 0)
		return -ENOMEM;
	int r = load_file(path, ret_policy, diag);

	return r == -ENOENT || r == -ENOTDIR ? 0 : r;
}

static int is_policy_name(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 5 && entry->d_name[0] != '.' && strcmp(entry->d_name + len - 5, ".json") == 0;
}

int policy_names(char ***ret_names, struct diag *diag)
{
	struct dirent **entries;
	int count = scandir(data_folder, &entries, is_policy_name, NULL), r = 0;
	char **names;

	if (count < 0)
		return diag_set(diag, -errno, "%s", data_folder);
	names = calloc((size_t)count + 1, sizeof(*names));
	for (int i = 0; i < count; i++) {
		if (names)
			names[i] = strndup(entries[i]->d_name, strlen(entries[i]->d_name) - 5);
		if (!names || !names[i])
			r = -ENOMEM;
		free(entries[i]);
	}
	free(entries);
	if (r < 0 || !names) {
		policy_names_free(names);
		return -ENOMEM;
	}
	/* by bytes, not by locale */
	for (int i = 1; i < count; i++)
		for (int j = i; j > 0 && strcmp(names[j - 1], names[j]) > 0; j--) {
			char *swap = names[j];

			names[j] = names[j - 1];
			names[j - 1] = swap;
		}
	*ret_names = names;
	return 0;
}

void policy_names_free(char **names)
{
	for (char **name = names; name && *name; name++)
		free(*name);
	free(names);
}
