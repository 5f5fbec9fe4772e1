/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sealdrive key test: whether a passphrase opens a drive, and which key slot does. */
#include <stdio.h>

#include "cli/key.h"

static const struct option long_options[] = {
	KEY_COMMON_OPTIONS,
	KEY_OLD_OPTIONS,
	CLI_TOKEN_OPTION,
	{"slot", required_argument, NULL, KEY_SLOT},
	{0},
};

static int run(int argc, char **argv)
{
	struct key_drive drive;
	struct key_args args;
	int r = key_parse(&command_key_test, argc, argv, long_options, &args);

	if (r != EXIT_DONE || args.help)
		return r;
	r = key_drive_open(&args, false, &drive);
	if (r == 0 && args.slot >= 0 && !luks2_keyslot_by_id(drive.hdr, args.slot))
		r = diag_set(&drive.diag, -SDE_SLOT, _("there is no key slot %d"), args.slot);
	if (r == 0)
		r = key_drive_unlock(&drive, args.slot);
	if (r == 0)
		printf(_("Key slot %d opens the drive.\n"), drive.slot);
	return key_drive_close(&drive, r);
}

const struct command command_key_test = {
	.name = "key test",
	.operands = N_("TARGET"),
	.summary = N_("find out whether a passphrase opens a drive"),
	.options = N_("Nothing is changed, and the drive may be mounted. The exit status is 0 when the\n"
		      "passphrase opens the drive, and 3 when it does not.\n"
		      "\n"
		      "Options:\n"
		      "  --slot N                only with this key slot\n"
		      "  --passphrase-file FILE  read the passphrase from the first line of FILE;\n"
		      "                          - is standard input\n"
		      "  --key-file FILE         use the whole FILE as the key\n"
		      "  --share FILE            use shares of a key: once for each of them; those that are\n"
		      "                          missing are asked for (all of them: --share -)\n"
		      "  --accept-header-change  its header was changed by another program, on\n"
		      "                          purpose\n"
		      "  --header FILE           the drive's LUKS header is in FILE\n"
		      "  --help                  show this help\n"),
	.run = run,
};
