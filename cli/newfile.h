/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file that did not exist before, for its owner alone (mode 0600), and whole or not there. */
#ifndef CLI_NEWFILE_H
#define CLI_NEWFILE_H

#include <stddef.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"

struct newfile {
	int fd; /* -1: none */
	char *path;
};
#define NEWFILE_NONE {-1, NULL}

/* -EEXIST and others, with the path in diag. */
int newfile_open(const char *path, struct newfile *ret_file, struct diag *diag) MUST_CHECK;
/* Writes without any buffer between. */
int newfile_write(struct newfile *file, const void *data, size_t len, struct diag *diag) MUST_CHECK;
/* What was written is on the disk, but the file still goes away when it is not finished. */
int newfile_sync(struct newfile *file, struct diag *diag) MUST_CHECK;
/* Keeps it as it is: for what is on the disk already, and must not go away any more. */
void newfile_keep(struct newfile *file);
/* Keeps it: when this returns 0 it is on the disk. */
int newfile_finish(struct newfile *file, struct diag *diag) MUST_CHECK;
/* Removes it, unless it was kept. */
void newfile_discard(struct newfile *file);
#define CLEANUP_NEWFILE CLEANUP(newfile_discard)

#endif
