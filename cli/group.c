/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/group.h"

#include <stdio.h>
#include <string.h>

static const char *short_name(const struct command *command)
{
	return strchr(command->name, ' ') + 1;
}

static int print_help(const struct command *group, const struct command *const *commands)
{
	printf(_("Usage: sealdrive %s COMMAND [OPTION]... [OPERAND]...\n"), group->name);
	printf("%s\n", _(group->summary));
	printf(_("\nCommands:\n"));
	for (; *commands; commands++)
		printf("  %-10s %s\n", short_name(*commands), _((*commands)->summary));
	printf(_("\n"
		 "Options:\n"
		 "  --help     show this help; 'sealdrive %s COMMAND --help' explains a command\n"),
		group->name);
	return EXIT_DONE;
}

int group_run(const struct command *group, const struct command *const *commands, int argc, char **argv)
{
	if (argc < 2)
		return cli_usage(group, _("a command is missing"));
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return print_help(group, commands);
	for (; *commands; commands++)
		if (!strcmp(short_name(*commands), argv[1]))
			return (*commands)->run(argc - 1, argv + 1);
	return cli_usage(group, argv[1][0] == '-' ? _("unknown option '%s'") : _("unknown command '%s'"),
		argv[1]);
}
