/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every call that takes a path, in one form: what it does to a path, -1 with errno or not. */
#ifndef POSIX_CALLS_H
#define POSIX_CALLS_H

#include "tests/posix/posix.h"

enum call_kind {
	MAKES = 1 << 0, /* the name must not exist */
	FOLLOWS = 1 << 1, /* a link at the end of the path is followed */
	WANTS_DIR = 1 << 2, /* works on folders (only) */
	WANTS_LINK = 1 << 3, /* works on symbolic links (only) */
	REMOVES = 1 << 4, /* changes the folder of the name */
	WANTS_OWNER = 1 << 5,
	CHANGES = 1 << 6, /* the inode, or its data */
	WANTS_SOURCE = 1 << 8, /* makes a file of its own where it works */
	REAL_IDENTITY = 1 << 9, /* rights are those of the real user */
	IN_LIBRARY = 1 << 10, /* the C library looks at the path first */
};

struct call {
	const char *name;
	unsigned kind;
	int (*on)(const char *path);
};

extern const struct call calls[];
extern const size_t calls_count;

#endif
