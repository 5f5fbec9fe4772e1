/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sealdrive key add: one more passphrase or key file for a drive, or a key that several people share. */
#include <stdio.h>

#include "cli/key.h"

static const struct option long_options[] = {
	KEY_COMMON_OPTIONS,
	KEY_OLD_OPTIONS,
	CLI_TOKEN_OPTION,
	KEY_NEW_OPTIONS,
	KDF_LONG_OPTIONS,
	{"new-slot", required_argument, NULL, KEY_NEW_SLOT},
	{"priority", required_argument, NULL, KEY_PRIORITY},
	{"shares", required_argument, NULL, KEY_SHARES},
	{"threshold", required_argument, NULL, KEY_THRESHOLD},
	{"share-out", required_argument, NULL, KEY_SHARE_OUT},
	{"share-for", required_argument, NULL, KEY_SHARE_FOR},
	{"share-pin-file", required_argument, NULL, KEY_SHARE_PIN_FILE},
	{0},
};

static int add(struct key_drive *drive, int *ret_id)
{
	CLEANUP_LUKS2_NEW_KEYSLOT struct luks2_new_keyslot *new = NULL;
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;
	CLEANUP_SECRET struct secret *passphrase = NULL;
	struct diag *diag = &drive->diag;
	int r = key_prepare_new(drive, &new, &passphrase);

	if (r == 0)
		r = luks2_update_begin(drive->dev, drive->hdr, &update, diag);
	if (r == 0)
		r = luks2_keyslot_add(update, new, passphrase, drive->volume_key, drive->args->new_slot,
			ret_id, diag);
	return r < 0 ? r : luks2_update_commit(update, drive->volume_key, diag);
}

static int run(int argc, char **argv)
{
	struct key_drive drive;
	struct key_args args;
	struct luks2_kdf kdf;
	bool by_default;
	int id = -1, r = key_parse(&command_key_add, argc, argv, long_options, &args);

	if (r != EXIT_DONE || args.help)
		return r;
	if (!kdf_options_combine(&command_key_add, &args.kdf, &kdf, &by_default))
		return EXIT_USAGE;
	r = key_check_shares(&command_key_add, &args);
	if (r != EXIT_DONE)
		return r;
	r = key_drive_open(&args, true, &drive);
	if (r == 0)
		r = luks2_keyslot_check_free(drive.hdr, args.new_slot, &drive.diag);
	if (r == 0)
		r = key_drive_unlock(&drive, -1);
	if (r == 0)
		r = args.shares ? key_add_shares(&drive, &id) : add(&drive, &id);
	if (r == 0 && args.shares)
		cli_say_done(_("Any %d of the %d shares open the drive together, in key slot %d.\n"), args.threshold,
			args.shares, id);
	if (r == 0 && args.share_folder)
		cli_say_done(_("They are in '%s': print the pages, give each to another person, and then delete the files,\n"
			       "because whoever has all of them has the drive.\n"),
			args.share_folder);
	if (r == 0 && !args.shares)
		cli_say_done(_("The new key opens the drive, in key slot %d.\n"), id);
	return key_drive_close(&drive, r);
}

const struct command command_key_add = {
	.name = "key add",
	.operands = N_("TARGET"),
	.summary = N_("add a passphrase, a key file, or shares for several people"),
	.options = N_("Asks for a passphrase that opens the drive, then twice for the new one. The drive\n"
		      "may be mounted.\n"
		      "\n"
		      "Options:\n"
		      "  --passphrase-file FILE      read the existing passphrase from the first line of\n"
		      "                              FILE; - is standard input\n"
		      "  --key-file FILE             use the whole FILE as the existing key\n"
		      "  --share FILE                use shares of an existing key: once for each of them\n"
		      "  --new-passphrase-file FILE  the same for the new one; when both are -, the second\n"
		      "                              line is the new passphrase\n"
		      "  --new-key-file FILE         use the whole FILE as the new key\n"
		      "  --new-slot N                number of the new key slot (default: the first free)\n"
		      "  --priority PRIORITY         high: tried first; normal; ignore: only tried when it\n"
		      "                              is named\n"
		      "  --allow-weak                take a passphrase that is easy to guess\n"
		      "  --accept-header-change      its header was changed by another program, on\n"
		      "                              purpose\n"
		      "  --header FILE               the drive's LUKS header is in FILE\n"
		      "\n"
		      "A key that only several people together have:\n"
		      "  --shares N                  no passphrase, but N shares, one for each of them\n"
		      "  --threshold M               any M of the shares open the drive, fewer do not\n"
		      "  --share-out FOLDER          write the shares to new files in FOLDER: a page to\n"
		      "                              print (.svg) and a text (.txt) for each; without it\n"
		      "                              they are shown once on the terminal\n"
		      "  --share-for TOKEN           the first share is a file that only this token can\n"
		      "                              read ('pkcs11:...' or fido2); the second for the\n"
		      "                              second --share-for, ...; the others are sheets\n"
		      "  --share-pin-file FILE       read the first token's PIN from the first line of\n"
		      "                              FILE, the second's from the second, ...\n"
		      "\n"
		      "Options for the IT staff:\n"
		      "  --pbkdf KDF                 argon2id (default), argon2i or pbkdf2\n"
		      "  --iter-time MS              how long one guess shall take here (default: 2000)\n"
		      "  --iterations N              this cost instead of --iter-time\n"
		      "  --memory KIB                memory for argon2\n"
		      "  --parallel N                threads for argon2, 1 to 4\n"
		      "  --weakest-computer SIZE     memory of the weakest computer that shall open the\n"
		      "                              drive (default: 4G)\n"
		      "  --help                      show this help\n"),
	.run = run,
};
