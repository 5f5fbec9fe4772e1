/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sealdrive header repair TARGET: a copy that is damaged or out of date, from the good one. */
#include <stdio.h>

#include "cli/header.h"
#include "kernel-shim/filedev.h"
#include "keymgr/luks2-examine.h"
#include "keymgr/luks2-restore.h"

enum { OPT_HELP = 1, OPT_HEADER, OPT_FORCE };

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"header", required_argument, NULL, OPT_HEADER},
	{"force", no_argument, NULL, OPT_FORCE},
	{0},
};

struct faults {
	bool copies[2], differ, foreign;
};

static void note(void *ctx, const struct luks2_finding *finding)
{
	struct faults *faults = ctx;

	switch (finding->kind) {
	case LUKS2_FOUND_COPY_DAMAGED:
	case LUKS2_FOUND_COPY_OLD:
	case LUKS2_FOUND_COPY_MISSING:
		faults->copies[finding->id] = true;
		break;
	case LUKS2_FOUND_COPIES_DIFFER:
		faults->copies[1] = faults->differ = true;
		break;
	case LUKS2_FOUND_FOREIGN:
		faults->foreign = true;
		break;
	default:
		break;
	}
}

static void show(const struct faults *faults, const struct luks2 *hdr)
{
	if (faults->copies[0])
		printf(_("The first copy of the header is damaged, missing or out of date. It will be written "
			 "anew from the second.\n"));
	else if (faults->differ)
		printf(_("The two copies of the header differ. The second will be written anew from the first, which "
			 "is the one in use.\n"));
	else
		printf(_("The second copy of the header is damaged, missing or out of date. It will be written "
			 "anew from the first.\n"));
	printf(_("The copy in use: sequence number %llu, key slots: %d, tokens: %d\n"),
		(unsigned long long)hdr->seqid, hdr->keyslot_count, hdr->token_count);
	fflush(stdout);
}

static int repair(const struct header_args *args, bool force, struct diag *diag)
{
	const char *path = header_path(args);
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	struct faults faults = {0};
	bool done;
	int r = filedev_open(path, FILEDEV_HEADER, 0, &dev, diag);

	if (r == 0)
		r = luks2_examine(dev, 0, note, &faults, &hdr, diag);
	if (r < 0)
		return r;
	if (!faults.copies[0] && !faults.copies[1]) {
		printf(_("Nothing to do: both copies of the header are good.\n"));
		return 0;
	}
	show(&faults, hdr);
	if (faults.foreign && !force)
		return -SDE_HEADER_AMBIGUOUS;
	if (!force && cli_can_ask() && !cli_confirm(_("The header of %s will be repaired."), path))
		return -SDE_CANCELLED;
	r = luks2_repair(dev, force ? LUKS2_FOREIGN_OK : 0, &done, diag);
	if (r == 0)
		cli_say_done(_("The header was repaired.\n"));
	return r;
}

static int run(int argc, char **argv)
{
	struct header_args args = {0};
	struct diag diag = {0};
	bool force = false;
	int option, r;

	while ((option = cli_getopt(&command_header_repair, argc, argv, long_options)) != -1) {
		switch (option) {
		case OPT_HELP:
			return cli_help(&command_header_repair);
		case OPT_HEADER:
			args.header = optarg;
			break;
		case OPT_FORCE:
			force = true;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	if (!cli_operands(&command_header_repair, argc, argv, 1, 1))
		return EXIT_USAGE;
	args.target = argv[optind];
	r = repair(&args, force, &diag);
	return r < 0 ? cli_fail(header_path(&args), r, &diag) : EXIT_DONE;
}

const struct command command_header_repair = {
	.name = "header repair",
	.operands = N_("TARGET"),
	.summary = N_("write a damaged copy of the header anew from the good one"),
	.options = N_("What is wrong is shown first. Nothing but the bad copy is written, and the drive may be\n"
		      "mounted. Where both copies are bad, only a backup helps: 'sealdrive header restore'.\n"
		      "\n"
		      "Options:\n"
		      "  --header FILE  the drive's LUKS header is in FILE\n"
		      "  --force        do not ask, also where something else than LUKS is on the drive, too\n"
		      "  --help         show this help\n"),
	.run = run,
};
