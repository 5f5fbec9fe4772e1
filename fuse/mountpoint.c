/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/mountpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/i18n.h"
#include "base/text.h"
#include "fuse/mountinfo.h"

enum {
	NAME_BYTES_MAX = 200, /* room for a number behind it */
	NAME_TRIES = 1000,
};

static const char made_folder[] = "Sealdrive";

static int refuse(struct diag *diag, const char *dir, const char *why)
{
	return diag_set(diag, -SDE_MOUNTPOINT, "%s: %s", dir, why);
}

/* 1, 0, -errno */
static int is_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int empty = 1;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			empty = 0;
	closedir(dir);
	return empty;
}

static bool is_mounted(const char *path)
{
	struct mountinfo info;

	if (mountinfo_find(path, &info) < 0)
		return false;
	mountinfo_clear(&info);
	return true;
}

static int refuse_mounted(const struct mountinfo *info, const char *dir, struct diag *diag)
{
	if (mountinfo_is_ours(info) && mountinfo_is_dead(info))
		return diag_set(diag, -SDE_MOUNTPOINT, _("%s: the program that served %s there has died: "
							 "'sealdrive unmount %s' takes it away"),
			dir, info->source, dir);
	return refuse(diag, dir, _("something is mounted there already"));
}

/* Before anything touches it: what is mounted there may be dead, or hang. */
int mountpoint_check(const char *dir, char **ret_path, struct diag *diag)
{
	CLEANUP_FREE char *path = NULL;
	struct mountinfo info;
	struct stat st;
	int err = mountpoint_resolve(dir, &path);

	if (err == -ENOENT)
		return refuse(diag, dir, _("there is no such folder"));
	if (err < 0)
		return refuse(diag, dir, strerror(-err));
	if (mountinfo_find(path, &info) == 0) {
		err = refuse_mounted(&info, dir, diag);
		mountinfo_clear(&info);
		return err;
	}
	if (stat(path, &st) < 0)
		return refuse(diag, dir, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return refuse(diag, dir, _("it is not a folder"));
	if (geteuid() != 0 && st.st_uid != geteuid())
		return refuse(diag, dir, _("the folder belongs to another user"));
	err = is_empty(path);
	if (err < 0)
		return refuse(diag, dir, strerror(-err));
	if (err == 0)
		return refuse(diag, dir, _("the folder is not empty"));
	*ret_path = take_ptr(path);
	return 0;
}

/* ~/Sealdrive, canonical. */
static int made_parent(char **ret_path)
{
	const char *home = getenv("HOME");
	CLEANUP_FREE char *real = NULL;

	if (!home || home[0] != '/') {
		const struct passwd *user = getpwuid(geteuid());

		home = user ? user->pw_dir : NULL;
	}
	if (!home)
		return -ENOENT;
	real = realpath(home, NULL);
	if (!real)
		return -errno;
	return asprintf(ret_path, "%s/%s", strcmp(real, "/") == 0 ? "" : real, made_folder) < 0
		? -ENOMEM : 0;
}

/* A file name out of a label: valid UTF-8, no '/', not hidden, of bounded length. */
static int name_make(const char *label, char **ret_name)
{
	CLEANUP_FREE char *name = NULL;
	size_t len, skip;
	int err = text_sanitize(label, strlen(label), &name);

	if (err < 0)
		return err;
	skip = strspn(name, " ");
	memmove(name, name + skip, strlen(name + skip) + 1);
	len = strlen(name);
	if (len > NAME_BYTES_MAX)
		len = NAME_BYTES_MAX;
	while (len > 0 && ((name[len] & 0xc0) == 0x80 || name[len - 1] == ' '))
		len--; /* not within a character */
	name[len] = '\0';
	for (char *p = name; (p = strchr(p, '/')); p++)
		*p = '_';
	if (name[0] == '.')
		name[0] = '_';
	if (name[0] == '\0')
		return -ENOENT;
	*ret_name = take_ptr(name);
	return 0;
}

static int parent_lock(const char *parent, int *ret_lock, struct diag *diag)
{
	CLEANUP_FD int fd = -1;
	struct stat st;

	if (mkdir(parent, 0700) < 0 && errno != EEXIST)
		return refuse(diag, parent, strerror(errno));
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return refuse(diag, parent, strerror(errno));
	if (st.st_uid != geteuid())
		return refuse(diag, parent, _("the folder belongs to another user"));
	if (flock(fd, LOCK_EX) < 0)
		return refuse(diag, parent, strerror(errno));
	*ret_lock = take_fd(&fd);
	return 0;
}

/* A new folder, or one that was left behind empty. Whether it can be used. */
static bool folder_make(const char *path)
{
	struct stat st;

	if (mkdir(path, 0700) == 0)
		return true;
	return errno == EEXIST && !is_mounted(path) && lstat(path, &st) == 0 &&
		S_ISDIR(st.st_mode) && st.st_uid == geteuid() && is_empty(path) == 1;
}

static int folder_choose(const char *parent, const char *name, char **ret_path, struct diag *diag)
{
	for (int i = 1; i < NAME_TRIES; i++) {
		CLEANUP_FREE char *path = NULL;
		int n = i == 1 ? asprintf(&path, "%s/%s", parent, name)
			       : asprintf(&path, "%s/%s-%d", parent, name, i);

		if (n < 0) {
			path = NULL;
			return -ENOMEM;
		}
		if (folder_make(path)) {
			*ret_path = take_ptr(path);
			return 0;
		}
		if (access(parent, W_OK) < 0)
			return refuse(diag, parent, strerror(errno));
	}
	return refuse(diag, parent, _("there are too many folders of this name"));
}

int mountpoint_make(const char *const *names, char **ret_path, int *ret_lock, struct diag *diag)
{
	CLEANUP_FREE char *parent = NULL;
	CLEANUP_FREE char *name = NULL;
	CLEANUP_FD int lock = -1;
	int err = made_parent(&parent);

	if (err < 0)
		return diag_set(diag, -SDE_MOUNTPOINT, _("you have no home folder"));
	for (; *names && !name; names++) {
		err = name_make(*names, &name);
		if (err < 0 && err != -ENOENT)
			return err;
	}
	err = parent_lock(parent, &lock, diag);
	if (err == 0)
		err = folder_choose(parent, name ? name : "drive", ret_path, diag);
	if (err == 0)
		*ret_lock = take_fd(&lock);
	return err;
}

void mountpoint_remove_made(const char *path)
{
	CLEANUP_FREE char *parent = NULL;
	size_t len;

	if (made_parent(&parent) < 0)
		return;
	len = strlen(parent);
	if (strncmp(path, parent, len) != 0 || path[len] != '/' || strchr(path + len + 1, '/'))
		return;
	if (rmdir(path) == 0)
		rmdir(parent); /* stays while other drives have folders there */
}

int mountpoint_resolve(const char *dir, char **ret_path)
{
	CLEANUP_FREE char *copy = strdup(dir);
	CLEANUP_FREE char *parent = NULL;
	char *path = realpath(dir, NULL), *slash, *base;

	if (path) {
		*ret_path = path;
		return 0;
	}
	if (!copy)
		return -ENOMEM;
	if (errno != ENOTCONN && errno != EIO && errno != EACCES)
		return -errno;
	/* The mount point itself cannot be looked at: its parent can. */
	for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
		copy[n - 1] = '\0';
	slash = strrchr(copy, '/');
	base = slash ? slash + 1 : copy;
	if (slash)
		*slash = '\0';
	parent = realpath(!slash ? "." : slash == copy ? "/" : copy, NULL);
	if (!parent)
		return -errno;
	return asprintf(ret_path, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, base) < 0
		? -ENOMEM : 0;
}
