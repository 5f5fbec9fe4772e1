/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sealdrive unmount TARGET|DIR */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/event.h"
#include "cli/unmount.h"
#include "fuse/users.h"

enum { USERS_SHOWN = 8, UNSEEN_TRIES = 10, GIVE_UP_TRIES = 50 };

enum { OPT_HELP = 256, OPT_GIVE_UP };

static const struct option long_options[] = {
	{"give-up", no_argument, NULL, OPT_GIVE_UP},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};

static void say_waiting(void)
{
	if (isatty(STDERR_FILENO))
		fputs(_("Everything is being written to the drive. Please wait.\n"), stderr);
}

/* "cp (1234), bash (77)" into diag, as far as they can be seen. False: none can. */
static bool name_users(const char *mount_point, struct diag *diag)
{
	struct mount_user users[USERS_SHOWN];
	int count = users_find(mount_point, users, USERS_SHOWN);
	char text[USERS_SHOWN * 80] = "";
	size_t len = 0;

	for (int i = 0; i < count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s (%d)",
			i > 0 ? ", " : "", users[i].name, (int)users[i].pid);
	if (count > 0)
		diag_set(diag, -EBUSY, _("it is in use by %s"), text);
	else
		diag_set(diag, -EBUSY, _("it is in use by a program of another user"));
	return count > 0;
}

/*
 * Whether to try once more, after a moment: programs that waited for a drive that was given up have got an
 * error, and need that long; and who cannot be seen may be somebody in passing: whoever asks for the
 * free space, or looks through /proc, holds the mount as well.
 */
static bool worth_waiting(const struct mounted_drive *drive, bool give_up, int tries, struct diag *diag)
{
	int limit;

	*diag = (struct diag){0};
	limit = name_users(drive->status.mount_point, diag) ? 0 : UNSEEN_TRIES;
	if (give_up)
		limit = GIVE_UP_TRIES;
	if (tries < limit)
		nanosleep(&(struct timespec){.tv_nsec = 100 * 1000000L}, NULL);
	return tries < limit;
}

/* A drive that was pulled out is waited for, unless the user knows better. */
static int consider_away(const char *name, const struct mounted_drive *drive, bool *give_up)
{
	if (!drive->status.away) {
		*give_up = false;
		return 0;
	}
	if (!*give_up && cli_can_ask())
		*give_up = cli_confirm(_("%s was pulled out. What was not written to it yet is lost if you "
					"do not put it back. Give it up?"), name);
	if (*give_up)
		return drives_give_up(drive);
	cli_warn(name, _("it was pulled out; put it back within %u seconds"), drive->status.seconds_left);
	return 0;
}

int unmount_left_over(const char *name, const struct mounted_drive *drive, struct diag *diag)
{
	int err = drives_unmount(drive, NULL, diag);

	if (err < 0)
		return err;
	cli_event("unmount", name, NULL, -SDE_DAEMON, NULL);
	cli_warn(name, _("the program that served the drive had died; what it had not written "
			 "yet is lost"));
	return 0;
}

static int unmount_alive(const char *name, const struct mounted_drive *drive, bool give_up, struct diag *diag)
{
	int err = consider_away(name, drive, &give_up);

	if (err == 0)
		err = drives_unmount(drive, say_waiting, diag);
	for (int i = 0; err == -EBUSY && worth_waiting(drive, give_up, i, diag); i++)
		err = drives_unmount(drive, say_waiting, diag);
	return err;
}

static int unmount(const char *name, const struct mounted_drive *drive, bool give_up)
{
	struct diag diag = {0};
	int err = drive->dead ? unmount_left_over(name, drive, &diag) : unmount_alive(name, drive, give_up, &diag);

	if (err < 0)
		return cli_fail(name, err, &diag);
	cli_say_done(_("Unmounted. You may now pull the drive out.\n"));
	return EXIT_DONE;
}

static int run(int argc, char **argv)
{
	struct mounted_drive drive;
	bool give_up = false;
	int option, err, status;

	while ((option = cli_getopt(&command_unmount, argc, argv, long_options)) != -1) {
		if (option == OPT_HELP)
			return cli_help(&command_unmount);
		if (option != OPT_GIVE_UP)
			return EXIT_USAGE;
		give_up = true;
	}
	if (!cli_operands(&command_unmount, argc, argv, 1, 1))
		return EXIT_USAGE;
	err = drives_find(argv[optind], &drive);
	if (err < 0)
		return cli_fail(argv[optind], err, NULL);
	status = unmount(argv[optind], &drive, give_up);
	mounted_drive_clear(&drive);
	return status;
}

const struct command command_unmount = {
	.name = "unmount",
	.operands = N_("TARGET|DIR"),
	.summary = N_("write everything to a drive and close it"),
	.options = N_("When the command is done, the drive may be pulled out. A drive that is in use\n"
		      "stays mounted, and the programs that use it are named.\n"
		      "\n"
		      "Options:\n"
		      "  --give-up  do not wait for a drive that was pulled out: what was not written to\n"
		      "             it yet is lost\n"
		      "  --help     show this help\n"),
	.run = run,
};
