/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/policy-seen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/canon.h"
#include "audit/strict.h"
#include "base/i18n.h"
#include "keymgr/luks2-json.h"

static const char *get(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text ? text : "";
}

/* The newest version that was seen of a policy, whatever other policies have been in force since. */
static uint64_t newest(const json_t *json, const char *id)
{
	json_int_t version = json_integer_value(json_object_get(json_object_get(json, "newest"), id));

	/* files of before remember one policy */
	if (strcmp(get(json, "id"), id) == 0 && json_integer_value(json_object_get(json, "version")) > version)
		version = json_integer_value(json_object_get(json, "version"));
	return version > 0 ? (uint64_t)version : 0;
}

/* The highest version of all that were in force here. */
static uint64_t highest(const json_t *json)
{
	uint64_t top = newest(json, get(json, "id"));
	json_t *version;
	const char *id;

	json_object_foreach(json_object_get(json, "newest"), id, version)
		if (newest(json, id) > top)
			top = newest(json, id);
	return top;
}

static bool was_bound(const json_t *json)
{
	return get(json, "id")[0] && !json_is_false(json_object_get(json, "bound"));
}

/* policy NULL: the one of before binds no more, and is remembered. */
static json_t *seen_now(const json_t *before, const struct policy *policy)
{
	json_t *versions = json_deep_copy(json_object_get(before, "newest"));
	const char *last = get(before, "id");

	if (!json_is_object(versions)) {
		json_decref(versions);
		versions = json_object();
	}
	if (!versions || (last[0] && json_object_set_new(versions, last, json_integer((json_int_t)newest(before, last)))) ||
		(policy && json_object_set_new(versions, policy->id, json_integer((json_int_t)policy->version)))) {
		json_decref(versions);
		return NULL;
	}
	return json_pack("{s:b, s:s, s:I, s:s, s:o}", "bound", policy != NULL, "id", policy ? policy->id : last, "version",
		policy ? (json_int_t)policy->version : (json_int_t)newest(before, last), "sha256",
		policy ? policy->sha256 : get(before, "sha256"), "newest", versions);
}

static void remember(const char *path, const json_t *before, const struct policy *policy)
{
	CLEANUP_JSON json_t *json = seen_now(before, policy);
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *temp = NULL;
	size_t len;

	if (!json || canon_print(json, &text, &len) < 0 || asprintf(&temp, "%s.new", path) < 0)
		return;
	CLEANUP_FD int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return;
	if (write(fd, text, len) != (ssize_t)len || fsync(fd) < 0 || rename(temp, path) < 0)
		unlink(temp);
}

static json_t *load(const char *path)
{
	CLEANUP_FREE char *text = NULL;
	size_t len;

	return strict_read_file(path, POLICY_BYTES_MAX, &text, &len) == 0 ? json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL)
									  : NULL;
}

int policy_seen(const char *path, const struct policy *policy, bool *ret_changed, struct diag *diag)
{
	CLEANUP_JSON json_t *json = load(path);
	uint64_t seen = newest(json, policy->id), top = highest(json);
	bool same = strcmp(get(json, "id"), policy->id) == 0;

	if (policy->version < seen)
		return diag_set(diag, -SDE_POLICY, _("version %llu of policy %s was in force here, and this is the older version %llu"),
			(unsigned long long)seen, policy->id, (unsigned long long)policy->version);
	/* another name must be no way back */
	if (!same && top && policy->version <= top)
		return diag_set(diag, -SDE_POLICY,
			_("policy %s has version %llu, and version %llu of another one was in force here: what takes its place needs a "
			  "higher version"),
			policy->id, (unsigned long long)policy->version, (unsigned long long)top);
	*ret_changed = !same || !was_bound(json) || seen != policy->version || strcmp(get(json, "sha256"), policy->sha256) != 0;
	if (*ret_changed)
		remember(path, json, policy);
	return 0;
}

int policy_seen_none(const char *path, char ret_id[POLICY_ID_MAX], uint64_t *ret_version)
{
	CLEANUP_JSON json_t *json = load(path);

	if (!was_bound(json))
		return 0;
	snprintf(ret_id, POLICY_ID_MAX, "%s", get(json, "id"));
	*ret_version = newest(json, ret_id);
	remember(path, json, NULL);
	return 1;
}
