/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A message on the user's desktop, where there is one and libnotify is installed. The library runs in a process
 * of its own, which has nothing of the daemon's memory, and nobody waits for it.
 */
#ifndef FUSE_NOTIFY_H
#define FUSE_NOTIFY_H

#include <stdbool.h>

void notify_show(const char *summary, const char *body);

/* That process: whether argv is its command line. The program's main() asks before anything else. */
bool notify_is_helper(int argc, char **argv);
int notify_helper(char **argv);

#endif
