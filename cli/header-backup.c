/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealdrive header backup TARGET FILE. The file is new, for its owner alone, and holds no header
 * before everything else is in it; what fails leaves none behind.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/header.h"
#include "kernel-shim/filedev.h"
#include "keymgr/luks2-backup.h"
#include "keymgr/luks2-examine.h"

enum { OPT_HELP = 1, OPT_HEADER };

enum { TRIES = 3 };

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"header", required_argument, NULL, OPT_HEADER},
	{0},
};

/* The file may have been replaced meanwhile: only our own is removed. */
static void remove_own(const char *path, struct blkdev *file)
{
	struct stat ours, now;

	filedev_stat(file, &ours);
	if (lstat(path, &now) == 0 && ours.st_dev == now.st_dev && ours.st_ino == now.st_ino)
		unlink(path);
}

/* *ret_subject: what the error, if any, is about. */
static int save(const struct header_args *args, const char *path, const char **ret_subject,
	struct diag *diag)
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL, *file = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	uint64_t data_bytes;
	int r = header_open_to_read(args, &dev, &data_bytes, diag);

	*ret_subject = header_path(args);
	if (r == 0)
		r = luks2_load(dev, 0, &hdr, diag);
	if (r < 0)
		return r;
	*ret_subject = path;
	r = filedev_open(path, FILEDEV_CREATE, luks2_areas_bytes(hdr), &file, diag);
	if (r == 0)
		r = luks2_backup(dev, hdr, file, diag);
	if (r < 0 && file)
		remove_own(path, file);
	if (r == -SDE_BUSY)
		*ret_subject = header_path(args);
	return r == -ENOSPC ? -SDE_NO_SPACE_HOST : r;
}

static int run(int argc, char **argv)
{
	const char *subject, *path;
	struct header_args args = {0};
	struct diag diag = {0};
	int option, r;

	while ((option = cli_getopt(&command_header_backup, argc, argv, long_options)) != -1) {
		if (option == OPT_HELP)
			return cli_help(&command_header_backup);
		if (option != OPT_HEADER)
			return EXIT_USAGE;
		args.header = optarg;
	}
	if (!cli_operands(&command_header_backup, argc, argv, 2, 2))
		return EXIT_USAGE;
	args.target = argv[optind];
	path = argv[optind + 1];
	r = save(&args, path, &subject, &diag);
	if (r < 0)
		return cli_fail(subject, r, &diag);
	cli_say_done(_("The header is saved in "));
	cli_put_path(path);
	printf(_(".\nKeep it in a safe place: with it, whoever knows a passphrase of today can open the drive,\n"
		 "even after that passphrase has been removed.\n"));
	return EXIT_DONE;
}

const struct command command_header_backup = {
	.name = "header backup",
	.operands = N_("TARGET FILE"),
	.summary = N_("save the header with its key slots in a file"),
	.options = N_("FILE must not exist yet. It is as large as the header, 16 MiB by default, and can be\n"
		      "restored by cryptsetup, too. The drive may be mounted.\n"
		      "\n"
		      "Options:\n"
		      "  --header FILE  the drive's LUKS header is in this file\n"
		      "  --help         show this help\n"),
	.run = run,
};
