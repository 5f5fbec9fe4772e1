/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One case in a process of its own. */
#ifndef POSIX_RUN_H
#define POSIX_RUN_H

#include "tests/posix/posix.h"

enum outcome { PASSED, FAILED };

/* *ret_messages: lines, valid until the next call. */
enum outcome run_case(const struct posix_case *c, const char *dir, unsigned number,
	const char **ret_messages);
/* The folder that the read-only cases expect, in dir. Exit status. */
int prepare_read_only(const char *dir);

#endif
