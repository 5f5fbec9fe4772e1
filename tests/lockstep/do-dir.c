/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations that read folders. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lockstep/tree.h"
#include "tests/lockstep/world.h"

enum { WALK_NAMES = 400, NAME_BYTES = 256 };

static void run_list(struct worker *w, const struct op *op)
{
	tree_compare_listing(w, op->dir, op->path, NULL, NULL);
}

/* Names seen by one walk through a folder. */
struct seen {
	unsigned n;
	char name[WALK_NAMES][NAME_BYTES];
};

static int seen_compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool is_walker(const char *name)
{
	return strncmp(name, "walker-", 7) == 0;
}

static void seen_read(DIR *dir, unsigned most, struct seen *seen)
{
	struct dirent *entry;

	while (most-- > 0 && seen->n < WALK_NAMES && (entry = readdir(dir)) != NULL)
		snprintf(seen->name[seen->n++], NAME_BYTES, "%s", entry->d_name);
}

static void seen_sort(struct seen *seen)
{
	qsort(seen->name, seen->n, NAME_BYTES, seen_compare);
}

/* Names come and go while the folder is half read. */
static void disturb(int fd, unsigned n, bool remove)
{
	char name[32];
	int made;

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "walker-%u", i);
		if (remove) {
			unlinkat(fd, name, 0);
			continue;
		}
		made = openat(fd, name, O_CREAT | O_WRONLY, 0600);
		if (made >= 0)
			close(made);
	}
}

/* POSIX: what is there all the time is seen exactly once, what comes or goes at most once. */
static void check_walk(struct worker *w, int side, const struct seen *before, const struct seen *walked)
{
	unsigned b = 0;

	for (unsigned i = 0; i < walked->n; i++) {
		if (i > 0 && strcmp(walked->name[i], walked->name[i - 1]) == 0)
			differ(w, "side %d: '%s' was seen twice", side, walked->name[i]);
		if (is_walker(walked->name[i]))
			continue;
		while (b < before->n && is_walker(before->name[b]))
			b++;
		if (b >= before->n || strcmp(before->name[b++], walked->name[i]) != 0)
			differ(w, "side %d: '%s' was not seen, or came unasked", side, walked->name[i]);
	}
	while (b < before->n && is_walker(before->name[b]))
		b++;
	if (b < before->n)
		differ(w, "side %d: '%s' was not seen", side, before->name[b]);
}

/* After going back to a position, the rest comes again. */
static void check_seek(struct worker *w, int side, DIR *dir, unsigned first)
{
	struct seen *once = calloc(1, sizeof(*once)), *again = calloc(1, sizeof(*again));
	long position;

	if (once && again) {
		rewinddir(dir);
		seen_read(dir, first, once);
		once->n = 0;
		position = telldir(dir);
		seen_read(dir, WALK_NAMES, once);
		seekdir(dir, position);
		seen_read(dir, WALK_NAMES, again);
		if (once->n != again->n)
			differ(w, "side %d: %u names after telldir, %u after seekdir", side, once->n, again->n);
		for (unsigned i = 0; i < once->n && i < again->n; i++)
			if (strcmp(once->name[i], again->name[i]) != 0)
				differ(w, "side %d: another order after seekdir", side);
	}
	free(once);
	free(again);
}

static int walk(struct worker *w, const struct op *op, int side)
{
	int fd = openat(dir_fd(w, side, op->dir), op->path, O_RDONLY | O_DIRECTORY);
	struct seen *before = calloc(1, sizeof(*before)), *walked = calloc(1, sizeof(*walked));
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir && before && walked) {
		seen_read(dir, WALK_NAMES, before);
		seen_sort(before);
		rewinddir(dir);
		seen_read(dir, (unsigned)op->n[0], walked);
		disturb(fd, (unsigned)op->n[1], false);
		seen_read(dir, (unsigned)op->n[0], walked);
		disturb(fd, (unsigned)op->n[1], true);
		seen_read(dir, WALK_NAMES, walked);
		seen_sort(walked);
		if (before->n < WALK_NAMES && walked->n < WALK_NAMES)
			check_walk(w, side, before, walked);
		check_seek(w, side, dir, (unsigned)op->n[0]);
	}
	free(before);
	free(walked);
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	return dir ? 0 : -1;
}

static void run_walk(struct worker *w, const struct op *op)
{
	BOTH(w, walk(w, op, side));
}

static void choose_walk(struct worker *w, struct op *op)
{
	op->n[0] = random_below(w, 12);
	op->n[1] = random_below(w, random_below(w, 8) ? 4 : 150);
}

/* Enough names for an index, then away again. */
static void run_crowd(struct worker *w, const struct op *op)
{
	int fd[SIDES] = {-1, -1};

	if (BOTH(w, (fd[side] = openat(dir_fd(w, side, op->dir), op->path, O_RDONLY | O_DIRECTORY)) < 0
			    ? -1
			    : 0))
		for (long long i = 0; i < op->n[0]; i++) {
			char name[128];

			snprintf(name, sizeof(name), "crowd-%0*lld", 100, i);
			if (!BOTH(w, op->n[1] ? unlinkat(fd[side], name, 0)
					      : mknodat(fd[side], name, S_IFREG | 0644, 0)))
				break;
		}
	for (int side = 0; side < SIDES; side++)
		if (fd[side] >= 0)
			close(fd[side]);
}

static void choose_crowd(struct worker *w, struct op *op)
{
	op->n[0] = 20 + random_below(w, 100);
	op->n[1] = random_below(w, 2);
}

const struct op_kind dir_kinds[] = {
	{"list", "p", {NULL}, 8, 0, run_list, NULL},
	{"walk", "p", {"first", "others"}, 6, 0, run_walk, choose_walk},
	{"crowd", "p", {"names", "remove"}, 3, 0, run_crowd, choose_crowd},
	{NULL},
};
