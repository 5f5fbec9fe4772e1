/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Format of /proc/self/mountinfo: see proc(5). Space, tab, newline, # and \ are octal escapes. */
#include "fuse/mountinfo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/cleanup.h"

static const char our_type[] = "fuse.sealdrive";

static void unescape(char *text)
{
	char *out = text;

	for (char *p = text; *p; p++) {
		unsigned value;

		if (*p == '\\' && strspn(p + 1, "01234567") >= 3 && sscanf(p + 1, "%3o", &value) == 1) {
			*out++ = (char)value;
			p += 3;
		} else {
			*out++ = *p;
		}
	}
	*out = '\0';
}

static uid_t option_user(const char *options)
{
	const char *p = strstr(options, "user_id=");
	unsigned user;

	return p && sscanf(p, "user_id=%u", &user) == 1 ? user : 0;
}

/* Fields point into line. */
static bool line_parse(char *line, struct mountinfo *info)
{
	char *save = NULL, *field[5], *rest, *options;

	for (int i = 0; i < 5; i++) {
		field[i] = strtok_r(i == 0 ? line : NULL, " \n", &save);
		if (!field[i])
			return false;
	}
	do {
		rest = strtok_r(NULL, " \n", &save);
	} while (rest && strcmp(rest, "-") != 0);
	if (sscanf(field[2], "%u:%u", &info->major, &info->minor) != 2)
		return false;
	info->mount_point = field[4];
	info->type = strtok_r(NULL, " \n", &save);
	info->source = strtok_r(NULL, " \n", &save);
	options = strtok_r(NULL, " \n", &save);
	if (!info->type || !info->source || !options)
		return false;
	info->user = option_user(options);
	unescape(info->mount_point);
	unescape(info->type);
	unescape(info->source);
	return true;
}

static int mountinfo_copy(const struct mountinfo *info, struct mountinfo *ret_info)
{
	struct mountinfo copy = *info;

	copy.mount_point = strdup(info->mount_point);
	copy.type = strdup(info->type);
	copy.source = strdup(info->source);
	if (!copy.mount_point || !copy.type || !copy.source) {
		mountinfo_clear(&copy);
		return -ENOMEM;
	}
	*ret_info = copy;
	return 0;
}

typedef bool (*match_fn)(const struct mountinfo *info, const char *want);

/* The last match: later mounts lie on top of earlier ones. */
static int find(match_fn match, const char *want, struct mountinfo *ret_info)
{
	CLEANUP_FILE FILE *file = fopen("/proc/self/mountinfo", "re");
	CLEANUP_FREE char *line = NULL;
	struct mountinfo info, found;
	size_t size = 0;
	bool any = false;

	if (!file)
		return -errno;
	while (getline(&line, &size, file) > 0) {
		if (!line_parse(line, &info) || !match(&info, want))
			continue;
		if (any)
			mountinfo_clear(&found);
		if (mountinfo_copy(&info, &found) < 0)
			return -ENOMEM;
		any = true;
	}
	if (!any)
		return -ENOENT;
	*ret_info = found;
	return 0;
}

static bool match_place(const struct mountinfo *info, const char *want)
{
	return strcmp(info->mount_point, want) == 0;
}

static bool match_source(const struct mountinfo *info, const char *want)
{
	return mountinfo_is_ours(info) && strcmp(info->source, want) == 0;
}

int mountinfo_find(const char *mount_point, struct mountinfo *ret_info)
{
	return find(match_place, mount_point, ret_info);
}

int mountinfo_find_source(const char *source, struct mountinfo *ret_info)
{
	return find(match_source, source, ret_info);
}

int mountinfo_each(uid_t user, mountinfo_fn fn, void *ctx)
{
	CLEANUP_FILE FILE *file = fopen("/proc/self/mountinfo", "re");
	CLEANUP_FREE char *line = NULL;
	struct mountinfo info;
	size_t size = 0;

	if (!file)
		return -errno;
	while (getline(&line, &size, file) > 0)
		if (line_parse(line, &info) && mountinfo_is_ours(&info) && info.user == user &&
			fn(ctx, &info))
			break;
	return 0;
}

bool mountinfo_is_dead(const struct mountinfo *info)
{
	struct statfs fs;

	/* not stat(2), which the kernel answers from what it remembers */
	return statfs(info->mount_point, &fs) < 0 && errno == ENOTCONN;
}

bool mountinfo_is_ours(const struct mountinfo *info)
{
	return strcmp(info->type, our_type) == 0;
}

void mountinfo_clear(struct mountinfo *info)
{
	free(info->mount_point);
	free(info->type);
	free(info->source);
	*info = (struct mountinfo){0};
}
