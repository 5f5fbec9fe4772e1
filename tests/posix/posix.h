/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What POSIX and the Linux manual pages promise of a file system, case by case.
 *
 * A case runs in a process of its own, in an empty folder of its own, with umask 022; whatever it
 * does to its identity, limits or working directory dies with it. It ends at the first expectation
 * that does not hold. A case is right when the kernel's ext4 passes it.
 */
#ifndef POSIX_POSIX_H
#define POSIX_POSIX_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum posix_needs {
	NEEDS_ROOT = 1 << 0, /* identities other than one's own */
	NEEDS_OTHER = 1 << 1, /* a folder on another file system (-o) */
	NEEDS_TIME = 1 << 3, /* only with SEALDRIVE_LONG=1 */
	READ_ONLY = 1 << 2, /* runs in the prepared folder of a read-only mount, and only there */
};

struct posix_case {
	const char *family;
	const char *name; /* unique in the family */
	const char *what; /* one line: what must hold */
	unsigned needs;
	void (*run)(const void *arg);
	const void *arg;
	struct posix_case *next;
};

void posix_register(struct posix_case *c);
/* A case made of a table's row; strings are copied. */
void posix_register_row(const char *family, const char *name, const char *what, unsigned needs,
	void (*run)(const void *arg), const void *arg);

/* Defines a case: CASE(link, directory, 0, "a link to a directory: EPERM") { ... } */
#define CASE(family_, name_, needs_, what_)                                                        \
	static void family_##_##name_(const void *arg);                                            \
	__attribute__((constructor)) static void family_##_##name_##_register(void)                \
	{                                                                                          \
		static struct posix_case c = {.family = #family_,                                  \
			.name = #name_,                                                            \
			.what = what_,                                                             \
			.needs = needs_,                                                           \
			.run = family_##_##name_};                                                 \
		posix_register(&c);                                                                \
	}                                                                                          \
	static void family_##_##name_(const void *arg)

/* ---- expectations: the first that does not hold ends the case -------------------------------- */

struct place {
	const char *file;
	int line;
	const char *text;
};
#define HERE(text_) ((struct place){__FILE__, __LINE__, text_})

long long expect_ok(long long result, struct place at);
void expect_failure(long long result, int error, struct place at);
void expect_same(long long got, long long wanted, struct place at);
void expect_true(bool holds, struct place at);
/* A call that returns -1 with errno when it fails. Its result. */
#define OK(call) expect_ok((errno = 0, (long long)(call)), HERE(#call))
#define FAILS(error, call) expect_failure((errno = 0, (long long)(call)), error, HERE(#call))
#define SAME(got, wanted) expect_same((long long)(got), (long long)(wanted), HERE(#got " is " #wanted))
#define HOLDS(condition) expect_true(condition, HERE(#condition))

/* ---- what cases use ------------------------------------------------------------------------- */

extern const char *other_dir; /* on another file system */

void make_file(const char *path); /* empty, 0644 */
void write_file(const char *path, const char *text);
void make_sized(const char *path, size_t bytes); /* with a pattern */
uint8_t pattern_at(uint64_t off);
int open_ok(const char *path, int flags); /* with mode 0644 */
bool file_is(const char *path, const char *text);
struct stat stat_of(const char *path); /* of the link itself */
mode_t mode_of(const char *path); /* 07777 */
bool exists(const char *path);
/* LEN times c, terminated; lives as long as the case. */
char *repeat(char c, size_t len);

/* Effective identity, with no other groups than those named. Back with become_root(). */
void become(uid_t uid, gid_t gid);
void become_with_group(uid_t uid, gid_t gid, gid_t group);
void become_root(void);
/* Somebody who is not root: 1001 when we are, else whom we are. */
void become_ordinary(void);

/*
 * Times: sets atime and mtime to a second of 2001, waits until the clock has moved, and returns
 * what is there. Then stamps_moved() wants exactly the times named ("a", "m", "c") to be later, and
 * the others unchanged.
 */
struct stamps {
	struct timespec a, m, c;
};
struct stamps stamps_set(const char *path);
struct stamps stamps_get(const char *path);
void stamps_moved(const char *path, struct stamps before, const char *which, struct place at);
#define STAMPS(path, before, which) stamps_moved(path, before, which, HERE(#path ": " #which))

/* The names in a folder without "." and "..", sorted, each followed by a space. */
const char *names_in(const char *path);

#endif
