/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the cases share. */
#include "tests/posix/posix.h"

#include <grp.h>

const char *other_dir;

enum {
	ORDINARY_UID = 1001,
	TICK_MS = 20, /* more than the step of the kernel's coarse clock */
	OLD_SECOND = 1000000000,
};

int open_ok(const char *path, int flags)
{
	return (int)OK(open(path, flags, 0644));
}

void make_file(const char *path)
{
	OK(close(open_ok(path, O_WRONLY | O_CREAT | O_EXCL)));
}

void write_file(const char *path, const char *text)
{
	int fd = open_ok(path, O_WRONLY | O_CREAT | O_TRUNC);

	SAME(write(fd, text, strlen(text)), strlen(text));
	OK(close(fd));
}

uint8_t pattern_at(uint64_t off)
{
	return (uint8_t)(off * 31 + (off >> 8) * 7 + 1);
}

void make_sized(const char *path, size_t bytes)
{
	uint8_t *data = malloc(bytes + 1);
	int fd = open_ok(path, O_WRONLY | O_CREAT | O_TRUNC);

	HOLDS(data != NULL);
	for (size_t i = 0; i < bytes; i++)
		data[i] = pattern_at(i);
	SAME(write(fd, data, bytes), bytes);
	OK(close(fd));
	free(data);
}

bool file_is(const char *path, const char *text)
{
	char data[1000];
	int fd = open_ok(path, O_RDONLY);
	ssize_t len = OK(read(fd, data, sizeof(data)));

	OK(close(fd));
	return (size_t)len == strlen(text) && memcmp(data, text, (size_t)len) == 0;
}

struct stat stat_of(const char *path)
{
	struct stat st;

	OK(lstat(path, &st));
	return st;
}

mode_t mode_of(const char *path)
{
	return stat_of(path).st_mode & 07777;
}

bool exists(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		return true;
	SAME(errno, ENOENT);
	return false;
}

char *repeat(char c, size_t len)
{
	char *text = malloc(len + 1);

	HOLDS(text != NULL);
	memset(text, c, len);
	text[len] = '\0';
	return text;
}

void become(uid_t uid, gid_t gid)
{
	become_with_group(uid, gid, gid);
}

void become_with_group(uid_t uid, gid_t gid, gid_t group)
{
	become_root();
	OK(setgroups(1, &group));
	OK(setegid(gid));
	OK(seteuid(uid));
}

void become_root(void)
{
	OK(seteuid(0));
	OK(setegid(0));
	OK(setgroups(0, NULL));
}

void become_ordinary(void)
{
	if (getuid() == 0)
		become(ORDINARY_UID, ORDINARY_UID);
}

struct stamps stamps_get(const char *path)
{
	struct stat st = stat_of(path);

	return (struct stamps){.a = st.st_atim, .m = st.st_mtim, .c = st.st_ctim};
}

struct stamps stamps_set(const char *path)
{
	const struct timespec old[2] = {{.tv_sec = OLD_SECOND}, {.tv_sec = OLD_SECOND}};
	struct stamps stamps;

	OK(utimensat(AT_FDCWD, path, old, AT_SYMLINK_NOFOLLOW));
	stamps = stamps_get(path);
	SAME(stamps.a.tv_sec, OLD_SECOND);
	SAME(stamps.m.tv_sec, OLD_SECOND);
	nanosleep(&(struct timespec){.tv_nsec = TICK_MS * 1000000L}, NULL);
	return stamps;
}

static int compare(struct timespec a, struct timespec b)
{
	if (a.tv_sec != b.tv_sec)
		return a.tv_sec < b.tv_sec ? -1 : 1;
	return (a.tv_nsec > b.tv_nsec) - (a.tv_nsec < b.tv_nsec);
}

void stamps_moved(const char *path, struct stamps before, const char *which, struct place at)
{
	struct stamps now = stamps_get(path);
	char moved[4] = "";

	if (compare(now.a, before.a) != 0)
		strcat(moved, "a");
	if (compare(now.m, before.m) != 0)
		strcat(moved, "m");
	if (compare(now.c, before.c) != 0)
		strcat(moved, "c");
	if (strcmp(moved, which) != 0) {
		char *text;

		if (asprintf(&text, "%s, but \"%s\" moved", at.text, moved) > 0)
			at.text = text;
		expect_true(false, at);
	}
	expect_true(compare(now.a, before.a) >= 0 && compare(now.m, before.m) >= 0 &&
			compare(now.c, before.c) >= 0,
		at);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

const char *names_in(const char *path)
{
	static char text[4000];
	char *names[200];
	size_t count = 0, at = 0;
	DIR *dir = opendir(path);
	struct dirent *entry;

	OK(dir ? 0 : -1);
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		HOLDS(count < 200);
		names[count++] = strdup(entry->d_name);
	}
	closedir(dir);
	qsort(names, count, sizeof(names[0]), by_name);
	text[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s ", names[i]);
		HOLDS(at < sizeof(text));
		free(names[i]);
	}
	return text;
}
