/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealdrive key recovery: a random key for the safe. It is on the screen or on the disk before it
 * opens the drive, and opens nothing when it could not be put there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "cli/key.h"
#include "cli/newfile.h"
#include "cli/reveal.h"
#include "cli/sheet.h"
#include "cli/terminal.h"
#include "keymgr/recovery.h"

static const struct option long_options[] = {
	KEY_COMMON_OPTIONS,
	KEY_OLD_OPTIONS,
	{"sheet", required_argument, NULL, KEY_SHEET},
	{"output", required_argument, NULL, KEY_OUTPUT},
	{"replace", no_argument, NULL, KEY_REPLACE},
	{"new-slot", required_argument, NULL, KEY_NEW_SLOT},
	{0},
};

static const char *const sheet_lines[] = {
	N_("This key opens the drive when nobody knows its passphrase any more. Type it where the"),
	N_("passphrase is asked for. Capitals or small letters, dashes or none: all the same."),
	N_("Whoever has this sheet can read everything on the drive: keep it in a sealed envelope"),
	N_("in a safe, never together with the drive."),
	N_("When it has been used or may have been seen: sealdrive key recovery --replace"),
	NULL,
};

/* Where the key goes. */
struct outputs {
	struct newfile sheet, key;
	int tty; /* -1: not shown */
};
#define OUTPUTS_NONE {NEWFILE_NONE, NEWFILE_NONE, -1}

static void outputs_clear(struct outputs *outputs)
{
	newfile_discard(&outputs->sheet);
	newfile_discard(&outputs->key);
	cleanup_fd(&outputs->tty);
}

static int find_terminal(const struct key_args *args, struct outputs *outputs, struct diag *diag)
{
	if (args->sheet || args->output || terminal_open(&outputs->tty) == 0)
		return 0;
	return diag_set(diag, -SDE_USAGE, _("without a terminal the key needs --sheet or --output"));
}

/* Late, so that whoever goes away while a passphrase is asked for leaves no empty file. */
static int make_files(const struct key_args *args, struct outputs *outputs, struct diag *diag)
{
	int r = 0;

	if (args->sheet)
		r = newfile_open(args->sheet, &outputs->sheet, diag);
	if (r == 0 && args->output)
		r = newfile_open(args->output, &outputs->key, diag);
	return r;
}

/* Nothing is on the drive yet: whoever goes away now leaves a key that opens nothing. */
static int show(int fd, const char *target, const struct secret *key, struct diag *diag)
{
	CLEANUP_FREE char *safe = NULL, *head = NULL;
	int r = text_sanitize(target, strlen(target), &safe);

	if (r < 0)
		return r;
	if (asprintf(&head, _("The recovery key of %s, which is shown only now:"), safe) < 0) {
		head = NULL;
		return -ENOMEM;
	}
	r = reveal_on_terminal(fd, head, key);
	return r < 0 ? diag_set(diag, r, _("the recovery key was not stored")) : 0;
}

/* ---- in files ---- */

static int write_sheet(const struct key_drive *drive, const struct secret *key, int slot,
	struct newfile *file, struct diag *diag)
{
	char date[16] = "-", slot_text[16];
	time_t now = time(NULL);
	struct tm local;
	struct sheet sheet = {
		.title = _("Recovery key"),
		.fields = {{_("Drive"), drive->hdr->label[0] ? drive->hdr->label : "-"},
			{"UUID", drive->hdr->uuid}, {_("Key slot"), slot_text}, {_("Date"), date}},
		.field_count = 4,
		.key = key,
		.lines = sheet_lines,
	};
	CLEANUP_SECRET struct secret *text = NULL;

	snprintf(slot_text, sizeof(slot_text), "%d", slot);
	if (localtime_r(&now, &local))
		strftime(date, sizeof(date), "%Y-%m-%d", &local);
	int r = sheet_render(&sheet, file->path, &text);

	if (r == 0)
		r = newfile_write(file, secret_data(text), secret_len(text), diag);
	return r < 0 ? r : newfile_sync(file, diag);
}

static int write_files(const struct key_drive *drive, const struct secret *key, int slot,
	struct outputs *outputs, struct diag *diag)
{
	int r = 0;

	if (outputs->sheet.path)
		r = write_sheet(drive, key, slot, &outputs->sheet, diag);
	if (r == 0 && outputs->key.path)
		r = newfile_write(&outputs->key, secret_data_const(key), secret_len(key), diag);
	if (r == 0 && outputs->key.path)
		r = newfile_write(&outputs->key, "\n", 1, diag);
	if (r == 0 && outputs->key.path)
		r = newfile_sync(&outputs->key, diag);
	return r;
}

static void keep_files(struct outputs *outputs)
{
	newfile_keep(&outputs->sheet);
	newfile_keep(&outputs->key);
}

/* ---- on the drive ---- */

/* Key slots of recovery keys: of tokens that name one slot each. Also the one that was just used: it is out of its
 * envelope, and that is what it is replaced for. */
static uint32_t older_slots(const struct key_drive *drive)
{
	uint32_t slots = 0;

	for (int i = 0; i < drive->hdr->token_count; i++) {
		const struct luks2_token *token = &drive->hdr->tokens[i];

		if (!strcmp(token->type, RECOVERY_TOKEN_TYPE) && __builtin_popcount(token->keyslots) == 1)
			slots |= token->keyslots;
	}
	return slots;
}

