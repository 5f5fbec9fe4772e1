/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A command that is a table of sub-commands: `sealdrive key add`. */
#ifndef CLI_GROUP_H
#define CLI_GROUP_H

#include "cli/cli.h"

/* Runs the one that argv[1] names, or prints the help. commands: NULL-terminated, in the order of the
 * help; their names are "GROUP NAME". */
int group_run(const struct command *group, const struct command *const *commands, int argc, char **argv);

#endif
