/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/users.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static bool is_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	return strncmp(path, top, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static bool link_is_below(int dir_fd, const char *name, const char *top)
{
	char target[4096];
	ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = '\0';
	return is_below(target, top);
}

static bool has_descriptor_below(int proc_fd, const char *top)
{
	int fd = openat(proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	__attribute__((cleanup(cleanup_dir))) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((entry = readdir(dir)))
		if (link_is_below(fd, entry->d_name, top))
			return true;
	return false;
}

static bool has_mapping_below(int proc_fd, const char *top)
{
	int fd = openat(proc_fd, "maps", O_RDONLY | O_CLOEXEC);
	CLEANUP_FILE FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	CLEANUP_FREE char *line = NULL;
	size_t size = 0;

	if (!file) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (getline(&line, &size, file) > 0) {
		char *path = strchr(line, '/');

		if (path && is_below(path, top))
			return true;
	}
	return false;
}

static bool uses(int proc_fd, const char *top)
{
	return link_is_below(proc_fd, "cwd", top) || link_is_below(proc_fd, "root", top) ||
		link_is_below(proc_fd, "exe", top) || has_descriptor_below(proc_fd, top) ||
		has_mapping_below(proc_fd, top);
}

static void read_name(int proc_fd, char *name, size_t size)
{
	CLEANUP_FD int fd = openat(proc_fd, "comm", O_RDONLY | O_CLOEXEC);
	CLEANUP_FREE char *safe = NULL;
	char comm[32];
	ssize_t n = fd < 0 ? -1 : read(fd, comm, sizeof(comm));

	while (n > 0 && comm[n - 1] == '\n')
		n--;
	if (n > 0 && text_sanitize(comm, (size_t)n, &safe) == 0)
		snprintf(name, size, "%s", safe);
	else
		snprintf(name, size, "?");
}

int users_find(const char *mount_point, struct mount_user *ret_users, size_t max)
{
	__attribute__((cleanup(cleanup_dir))) DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;

	if (!proc)
		return -errno;
	while (count < max && (entry = readdir(proc))) {
		CLEANUP_FD int fd = -1;
		char *end;
		long pid = strtol(entry->d_name, &end, 10);

		if (pid <= 0 || *end || pid == getpid())
			continue;
		fd = openat(dirfd(proc), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || !uses(fd, mount_point))
			continue;
		ret_users[count].pid = (pid_t)pid;
		read_name(fd, ret_users[count].name, sizeof(ret_users[count].name));
		count++;
	}
	return (int)count;
}
