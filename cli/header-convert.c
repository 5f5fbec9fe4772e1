/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealdrive header convert TARGET: from LUKS version 1 to version 2, in place. All is checked before
 * anybody is asked, and checked again under the lock by the conversion itself.
 */
#include <stdio.h>
#include <string.h>

#include "cli/header.h"
#include "fuse/daemon.h"
#include "kernel-shim/filedev.h"
#include "keymgr/luks1-convert.h"

enum { OPT_HELP = 1, OPT_HEADER, OPT_TO, OPT_FORCE };

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"header", required_argument, NULL, OPT_HEADER},
	{"to", required_argument, NULL, OPT_TO},
	{"force", no_argument, NULL, OPT_FORCE},
	{0},
};

static int confirm(const struct header_args *args)
{
	if (!cli_can_ask())
		return -SDE_CONFIRM;
	cli_warn(header_path(args), _("If something goes wrong, a backup of the header is all that helps: "
				      "'sealdrive header backup'"));
	return cli_confirm(_("The header of %s will become LUKS version 2."), header_path(args))
		       ? 0
		       : -SDE_CANCELLED;
}

/* The drive and, where it has one, its header file, with nobody else using either. */
static int open_both(const struct header_args *args, struct blkdev **ret_data,
	struct blkdev **ret_header, struct diag *diag)
{
	int r = daemon_check_target(args->target, diag);

	if (r == 0)
		r = filedev_open(args->target, args->header ? FILEDEV_READ_ONLY : 0, 0, ret_data, diag);
	if (r == 0 && args->header)
		r = filedev_open(args->header, 0, 0, ret_header, diag);
	return r;
}

static int convert(const struct header_args *args, bool force, struct diag *diag)
{
	CLEANUP_BLKDEV struct blkdev *data = NULL, *file = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL, *now = NULL;
	int r = open_both(args, &data, &file, diag);
	struct blkdev *dev = file ? file : data;

	if (r == 0)
		r = luks2_load(dev, 0, &hdr, diag);
	if (r < 0)
		return r;
	if (hdr->version != 1) {
		printf(_("Nothing to do: the header is LUKS version 2 already.\n"));
		return 0;
	}
	r = luks1_convert_check(dev, diag);
	if (r == 0 && !force)
		r = confirm(args);
	if (r == 0)
		r = luks1_convert(dev, &now, diag);
	if (r == 0)
		cli_say_done(_("The header is LUKS version 2 now. Passphrases and data are what they were.\n"
			 "Make a new backup of the header: one that is older is still of version 1.\n"));
	return r;
}

static int run(int argc, char **argv)
{
	struct header_args args = {0};
	struct diag diag = {0};
	bool force = false;
	int option, r;

	while ((option = cli_getopt(&command_header_convert, argc, argv, long_options)) != -1) {
		switch (option) {
		case OPT_HELP:
			return cli_help(&command_header_convert);
		case OPT_HEADER:
			args.header = optarg;
			break;
		case OPT_TO:
			if (strcmp(optarg, "luks2"))
				return cli_usage(&command_header_convert,
					_("--to: only 'luks2' is possible"));
			break;
		case OPT_FORCE:
			force = true;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	if (!cli_operands(&command_header_convert, argc, argv, 1, 1))
		return EXIT_USAGE;
	args.target = argv[optind];
	r = convert(&args, force, &diag);
	return r < 0 ? cli_fail(header_path(&args), r, &diag) : EXIT_DONE;
}

const struct command command_header_convert = {
	.name = "header convert",
	.operands = N_("TARGET"),
	.summary = N_("make a LUKS version 1 header one of version 2"),
	.options = N_("It happens in place, without a passphrase, and changes neither passphrases nor data.\n"
		      "The drive must not be mounted. Make a backup of the header first.\n"
		      "\n"
		      "Options:\n"
		      "  --to luks2     the only version there is to convert to\n"
		      "  --header FILE  the drive's LUKS header is in FILE\n"
		      "  --force        do not ask\n"
		      "  --help         show this help\n"),
	.run = run,
};
