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

static json_t *seen_now(const json_t *before, const struct policy *policy)
{
	json_t *versions = json_deep_copy(json_object_get(before, "newest"));
	const char *last = get(before, "id");

	if (!json_is_object(versions)) {
		json_decref(versions);
		versions = json_object();
	}
	if (!versions || (last[0] && json_object_set_new(versions, last, json_integer((json_int_t)newest(before, last)))) ||
		json_object_set_new(versions, policy->id, json_integer((json_int_t)policy->version))) {
		json_decref(versions);
		return NULL;
	}
	return json_pack("{s:s, s:I, s:s, s:o}", "id", policy->id, "version", (json_int_t)policy->version, "sha256",
		policy->sha256, "newest", versions);
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

int policy_seen(const char *path, const struct policy *policy, bool *ret_changed, struct diag *diag)
{
	CLEANUP_FREE char *text = NULL;
	CLEANUP_JSON json_t *json = NULL;
	size_t len;

	if (strict_read_file(path, POLICY_BYTES_MAX, &text, &len) == 0)
		json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	uint64_t seen = newest(json, policy->id);

	if (policy->version < seen)
		return diag_set(diag, -SDE_POLICY, _("version %llu of policy %s was in force here, and this is the older version %llu"),
			(unsigned long long)seen, policy->id, (unsigned long long)policy->version);
	*ret_changed = strcmp(get(json, "id"), policy->id) != 0 || seen != policy->version ||
		       strcmp(get(json, "sha256"), policy->sha256) != 0;
	if (*ret_changed)
		remember(path, json, policy);
	return 0;
}
