/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealdrive key change: another passphrase in a key slot, or another priority.
 *
 * The new key is on the medium, and has opened, before the header is switched to it; then the old one
 * is overwritten. See keymgr/luks2-update.c.
 */
#include <stdio.h>

#include "cli/key.h"
#include "keymgr/token.h"

static const struct option long_options[] = {
	KEY_COMMON_OPTIONS,
	KEY_OLD_OPTIONS,
	CLI_TOKEN_OPTION,
	KEY_NEW_OPTIONS,
	KDF_LONG_OPTIONS,
	{"slot", required_argument, NULL, KEY_SLOT},
	{"priority", required_argument, NULL, KEY_PRIORITY},
	{0},
};

/* With a priority alone the passphrase stays. */
static bool passphrase_too(const struct key_args *args)
{
	return args->priority < 0 || args->new_source.passphrase_file || args->new_source.key_file ||
	       args->kdf.given || args->kdf.iter_time_ms || args->kdf.weakest_bytes;
}

static int change(struct key_drive *drive, int id)
{
	CLEANUP_LUKS2_NEW_KEYSLOT struct luks2_new_keyslot *new = NULL;
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;
	CLEANUP_SECRET struct secret *passphrase = NULL;
	const struct key_args *args = drive->args;
	struct diag *diag = &drive->diag;
	int r = passphrase_too(args) ? key_prepare_new(drive, &new, &passphrase) : 0;

	if (r == 0)
		r = luks2_update_begin(drive->dev, drive->hdr, &update, diag);
	if (r == 0 && new)
		r = luks2_keyslot_replace(update, id, new, passphrase, drive->volume_key, diag);
	if (r == 0 && new)
		r = token_forget(update, UINT32_C(1) << id, diag);
	if (r == 0 && args->priority >= 0)
		r = luks2_keyslot_set_priority(update, id, (enum luks2_priority)args->priority, diag);
	return r < 0 ? r : luks2_update_commit(update, drive->volume_key, diag);
}

/* The last one that is tried by itself would leave a drive that looks as if nothing opened it. */
static int check_ignore(struct key_drive *drive, int id)
{
	if (drive->args->priority != LUKS2_PRIORITY_IGNORE || luks2_keyslots_opening(drive->hdr, drive->dev, UINT32_C(1) << id) > 0)
		return 0;
	return diag_set(&drive->diag, -SDE_LAST_SLOT, _("no other key slot would be tried"));
}

static void report(const struct key_drive *drive, int id, uint32_t same)
{
	if (!passphrase_too(drive->args)) {
		cli_say_done(_("Key slot %d has another priority.\n"), id);
		return;
	}
	cli_say_done(_("Key slot %d opens with the new key, and not with the old one any more.\n"), id);
	key_warn_of_same(drive, same);
	key_tell_remains();
}

static int run(int argc, char **argv)
{
	struct key_drive drive;
	struct key_args args;
	struct luks2_kdf kdf;
	bool by_default;
	uint32_t same = 0;
	int id = -1, r = key_parse(&command_key_change, argc, argv, long_options, &args);

	if (r != EXIT_DONE || args.help)
		return r;
	if (!kdf_options_combine(&command_key_change, &args.kdf, &kdf, &by_default))
		return EXIT_USAGE;
	r = key_drive_open(&args, true, &drive);
	if (r == 0 && args.slot >= 0)
		r = luks2_keyslot_check_used(drive.hdr, args.slot, &drive.diag);
	if (r == 0)
		r = key_drive_unlock(&drive, -1);
	if (r == 0) {
		id = args.slot >= 0 ? args.slot : drive.slot;
		r = check_ignore(&drive, id);
	}
	if (r == 0 && passphrase_too(&args))
		same = key_find_same(&drive, id);
	if (r == 0)
		r = change(&drive, id);
	if (r == 0)
		report(&drive, id, same);
	return key_drive_close(&drive, r);
}

const struct command command_key_change = {
	.name = "key change",
	.operands = N_("TARGET"),
	.summary = N_("change a passphrase or the priority of a key slot"),
	.options = N_(
		"Asks for the passphrase, then twice for the new one, which takes its place. With\n"
		"--slot any passphrase of the drive will do to change the one in that key slot. With\n"
		"--priority and no option for the new key only the priority changes. The drive may\n"
		"be mounted. A stop at any moment leaves the old passphrase or the new one.\n"
		"\n"
		"Options:\n"
		"  --slot N                    the key slot to be changed (default: the one that the\n"
		"                              passphrase opens)\n"
		"  --passphrase-file FILE      read the existing passphrase from the first line of\n"
		"                              FILE; - is standard input\n"
		"  --key-file FILE             use the whole FILE as the existing key\n"
		"  --new-passphrase-file FILE  the same for the new one; when both are -, the second\n"
		"                              line is the new passphrase\n"
		"  --new-key-file FILE         use the whole FILE as the new key\n"
		"  --priority PRIORITY         high: tried first; normal; ignore: only tried when it\n"
		"                              is named\n"
		"  --allow-weak                take a passphrase that is easy to guess\n"
		"  --accept-header-change      its header was changed by another program, on\n"
		"                              purpose\n"
		"  --header FILE               the drive's LUKS header is in FILE\n"
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
