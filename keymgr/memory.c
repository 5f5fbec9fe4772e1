/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/memory.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"

/* The number after key in a file of "key number" lines; a file with nothing but a number has the
 * key "". "max" and anything else that is no number: false. */
static bool read_number(const char *path, const char *key, uint64_t *ret_value)
{
	CLEANUP_FILE FILE *file = fopen(path, "re");
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		unsigned long long value;

		if (strncmp(line, key, strlen(key)) ||
			sscanf(line + strlen(key), " %llu", &value) != 1)
			continue;
		*ret_value = value;
		return true;
	}
	return false;
}

static uint64_t meminfo_bytes(const char *key)
{
	uint64_t kib, bytes;

	if (!read_number("/proc/meminfo", key, &kib) || !mul_u64(kib, 1024, &bytes))
		return UINT64_MAX;
	return bytes;
}

struct group_files {
	const char *root, *limit, *usage, *cache_key;
};

static const struct group_files group_v2 = {
	"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"};
static const struct group_files group_v1 = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes",
	"memory.usage_in_bytes", "total_inactive_file"};

/* What one group leaves: its limit, less what cannot be dropped at once when `free` is asked for.
 */
static uint64_t group_leaves(const struct group_files *files, const char *group, bool free)
{
	uint64_t limit, usage = 0, cache = 0;
	char path[4400];

	snprintf(path, sizeof(path), "%s%s/%s", files->root, group, files->limit);
	if (!read_number(path, "", &limit))
		return UINT64_MAX;
	if (!free)
		return limit;
	snprintf(path, sizeof(path), "%s%s/%s", files->root, group, files->usage);
	if (!read_number(path, "", &usage))
		return limit;
	snprintf(path, sizeof(path), "%s%s/memory.stat", files->root, group);
	(void)read_number(path, files->cache_key, &cache);
	usage -= min_u64(cache, usage);
	return limit - min_u64(usage, limit);
}

/* The tightest of the process's group and all groups around it. */
static uint64_t groups_leave(bool free)
{
	CLEANUP_FILE FILE *file = fopen("/proc/self/cgroup", "re");
	uint64_t least = UINT64_MAX;
	char line[4200];

	while (file && fgets(line, sizeof(line), file)) {
		const struct group_files *files = !strncmp(line, "0::/", 4)  ? &group_v2
						  : strstr(line, ":memory:") ? &group_v1
									     : NULL;
		char *group = strchr(line, '/');

		if (!files || !group)
			continue;
		group[strcspn(group, "\n")] = '\0';
		for (char *end; (end = strrchr(group, '/')); *end = '\0')
			least = min_u64(least, group_leaves(files, group, free));
		least = min_u64(least, group_leaves(files, "", free));
	}
	return least;
}

uint64_t memory_available(void)
{
	return min_u64(meminfo_bytes("MemAvailable:"), groups_leave(true));
}

uint64_t memory_total(void)
{
	return min_u64(meminfo_bytes("MemTotal:"), groups_leave(false));
}
