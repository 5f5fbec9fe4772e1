/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernel-shim/inuse.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Mount number, parent, major:minor, ... - type source: by number, and by name for file systems
 * like btrfs that mount under a number of their own. */
static bool line_mounts(const char *line, const char *path, dev_t rdev)
{
	unsigned major_no, minor_no;
	char source[4096];
	const char *dash = strstr(line, " - ");

	if (sscanf(line, "%*u %*u %u:%u", &major_no, &minor_no) == 2 &&
		makedev(major_no, minor_no) == rdev)
		return true;
	return dash && sscanf(dash, " - %*s %4095s", source) == 1 && strcmp(source, path) == 0;
}

static bool line_swaps(const char *line, const char *path)
{
	size_t len = strlen(path);

	return strncmp(line, path, len) == 0 && (line[len] == ' ' || line[len] == '\t');
}

/* 1: FLOCK  ADVISORY  WRITE 1234 00:06:789 0 EOF */
static bool line_locks(const char *line, const struct stat *st)
{
	unsigned major_no, minor_no;
	unsigned long long ino;

	return sscanf(line, "%*s FLOCK %*s %*s %*d %x:%x:%llu", &major_no, &minor_no, &ino) == 3 &&
		makedev(major_no, minor_no) == st->st_dev && ino == st->st_ino;
}

bool inuse_target(const char *path, const struct stat *st)
{
	static const char *const tables[] = {"/proc/self/mountinfo", "/proc/swaps", "/proc/locks"};
	CLEANUP_FREE char *line = NULL;
	size_t room = 0;

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		CLEANUP_FILE FILE *f = fopen(tables[i], "re");

		while (f && getline(&line, &room, f) > 0)
			if ((i == 0 && S_ISBLK(st->st_mode) && line_mounts(line, path, st->st_rdev)) ||
				(i == 1 && line_swaps(line, path)) || (i == 2 && line_locks(line, st)))
				return true;
	}
	return false;
}

bool inuse_holders(const char *sysfs_dir)
{
	CLEANUP(cleanup_dir) DIR *dir = NULL;
	struct dirent *entry;
	char path[4096];

	if (snprintf(path, sizeof(path), "%s/holders", sysfs_dir) >= (int)sizeof(path))
		return false;
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			return true;
	return false;
}

static bool loop_backs(const char *loop, const struct stat *st)
{
	CLEANUP_FREE char *backing = NULL;
	CLEANUP_FILE FILE *f = NULL;
	struct stat other;
	char path[512];
	size_t room = 0;

	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", loop);
	f = fopen(path, "re");
	if (!f || getline(&backing, &room, f) <= 0)
		return false;
	backing[strcspn(backing, "\n")] = '\0';
	return stat(backing, &other) == 0 && other.st_dev == st->st_dev && other.st_ino == st->st_ino;
}

bool inuse_loop_backing(const struct stat *st)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir("/sys/block");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strncmp(entry->d_name, "loop", 4) == 0 && loop_backs(entry->d_name, st))
			return true;
	return false;
}
