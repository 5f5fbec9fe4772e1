/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sealdrive: the table of sub-commands, and what happens before and after one of them runs. */
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit/policy-find.h"
#include "cli/cli.h"
#include "cli/event.h"
#include "cli/gate.h"
#include "fuse/notify.h"
#include "kernel-shim/harden.h"

/* In the order of the help. */
static const struct command *const commands[] = {
	&command_list,
	&command_format,
	&command_mount,
	&command_unmount,
	&command_status,
	&command_info,
	&command_check,
	&command_resize,
	&command_key,
	&command_erase,
	&command_header,
	&command_policy,
	&command_audit,
	&command_log,
	&command_manifest,
	NULL,
};

static const struct command *command_find(const char *name)
{
	const struct command *const *command = commands;

	while (*command && strcmp((*command)->name, name) != 0)
		command++;
	return *command;
}

static int print_help(void)
{
	printf(_("Usage: sealdrive COMMAND [OPTION]... [OPERAND]...\n"));
	printf(_("Encrypted drives that need no administrator to be opened.\n"));
	printf(_("\nCommands:\n"));
	for (const struct command *const *command = commands; *command; command++)
		printf("  %-10s %s\n", (*command)->name, _((*command)->summary));
	printf(_("\n"
		 "Options:\n"
		 "  --help     show this help; 'sealdrive COMMAND --help' explains a command\n"
		 "  --version  show the version\n"));
	return EXIT_DONE;
}

static int print_version(void)
{
	printf("sealdrive %s\n", VERSION);
	return EXIT_DONE;
}

static int run(int argc, char **argv)
{
	const struct command *command;
	struct diag diag = {0};
	int status, err;

	if (argc < 2)
		return cli_usage(NULL, _("a command is missing"));
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return print_help();
	if (strcmp(argv[1], "--version") == 0)
		return print_version();
	command = command_find(argv[1]);
	if (!command)
		return cli_usage(NULL, argv[1][0] == '-' ? _("unknown option '%s'")
							 : _("unknown command '%s'"), argv[1]);
	err = cli_event_begin(argc, argv, &diag);
	if (err < 0)
		return cli_fail(command->name, err, &diag);
	status = command->run(argc - 1, argv + 1);
	cli_event_end(argc, argv, status);
	return status;
}

/* What was printed counts as done only when it has reached its file or pipe. */
static int finish_output(int status)
{
	bool failed = ferror(stdout);
	int err;

	errno = 0;
	failed |= fclose(stdout) != 0;
	if (!failed || errno == EPIPE)
		return status;
	err = errno ? -errno : -EIO;
	if (status == EXIT_DONE && cli_has_said_done()) {
		cli_warn(_("standard output"), _("%s; what was to be done is done"), error_text(err));
		return status;
	}
	cli_fail_file(_("standard output"), err, NULL);
	return status == EXIT_DONE ? EXIT_FAILED : status;
}

/* The catalogues are installed, or beside a program that was built and not installed. */
static void bind_catalogues(void)
{
	char folder[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", folder, sizeof(folder) - sizeof("/po/locale"));
	char *slash;

	folder[len > 0 ? len : 0] = '\0';
	slash = strrchr(folder, '/');
	if (slash)
		strcpy(slash, "/po/locale");
	bindtextdomain("sealdrive", slash && access(folder, R_OK) == 0 ? folder : LOCALEDIR);
	textdomain("sealdrive");
}

int main(int argc, char **argv)
{
	harden_process();
	if (notify_is_helper(argc, argv))
		return notify_helper(argv);
	setlocale(LC_ALL, "");
	bind_catalogues();
	policy_folders_set(POLICYDIR, CONFDIR);
	cli_event_folder(LOGDIR);
	gate_install();
	return finish_output(run(argc, argv));
}
