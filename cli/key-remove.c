/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealdrive key remove: a key slot less.
 *
 * The last one that opens the drive stays, unless it is forced and somebody types what drive it is: after
 * that nobody opens the drive any more.
 */
#include <stdio.h>

#include "cli/key.h"
#include "keymgr/token.h"

static const struct option long_options[] = {
	KEY_COMMON_OPTIONS,
	KEY_OLD_OPTIONS,
	CLI_TOKEN_OPTION,
	{"slot", required_argument, NULL, KEY_SLOT},
	{"force", no_argument, NULL, KEY_FORCE},
	{0},
};

void key_tell_remains(void)
{
	printf(_("The old key material was overwritten. Flash media (USB sticks, memory cards, SSDs) may\n"
		 "keep copies of it where no program reaches, and a backup of the header still holds it:\n"
		 "who knows the old passphrase and has one of these can open the drive. If that must not\n"
		 "be, format a drive anew and copy the files to it.\n"));
}

static int check_last(struct key_drive *drive, int id)
{
	const struct luks2_keyslot *slot = luks2_keyslot_by_id(drive->hdr, id);
	const char *name = drive->hdr->label[0] ? drive->hdr->label : drive->hdr->uuid;

	if (!slot || !luks2_keyslot_opens(drive->hdr, slot) ||
		luks2_keyslots_opening(drive->hdr, drive->dev, UINT32_C(1) << id) > 0)
		return 0;
	if (!drive->args->force)
		return diag_set(&drive->diag, -SDE_LAST_SLOT, _("key slot %d is the last one that works"), id);
	return cli_confirm_by_typing(name,
		_("Key slot %d is the last one that opens %s. Without it everything on the drive is lost for "
		  "good."),
		id, drive->args->target);
}

static int remove_slot(struct key_drive *drive, int id)
{
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;
	struct diag *diag = &drive->diag;
	int r = luks2_update_begin(drive->dev, drive->hdr, &update, diag);

	if (r == 0)
		r = token_forget(update, UINT32_C(1) << id, diag);
	if (r == 0)
		r = luks2_keyslot_remove(update, id, diag);
	return r < 0 ? r : luks2_update_commit(update, drive->volume_key, diag);
}

static int run(int argc, char **argv)
{
	struct key_drive drive;
	struct key_args args;
	uint32_t same = 0;
	int id = -1, r = key_parse(&command_key_remove, argc, argv, long_options, &args);

	if (r != EXIT_DONE || args.help)
		return r;
	r = key_drive_open(&args, true, &drive);
	if (r == 0 && args.slot >= 0)
		r = luks2_keyslot_check_used(drive.hdr, args.slot, &drive.diag);
	if (r == 0)
		r = key_drive_unlock(&drive, -1);
	if (r == 0) {
		id = args.slot >= 0 ? args.slot : drive.slot;
		r = check_last(&drive, id);
	}
	if (r == 0) {
		same = key_find_same(&drive, id);
		r = remove_slot(&drive, id);
	}
	if (r == 0) {
		cli_say_done(_("Key slot %d was removed.\n"), id);
		key_warn_of_same(&drive, same);
		key_tell_remains();
	}
	return key_drive_close(&drive, r);
}

const struct command command_key_remove = {
	.name = "key remove",
	.operands = N_("TARGET"),
	.summary = N_("remove a passphrase or key"),
	.options = N_(
		"Asks for the passphrase that shall not open the drive any more; with --slot any\n"
		"passphrase of the drive will do to remove that key slot. The drive may be mounted.\n"
		"The last key slot stays: without it nobody could ever open the drive again.\n"
		"\n"
		"Options:\n"
		"  --slot N                the key slot to be removed (default: the one that the\n"
		"                          passphrase opens)\n"
		"  --passphrase-file FILE  read the passphrase from the first line of FILE;\n"
		"                          - is standard input\n"
		"  --key-file FILE         use the whole FILE as the key\n"
		"  --token [TOKEN]         use a token\n"
		"  --share FILE            use shares of a key: once for each of them\n"
		"  --force                 remove the last key slot, too; asks for the drive's label\n"
		"  --accept-header-change  its header was changed by another program, on\n"
		"                          purpose\n"
		"  --header FILE           the drive's LUKS header is in FILE\n"
		"  --help                  show this help\n"),
	.run = run,
};
