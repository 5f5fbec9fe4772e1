/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Good images of many kinds, made by mke2fs and filled by our own core. */
#ifndef TESTS_HOSTILE_BASE_H
#define TESTS_HOSTILE_BASE_H

#include "base/blkdev.h"

struct base_kind {
	const char *name, *options;
	unsigned mib;
	bool dirty; /* taken while it was mounted: journal in use, files open without a name */
};

extern const struct base_kind base_kinds[]; /* name NULL at the end */

/* The image as a file at path. Aborts when it cannot be made: then nothing can be tested. */
void base_make(const struct base_kind *kind, const char *path);

#endif
