/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A command that goes on in the background once it has succeeded. */
#ifndef CLI_BACKGROUND_H
#define CLI_BACKGROUND_H

#include <stdbool.h>

/*
 * Forks at once; the child does everything: asks, complains, and calls background_detach() when it
 * has succeeded, or exits. Returns true in the child. In the parent it waits and returns false with
 * the exit status to end with: EXIT_DONE once the child has detached, else the child's own.
 */
bool background_start(int *ret_status);

/* In the child: leaves terminal, folder and every file it inherited, and lets the parent go. */
void background_detach(void);

#endif