static int remove_older(struct key_drive *drive, struct luks2_update *update)
{
	uint32_t slots = older_slots(drive);
	int r = 0;

	for (int i = 0; i < drive->hdr->token_count && r == 0; i++) {
		const struct luks2_token *token = &drive->hdr->tokens[i];

		if (!strcmp(token->type, RECOVERY_TOKEN_TYPE) && token->keyslots & slots)
			r = luks2_token_remove(update, token->id, &drive->diag);
	}
	for (int id = 0; id < LUKS2_KEYSLOTS_MAX && r == 0; id++)
		if (slots >> id & 1)
			r = luks2_keyslot_remove(update, id, &drive->diag);
	return r;
}

static int put_token(struct luks2_update *update, int slot, struct diag *diag)
{
	char text[96];
	int id;

	snprintf(text, sizeof(text), "{\"type\":\"" RECOVERY_TOKEN_TYPE "\",\"keyslots\":[\"%d\"]}", slot);
	return luks2_token_put(update, -1, text, &id, diag);
}

/* 256 random bits need no slow derivation: the cheapest that is allowed, as systemd has it. */
static const struct luks2_keyslot_params params = {
	.kdf = {.type = LUKS2_KDF_PBKDF2, .hash = "sha512", .iterations = 1000},
	.priority = LUKS2_PRIORITY_NORMAL,
};

/* The files are on the disk. They stay when their key slot is on the drive, or may be. */
static int commit(struct key_drive *drive, struct outputs *outputs, int slot, struct luks2_update *update)
{
	int r = luks2_update_commit(update, drive->volume_key, &drive->diag);

	if (r == 0) {
		keep_files(outputs);
	} else if (outputs->tty < 0 && key_may_be_stored(drive, slot)) {
		keep_files(outputs);
		cli_warn(drive->args->target, _("the recovery key stays in its file, because the drive may have its key slot, %d: "
						"'sealdrive key test' shows whether it opens the drive"),
			slot);
	}
	return r;
}

static int enrol(struct key_drive *drive, struct outputs *outputs, int *ret_slot)
{
	CLEANUP_LUKS2_NEW_KEYSLOT struct luks2_new_keyslot *new = NULL;
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;
	CLEANUP_SECRET struct secret *key = NULL;
	struct diag *diag = &drive->diag;
	int r = recovery_make(&key);

	if (r == 0 && outputs->tty >= 0)
		r = show(outputs->tty, drive->args->target, key, diag);
	if (r == 0)
		r = luks2_keyslot_prepare(drive->hdr, &params, key, &new, diag);
	if (r == 0)
		r = luks2_update_begin(drive->dev, drive->hdr, &update, diag);
	if (r == 0)
		r = luks2_keyslot_add(update, new, key, drive->volume_key, drive->args->new_slot, ret_slot, diag);
	if (r == 0 && drive->args->replace)
		r = remove_older(drive, update);
	if (r == 0)
		r = put_token(update, *ret_slot, diag);
	if (r == 0)
		r = write_files(drive, key, *ret_slot, outputs, diag);
	return r < 0 ? r : commit(drive, outputs, *ret_slot, update);
}

static int run(int argc, char **argv)
{
	CLEANUP(outputs_clear) struct outputs outputs = OUTPUTS_NONE;
	struct key_drive drive;
	struct key_args args;
	uint32_t older = 0;
	int slot = -1, r = key_parse(&command_key_recovery, argc, argv, long_options, &args);

	if (r != EXIT_DONE || args.help)
		return r;
	r = key_drive_open(&args, true, &drive);
	if (r == 0)
		r = luks2_keyslot_check_free(drive.hdr, args.new_slot, &drive.diag);
	if (r == 0)
		r = find_terminal(&args, &outputs, &drive.diag);
	if (r == 0)
		r = key_drive_unlock(&drive, -1);
	if (r == 0)
		r = make_files(&args, &outputs, &drive.diag);
	if (r == 0) {
		older = older_slots(&drive);
		r = enrol(&drive, &outputs, &slot);
	}
	if (r == 0)
		cli_say_done(_("The recovery key opens the drive, in key slot %d.\n"), slot);
	if (r == 0 && older && !args.replace)
		cli_warn(args.target, _("an older recovery key opens it, too; --replace removes such keys"));
	return key_drive_close(&drive, r);
}

const struct command command_key_recovery = {
	.name = "key recovery",
	.operands = N_("TARGET"),
	.summary = N_("add a random key to be kept in a safe"),
	.options = N_("Asks for a passphrase that opens the drive. The key is shown once on the terminal, or\n"
		      "written to new files for their owner alone. It is typed in place of a passphrase, in\n"
		      "capitals or small letters, with or without dashes. The drive may be mounted.\n"
		      "\n"
		      "Options:\n"
		      "  --sheet FILE            write a sheet to print: a page with a QR code when FILE ends\n"
		      "                          with .svg, else text\n"
		      "  --output FILE           write the key alone\n"
		      "  --replace               remove older recovery keys at the same moment\n"
		      "  --new-slot N            number of the key slot (default: the first free)\n"
		      "  --passphrase-file FILE  read the passphrase from the first line of FILE;\n"
		      "                          - is standard input\n"
		      "  --key-file FILE         use the whole FILE as the key\n"
		      "  --header FILE           the drive's LUKS header is in FILE\n"
		      "  --help                  show this help\n"),
	.run = run,
};
