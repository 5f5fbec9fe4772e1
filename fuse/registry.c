/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A folder is used only when it is a real folder (no link), belongs to the user and is closed to
 * everybody else. Nobody can then put sockets of his own there, or exchange the folder: its parent
 * is the user's own, root's, or sticky.
 */
#include "fuse/registry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/i18n.h"

static const char suffix[] = ".socket";

enum { FOLDERS_MAX = 4 };

struct folders {
	char path[FOLDERS_MAX][sizeof(((struct sockaddr_un *)0)->sun_path)];
	int count;
};

/* Leaves out what would not fit into a socket address. */
static void folder_add(struct folders *folders, const char *fmt, ...) PRINTF(2, 3);
static void folder_add(struct folders *folders, const char *fmt, ...)
{
	size_t room = sizeof(folders->path[0]) - REGISTRY_KEY_MAX - sizeof(suffix);
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(folders->path[folders->count], sizeof(folders->path[0]), fmt, args);
	va_end(args);
	if (n > 0 && (size_t)n < room)
		folders->count++;
}

/* Best first. */
static void folders_of(uid_t user, struct folders *folders)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	folders->count = 0;
	if (runtime && runtime[0] == '/' && user == geteuid())
		folder_add(folders, "%s/sealdrive", runtime);
	folder_add(folders, "/run/user/%u/sealdrive", (unsigned)user);
	if (user == 0)
		folder_add(folders, "/run/sealdrive");
	folder_add(folders, "/tmp/sealdrive-%u", (unsigned)user);
}

static bool folder_is_safe(const char *path, uid_t user)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == user &&
		(st.st_mode & 0077) == 0;
}

/* The folder above must not let others exchange what is in it. */
static bool parent_is_safe(const char *path, uid_t user)
{
	CLEANUP_FREE char *parent = strdup(path);
	struct stat st;

	if (!parent)
		return false;
	*strrchr(parent, '/') = '\0';
	if (stat(parent, &st) < 0 || (st.st_uid != user && st.st_uid != 0))
		return false;
	return (st.st_mode & 0022) == 0 || (st.st_mode & S_ISVTX);
}

static bool folder_make(const char *path)
{
	if (!parent_is_safe(path, geteuid()))
		return false;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return false;
	return folder_is_safe(path, geteuid());
}

void registry_key_make(const struct stat *st, struct registry_key *ret_key)
{
	if (S_ISBLK(st->st_mode))
		snprintf(ret_key->name, sizeof(ret_key->name), "device-%x-%x", major(st->st_rdev),
			minor(st->st_rdev));
	else
		snprintf(ret_key->name, sizeof(ret_key->name), "file-%llx-%llx",
			(unsigned long long)st->st_dev, (unsigned long long)st->st_ino);
}

static void address_make(const char *folder, const char *name, struct sockaddr_un *ret_addr)
{
	*ret_addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(ret_addr->sun_path, sizeof(ret_addr->sun_path), "%.*s/%.*s%s",
		(int)(sizeof(ret_addr->sun_path) - REGISTRY_KEY_MAX - sizeof(suffix) - 1), folder,
		REGISTRY_KEY_MAX - 1, name, suffix);
}

int registry_socket_new(const struct registry_key *key, struct sockaddr_un *ret_addr,
	struct diag *diag)
{
	struct folders folders;

	folders_of(geteuid(), &folders);
	for (int i = 0; i < folders.count; i++) {
		if (!folder_make(folders.path[i]))
			continue;
		address_make(folders.path[i], key->name, ret_addr);
		return 0;
	}
	return diag_set(diag, -SDE_DAEMON, _("there is no safe folder for its control socket; %s "
					     "belongs to somebody else"),
		folders.path[folders.count - 1]);
}

void registry_key_away(pid_t pid, struct registry_key *ret_key)
{
	snprintf(ret_key->name, sizeof(ret_key->name), "away-%d", (int)pid);
}

int registry_socket_move(struct sockaddr_un *addr, const struct registry_key *key)
{
	CLEANUP_FREE char *folder = strdup(addr->sun_path);
	struct sockaddr_un to;

	if (!folder)
		return -ENOMEM;
	*strrchr(folder, '/') = '\0';
	address_make(folder, key->name, &to);
	if (rename(addr->sun_path, to.sun_path) < 0)
		return -errno;
	*addr = to;
	return 0;
}

static bool is_socket_name(const char *name)
{
	size_t len = strlen(name);

	return len > sizeof(suffix) - 1 && len < REGISTRY_KEY_MAX + sizeof(suffix) &&
		strcmp(name + len - (sizeof(suffix) - 1), suffix) == 0;
}

static bool folder_each(const char *folder, registry_fn fn, void *ctx)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	DIR *dir = opendir(folder);
	struct dirent *entry;
	bool stop = false;

	if (!dir)
		return false;
	while (!stop && (entry = readdir(dir))) {
		int n;

		if (!is_socket_name(entry->d_name))
			continue;
		n = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (n > 0 && (size_t)n < sizeof(path))
			stop = fn(ctx, path);
	}
	closedir(dir);
	return stop;
}

void registry_each(uid_t user, registry_fn fn, void *ctx)
{
	struct folders folders;

	folders_of(user, &folders);
	for (int i = 0; i < folders.count; i++) {
		bool seen = false;

		for (int k = 0; k < i; k++)
			seen |= strcmp(folders.path[i], folders.path[k]) == 0;
		if (seen || !folder_is_safe(folders.path[i], user))
			continue;
		if (folder_each(folders.path[i], fn, ctx))
			return;
	}
}

bool registry_find(uid_t user, const struct registry_key *key, struct sockaddr_un *ret_addr)
{
	struct folders folders;

	folders_of(user, &folders);
	for (int i = 0; i < folders.count; i++) {
		if (!folder_is_safe(folders.path[i], user))
			continue;
		address_make(folders.path[i], key->name, ret_addr);
		if (access(ret_addr->sun_path, F_OK) == 0)
			return true;
	}
	return false;
}
