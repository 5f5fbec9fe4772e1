/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/lockstep/probe.h"
#include "tests/lockstep/tree.h"
#include "tests/lockstep/witness.h"

enum { XATTRS_MAX = 512 };

static int entry_compare(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

void tree_free_listing(struct dirent **list, int n)
{
	for (int i = 0; list && i < n; i++)
		free(list[i]);
	free(list);
}

bool tree_compare_listing(struct worker *w, int dir, const char *path, struct dirent ***ret_list,
	int *ret_n)
{
	struct dirent **list[SIDES] = {NULL, NULL};
	int n[SIDES];
	bool same;

	same = BOTH(w, n[side] = scandirat(dir_fd(w, side, dir), path, &list[side], NULL, entry_compare));
	for (int i = 0; same && i < n[0]; i++) {
		if (strcmp(list[0][i]->d_name, list[1][i]->d_name) != 0) {
			differ(w, "names '%s' and '%s'", list[0][i]->d_name, list[1][i]->d_name);
			same = false;
		} else if (list[0][i]->d_type != list[1][i]->d_type) {
			differ(w, "types of '%s': %d and %d", list[0][i]->d_name, list[0][i]->d_type,
				list[1][i]->d_type);
			same = false;
		}
	}
	if (same && ret_list) {
		*ret_list = list[0];
		*ret_n = n[0];
	} else {
		tree_free_listing(list[0], n[0]);
	}
	tree_free_listing(list[1], n[1]);
	return same;
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in a buffer, sorted; returns how many. */
static unsigned sort_names(char *names, ssize_t bytes, char *out[XATTRS_MAX])
{
	unsigned n = 0;

	for (char *at = names; at < names + bytes && n < XATTRS_MAX; at += strlen(at) + 1)
		out[n++] = at;
	qsort(out, n, sizeof(out[0]), name_compare);
	return n;
}

void tree_compare_xattrs(struct worker *w, int dir, const char *path)
{
	char full[SIDES][PATH_BYTES * 2], *names[SIDES][XATTRS_MAX], *text[SIDES];
	ssize_t n[SIDES] = {0}, got[SIDES] = {0};

	for (int side = 0; side < SIDES; side++) {
		text[side] = calloc(1, 65536);
		dir_path(w, side, dir, path, full[side]);
	}
	if (text[0] && text[1] && BOTH(w, n[side] = llistxattr(full[side], text[side], 65536))) {
		unsigned count = sort_names(text[0], n[0], names[0]);

		sort_names(text[1], n[1], names[1]);
		for (unsigned i = 0; i < count && !atomic_load(&failed); i++) {
			if (strcmp(names[0][i], names[1][i]) != 0)
				differ(w, "attributes '%s' and '%s'", names[0][i], names[1][i]);
			else if (BOTH(w, got[side] = lgetxattr(full[side], names[side][i],
						 w->buf[side], IO_BYTES)) &&
				 memcmp(w->buf[0], w->buf[1], (size_t)got[0]) != 0)
				differ(w, "values of '%s' differ", names[0][i]);
		}
	}
	free(text[0]);
	free(text[1]);
}

static int flags_of(int fd)
{
	const int wanted = FS_SYNC_FL | FS_NODUMP_FL | FS_NOATIME_FL | FS_DIRSYNC_FL | FS_TOPDIR_FL |
			   FS_APPEND_FL | FS_IMMUTABLE_FL;
	int flags;

	return ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 ? -1 : flags & wanted;
}

static void compare_data(struct worker *w, size_t len, unsigned long long off)
{
	for (size_t i = 0; i < len; i++)
		if (w->buf[0][i] != w->buf[1][i]) {
			differ(w, "data differ from byte %llu on: %02x and %02x", off + i, w->buf[0][i],
				w->buf[1][i]);
			return;
		}
}

/* Data of a file, flags of a file or folder. */
static void compare_contents(struct worker *w, const char *path, bool folder)
{
	int fd[SIDES] = {-1, -1};
	ssize_t n[SIDES];
	unsigned long long off = 0;

	if (BOTH(w, (fd[side] = openat(root_fd[side], path, O_RDONLY | O_NOFOLLOW)) < 0 ? -1 : 0)) {
		if (probe_has(CAN_FLAGS))
			BOTH(w, flags_of(fd[side]));
		while (!folder && !atomic_load(&failed) &&
			BOTH(w, n[side] = read(fd[side], w->buf[side], IO_BYTES)) && n[0] > 0) {
			compare_data(w, (size_t)n[0], off);
			off += (unsigned long long)n[0];
		}
	}
	for (int side = 0; side < SIDES; side++)
		if (fd[side] >= 0)
			close(fd[side]);
}

static void compare_link(struct worker *w, const char *path)
{
	ssize_t n[SIDES] = {0};

	if (BOTH(w, n[side] = readlinkat(root_fd[side], path, (char *)w->buf[side], PATH_BYTES)) &&
		memcmp(w->buf[0], w->buf[1], (size_t)n[0]) != 0)
		differ(w, "texts of the link differ");
}

static unsigned long compare_one(struct worker *w, const char *path)
{
	struct stat st[SIDES];

	snprintf(w->what, sizeof(w->what), "%s", path);
	if (!BOTH(w, fstatat(root_fd[side], path, &st[side], AT_SYMLINK_NOFOLLOW)))
		return 0;
	stat_compare(w, "it", st);
	if (probe_has(CAN_XATTR))
		tree_compare_xattrs(w, NONE, path);
	if (S_ISREG(st[0].st_mode) || S_ISDIR(st[0].st_mode))
		compare_contents(w, path, S_ISDIR(st[0].st_mode));
	else if (S_ISLNK(st[0].st_mode))
		compare_link(w, path);
	return S_ISDIR(st[0].st_mode) ? 1 + tree_compare(w, path) : 1;
}

unsigned long tree_compare(struct worker *w, const char *path)
{
	struct dirent **list = NULL;
	unsigned long seen = 0;
	int n = 0;

	snprintf(w->what, sizeof(w->what), "list %s", path);
	if (!tree_compare_listing(w, NONE, path, &list, &n))
		return 0;
	for (int i = 0; i < n && !atomic_load(&failed); i++) {
		const char *name = list[i]->d_name;
		char sub[PATH_BYTES];

		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcmp(name, "lost+found") != 0 &&
			snprintf(sub, sizeof(sub), "%s/%s", path, name) < PATH_BYTES)
			seen += compare_one(w, sub);
	}
	tree_free_listing(list, n);
	return seen;
}
