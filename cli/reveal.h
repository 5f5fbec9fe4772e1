/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A key that is shown on the terminal once, to be written down, and taken away again. */
#ifndef CLI_REVEAL_H
#define CLI_REVEAL_H

#include "base/secret.h"

/* heading: translated, one line. Returns when Enter was pressed. -SDE_CANCELLED, -errno. */
int reveal_on_terminal(int fd, const char *heading, const struct secret *key) MUST_CHECK;

#endif
