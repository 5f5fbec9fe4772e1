/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealdrive key revoke: a token that is lost, or whose owner has left, opens the drive no more. All its key
 * slots go in one change, with the objects that belong to them.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/key.h"
#include "keymgr/both.h"
#include "keymgr/custody.h"
#include "keymgr/token.h"
#include "token/pkcs11-uri.h"

static const struct option long_options[] = {
	KEY_COMMON_OPTIONS,
	KEY_OLD_OPTIONS,
	CLI_TOKEN_OPTION,
	{"serial", required_argument, NULL, KEY_SERIAL},
	{"force", no_argument, NULL, KEY_FORCE},
	{0},
};

/* As 'key list' shows it, which is where people read it. */
static bool same_serial(const char *stored, const char *wanted)
{
	CLEANUP_FREE char *shown = NULL;

	return strcmp(stored, wanted) == 0 ||
	       (text_sanitize(stored, strlen(stored), &shown) == 0 && strcmp(shown, wanted) == 0);
}

/* Whether the URI demands the card with that number. */
static bool demands_serial(const char *uri, const char *serial)
{
	char demanded[PKCS11_SERIAL_MAX];

	pkcs11_uri_serial(uri, demanded);
	return same_serial(demanded, serial);
}

/* The same of one of two that are needed together. */
static bool pair_demands_serial(const struct both *both, const char *serial)
{
	for (size_t i = 0; i < ARRAY_SIZE(both->parts); i++)
		if (both->parts[i].kind == TOKEN_PKCS11 && demands_serial(both->parts[i].pkcs11.uri, serial))
			return true;
	return false;
}

/* Whether token object number i is of the token of that serial number: because it was enrolled as such, or
 * because it demands the card with that number, whoever enrolled it. */
static bool names_serial(const struct luks2 *hdr, int i, const char *serial)
{
	struct token_pkcs11 card;
	struct custody custody;
	struct both both;

	if (custody_read(hdr, i, &custody))
		return same_serial(custody.serial, serial);
	if (both_read(hdr, hdr->tokens[i].id, &both, NULL) == 0)
		return pair_demands_serial(&both, serial);
	return token_read_pkcs11(hdr, hdr->tokens[i].id, &card, NULL) == 0 && demands_serial(card.uri, serial);
}

static uint32_t find_slots(const struct luks2 *hdr, const char *serial)
{
	uint32_t slots = 0;

	for (int i = 0; i < hdr->token_count; i++)
		if (names_serial(hdr, i, serial))
			slots |= hdr->tokens[i].keyslots;
	return slots;
}

/* Something else must be left that opens the drive. */
static int check_rest(struct key_drive *drive, uint32_t slots)
{
	const char *name = drive->hdr->label[0] ? drive->hdr->label : drive->hdr->uuid;

	if (luks2_keyslots_opening(drive->hdr, drive->dev, slots) > 0)
		return 0;
	if (!drive->args->force)
		return diag_set(&drive->diag, -SDE_LAST_SLOT, _("nothing but this token opens the drive"));
	return cli_confirm_by_typing(name,
		_("Nothing but this token opens %s. Without it everything on the drive is lost for good."),
		drive->args->target);
}

static int revoke_slots(struct key_drive *drive, uint32_t slots)
{
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;
	struct diag *diag = &drive->diag;
	int r = luks2_update_begin(drive->dev, drive->hdr, &update, diag);

	r = r < 0 ? r : token_forget(update, slots, diag);
	for (int id = 0; id < LUKS2_KEYSLOTS_MAX && r == 0; id++)
		if (slots >> id & 1)
			r = luks2_keyslot_remove(update, id, diag);
	return r < 0 ? r : luks2_update_commit(update, drive->volume_key, diag);
}

static void report(uint32_t slots)
{
	for (int id = 0; id < LUKS2_KEYSLOTS_MAX; id++)
		if (slots >> id & 1)
			cli_say_done(_("Key slot %d was removed.\n"), id);
	key_tell_remains();
}

static int run(int argc, char **argv)
{
	struct key_drive drive;
	struct key_args args;
	uint32_t slots = 0;
	int r = key_parse(&command_key_revoke, argc, argv, long_options, &args);

	if (r != EXIT_DONE || args.help)
		return r;
	/* the empty one would be that of every token that has none */
	if (!args.serial || !args.serial[0])
		return cli_usage(&command_key_revoke, _("--serial is missing; 'sealdrive key list' shows the numbers"));
	r = key_drive_open(&args, true, &drive);
	if (r == 0) {
		slots = find_slots(drive.hdr, args.serial);
		if (slots == 0)
			r = diag_set(&drive.diag, -SDE_SLOT, _("no key slot was given to a token with this serial number"));
	}
	if (r == 0)
		r = key_drive_unlock(&drive, -1);
	if (r == 0)
		r = check_rest(&drive, slots);
	if (r == 0)
		r = revoke_slots(&drive, slots);
	if (r == 0)
		report(slots);
	return key_drive_close(&drive, r);
}

const struct command command_key_revoke = {
	.name = "key revoke",
	.operands = N_("TARGET --serial NUMBER"),
	.summary = N_("remove everything that a lost token opens"),
	.options = N_("Asks for what else opens the drive. Removes all key slots of the token with that\n"
		      "number: the one that 'sealdrive key list' shows, or the one that a card itself\n"
		      "has. The drive may be mounted.\n"
		      "\n"
		      "Options:\n"
		      "  --serial NUMBER         the token's serial number\n"
		      "  --passphrase-file FILE  read a passphrase from the first line of FILE;\n"
		      "                          - is standard input\n"
		      "  --key-file FILE         use the whole FILE as the key\n"
		      "  --token [TOKEN]         open it with another token\n"
		      "  --pin-file FILE         read that token's PIN from the first line of FILE\n"
		      "  --share FILE            open it with shares of a key: once for each of them\n"
		      "  --force                 also when nothing else opens the drive (asks)\n"
		      "  --header FILE           the drive's LUKS header is in FILE\n"
		      "  --help                  show this help\n"),
	.run = run,
};
