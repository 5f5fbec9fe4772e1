/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files with secrets in them: bytes go from read() into the caller's struct secret, with no buffer between. */
#ifndef CLI_SECRETFILE_H
#define CLI_SECRETFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/error.h"

/* "-" is standard input. Warns of a file that others may read. -errno, -EISDIR, with diag. */
int secretfile_open(const char *path, int *ret_fd, struct stat *ret_stat, struct diag *diag) MUST_CHECK;

/* Reads until cap bytes, the end, or (when line) a newline, which is not counted. A line is read
 * byte by byte, because what follows it on standard input is not ours. */
int secretfile_read(int fd, uint8_t *buf, size_t cap, bool line, size_t *ret_len) MUST_CHECK;

#endif
