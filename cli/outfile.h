/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file that is written for others to read: whole or not there, and never in the place of something else by accident. */
#ifndef CLI_OUTFILE_H
#define CLI_OUTFILE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

/* Whether path may be written: nothing is there, or (replace) a regular file. -EEXIST and others, with diag. */
int outfile_check(const char *path, bool replace, struct diag *diag) MUST_CHECK;

/* -EEXIST, with diag: path is the same file as input, which must not be replaced by what is said of it. */
int outfile_check_input(const char *path, const char *input, struct diag *diag) MUST_CHECK;

typedef int outfile_fn(void *ctx, FILE *out);
/*
 * Has write fill a new file beside path, which then takes its name. What has come there meanwhile stays, unless replace.
 * -errno, what write returned.
 */
int outfile_write(const char *path, bool replace, outfile_fn *write, void *ctx, struct diag *diag) MUST_CHECK;

#endif
