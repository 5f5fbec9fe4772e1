/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sealdrive header COMMAND: a table of sub-commands of its own. */
#include "cli/header.h"

#include <stdio.h>
#include <string.h>

#include "kernel-shim/filedev.h"

/* In the order of the help. Their names are "header NAME". */
static const struct command *const commands[] = {
	&command_header_check,
	&command_header_backup,
	&command_header_convert,
	NULL,
};

static const char *short_name(const struct command *command)
{
	return strchr(command->name, ' ') + 1;
}

static int print_help(void)
{
	printf(_("Usage: sealdrive header COMMAND [OPTION]... [OPERAND]...\n"));
	printf("%s\n", _(command_header.summary));
	printf(_("\nCommands:\n"));
	for (const struct command *const *command = commands; *command; command++)
		printf("  %-10s %s\n", short_name(*command), _((*command)->summary));
	printf(_("\n"
		 "Options:\n"
		 "  --help     show this help; 'sealdrive header COMMAND --help' explains a command\n"));
	return EXIT_DONE;
}

static int run(int argc, char **argv)
{
	if (argc < 2)
		return cli_usage(&command_header, _("a command is missing"));
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return print_help();
	for (const struct command *const *command = commands; *command; command++)
		if (!strcmp(short_name(*command), argv[1]))
			return (*command)->run(argc - 1, argv + 1);
	return cli_usage(&command_header,
		argv[1][0] == '-' ? _("unknown option '%s'") : _("unknown command '%s'"), argv[1]);
}

const struct command command_header = {
	.name = "header",
	.operands = N_("COMMAND TARGET"),
	.summary = N_("check, back up or convert the LUKS header of a drive"),
	.options = "",
	.run = run,
};

int header_open_to_read(const struct header_args *args, struct blkdev **ret_dev,
	uint64_t *ret_data_bytes, struct diag *diag)
{
	CLEANUP_BLKDEV struct blkdev *data = NULL, *dev = NULL;
	int r = filedev_open(args->target, FILEDEV_NO_LOCK, 0, &data, diag);

	if (r == 0 && args->header) {
		r = filedev_open(args->header, FILEDEV_NO_LOCK, 0, &dev, diag);
		if (r < 0)
			diag_set(diag, r, _("header file %s"), args->header);
	}
	if (r < 0)
		return r;
	*ret_data_bytes = data->size_bytes;
	*ret_dev = dev ? take_ptr(dev) : take_ptr(data);
	return 0;
}
