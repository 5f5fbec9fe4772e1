/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sealdrive key COMMAND: the key slots of a drive. */
#include "cli/key.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/group.h"
#include "cli/token.h"
#include "kernel-shim/filedev.h"

static const struct command *const commands[] = {
	&command_key_list,
	&command_key_add,
	&command_key_change,
	&command_key_remove,
	&command_key_test,
	&command_key_recovery,
	&command_key_enroll,
	&command_key_revoke,
	NULL,
};

static int run(int argc, char **argv)
{
	return group_run(&command_key, commands, argc, argv);
}

const struct command command_key = {
	.name = "key",
	.operands = N_("COMMAND TARGET"),
	.summary = N_("passphrases, keys and tokens that open a drive"),
	.options = "",
	.run = run,
};

/* ---- options ---- */

static const char *const priorities[] = {
	[LUKS2_PRIORITY_IGNORE] = "ignore",
	[LUKS2_PRIORITY_NORMAL] = "normal",
	[LUKS2_PRIORITY_HIGH] = "high",
};

const char *key_priority_word(enum luks2_priority priority)
{
	return priorities[priority];
}

static bool parse_slot(const struct command *command, const char *name, const char *text, int *ret_slot)
{
	uint64_t v;

	if (cli_parse_number(text, 0, LUKS2_KEYSLOTS_MAX - 1, &v) == 0) {
		*ret_slot = (int)v;
		return true;
	}
	cli_usage(command, _("--%s: '%s' is not a number from %u to %u"), name, text, 0u,
		LUKS2_KEYSLOTS_MAX - 1u);
	return false;
}

static bool parse_priority(const struct command *command, const char *text, int *ret_priority)
{
	for (size_t i = 0; i < ARRAY_SIZE(priorities); i++)
		if (strcmp(text, priorities[i]) == 0) {
			*ret_priority = (int)i;
			return true;
		}
	cli_usage(command, _("--priority: '%s' is none of ignore, normal, high"), text);
	return false;
}

static bool parse_shares(const struct command *command, const char *name, const char *text, int *ret_count)
{
	uint64_t v;

	if (cli_parse_number(text, 2, SHAMIR_SHARES_MAX, &v) == 0) {
		*ret_count = (int)v;
		return true;
	}
	cli_usage(command, _("--%s: '%s' is not a number from %u to %u"), name, text, 2u, (unsigned)SHAMIR_SHARES_MAX);
	return false;
}

/* One more of an option that is given for each holder of a share. */
static bool add_text(const struct command *command, const char *texts[SHAMIR_SHARES_MAX], int *count, const char *text)
{
	if (*count < SHAMIR_SHARES_MAX) {
		texts[(*count)++] = text;
		return true;
	}
	cli_usage(command, _("more than %d shares"), SHAMIR_SHARES_MAX);
	return false;
}

static bool parse_padding(const struct command *command, const char *text, enum pkcs11_paddings *ret_paddings)
{
	if (strcmp(text, "oaep") == 0) {
		*ret_paddings = PKCS11_OAEP_ONLY;
		return true;
	}
	if (strcmp(text, "pkcs1v15") == 0) {
		*ret_paddings = PKCS11_V15_ONLY;
		return true;
	}
	cli_usage(command, _("--padding is 'oaep' or 'pkcs1v15', not '%s'"), text);
	return false;
}

/* What is about tokens and shares. False: it is none of these; *ret_ok: it was right. */
static bool token_option(const struct command *command, int option, const char *value, struct key_args *args,
	bool *ret_ok)
{
	*ret_ok = true;
	switch (option) {
	case KEY_NEW_TOKEN:
		args->new_token = value;
		return true;
	case KEY_NEW_PIN_FILE:
		args->new_pin_file = value;
		return true;
	case KEY_AND_TOKEN:
		args->and_token = value;
		return true;
	case KEY_AND_PASSPHRASE:
		return args->and_passphrase = true;
	case KEY_SERIAL:
		args->serial = value;
		return true;
	case KEY_OWNER:
		args->owner = value;
		return true;
	case KEY_AND_SERIAL:
		args->and_serial = value;
		return true;
	case KEY_AND_OWNER:
		args->and_owner = value;
		return true;
	case KEY_EXPIRES:
		args->expires = value;
		return true;
	case KEY_PADDING:
		*ret_ok = parse_padding(command, value, &args->paddings);
		return true;
	case KEY_NO_PIN:
		return args->no_pin = true;
	case KEY_NO_TOUCH:
		return args->no_touch = true;
	case KEY_VERIFICATION:
		return args->verification = true;
	case KEY_SHARES:
		*ret_ok = parse_shares(command, "shares", value, &args->shares);
		return true;
	case KEY_THRESHOLD:
		*ret_ok = parse_shares(command, "threshold", value, &args->threshold);
		return true;
	case KEY_SHARE_OUT:
		args->share_folder = value;
		return true;
	case KEY_SHARE_FOR:
		*ret_ok = add_text(command, args->share_for, &args->share_for_count, value);
		return true;
	case KEY_SHARE_PIN_FILE:
		*ret_ok = add_text(command, args->share_pins, &args->share_pin_count, value);
		return true;
	default:
		return false;
	}
}

static bool take_option(const struct command *command, int option, const char *value, struct key_args *args)
{
	bool ok;

	switch (option) {
	case KEY_HEADER:
		args->header = value;
		return true;
	case KEY_PASSPHRASE_FILE:
		args->source.passphrase_file = value;
		return true;
	case KEY_KEY_FILE:
		args->source.key_file = value;
		return true;
	case KEY_NEW_PASSPHRASE_FILE:
		args->new_source.passphrase_file = value;
		return true;
	case KEY_NEW_KEY_FILE:
		args->new_source.key_file = value;
		return true;
	case KEY_SLOT:
		return parse_slot(command, "slot", value, &args->slot);
	case KEY_NEW_SLOT:
		return parse_slot(command, "new-slot", value, &args->new_slot);
	case KEY_PRIORITY:
		return parse_priority(command, value, &args->priority);
	case KEY_FORCE:
		return args->force = true;
	case KEY_ALLOW_WEAK:
		return args->allow_weak = true;
	case KEY_SHEET:
		args->sheet = value;
		return true;
	case KEY_OUTPUT:
		args->output = value;
		return true;
	case KEY_REPLACE:
		return args->replace = true;
	case KEY_JSON:
		return args->json = true;
	case KEY_ACCEPT_HEADER_CHANGE:
		return args->accept_header_change = true;
	default:
		if (token_option(command, option, value, args, &ok))
			return ok;
		if (cli_unlock_option(option, &args->source))
			return true;
		return kdf_option(command, option, value, &args->kdf, &ok) && ok;
	}
}

static bool one_source(const struct command *command, const struct cli_passphrase_source *source,
	const char *passphrase_option, const char *key_option)
{
	if (!source->passphrase_file || !source->key_file)
		return true;
	cli_usage(command, _("--%s and --%s exclude each other"), passphrase_option, key_option);
	return false;
}

static bool is_stdin(const char *path)
{
	return path && strcmp(path, "-") == 0;
}

/* What follows a line on standard input may be a second one, but nothing follows a whole key. */
static bool one_stdin(const struct command *command, const struct key_args *args)
{
	if (!is_stdin(args->source.key_file) ||
		(!is_stdin(args->new_source.passphrase_file) && !is_stdin(args->new_source.key_file)))
		return true;
	cli_usage(command, _("standard input cannot be the whole key and hold the new one too"));
	return false;
}

int key_parse(const struct command *command, int argc, char **argv, const struct option *options,
	struct key_args *args)
{
	int option;

	*args = (struct key_args){
		.kdf = KDF_OPTIONS_INIT, .slot = -1, .new_slot = -1, .priority = -1};
	while ((option = cli_getopt(command, argc, argv, options)) != -1) {
		if (option == KEY_HELP) {
			args->help = true;
			return cli_help(command);
		}
		if (option == '?' || !take_option(command, option, optarg, args))
			return EXIT_USAGE;
	}
	/* instead of all else, like --help */
	if (cli_token_is_list(args->new_token) || cli_token_is_list(args->source.token.uri)) {
		args->help = true;
		return cli_token_list(&args->source.token);
	}
	if (!one_source(command, &args->source, "passphrase-file", "key-file") ||
		!one_source(command, &args->new_source, "new-passphrase-file", "new-key-file") ||
		!one_stdin(command, args) || !cli_operands(command, argc, argv, 1, 1))
		return EXIT_USAGE;
	args->target = argv[optind];
	return EXIT_DONE;
}

/* ---- the drive ---- */

const char *key_path(const struct key_args *args)
{
	return args->header ? args->header : args->target;
}

/* Whoever takes a key away must not believe that the drive itself has lost it. */
static void warn_of_own_header(const struct key_args *args, struct blkdev *data)
{
	CLEANUP_LUKS2 struct luks2 *own = NULL;

	if (luks2_load(data, 0, &own, NULL) == 0)
		cli_warn(args->target, _("the drive has a header of its own, which stays as it is: only the header in the "
					 "file is changed"));
}

int key_drive_open(const struct key_args *args, bool change, struct key_drive *drive)
{
	CLEANUP_BLKDEV struct blkdev *data = NULL;
	struct diag *diag = &drive->diag;
	int r = 0;

	*drive = (struct key_drive){.args = args, .slot = -1};
	/* with a header elsewhere nothing is done to the drive, but its name should be right */
	if (args->header)
		r = filedev_open(args->target, FILEDEV_NO_LOCK, 0, &data, diag);
	if (r == 0) {
		r = filedev_open(key_path(args), change ? FILEDEV_HEADER : FILEDEV_NO_LOCK, 0, &drive->dev,
			diag);
		if (r < 0 && args->header)
			diag_set(diag, r, _("header file %s"), args->header);
	}
	if (r == 0)
		r = luks2_load(drive->dev, 0, &drive->hdr, diag);
	if (r < 0 && args->header && !diag->detail[0])
		diag_set(diag, r, _("header file %s"), args->header);
	if (r == 0 && change)
		r = luks2_check_changeable(drive->hdr, diag);
	if (r == 0 && change && data)
		warn_of_own_header(args, data);
	return r;
}

struct unlock {
	struct key_drive *drive;
	int slot;
};

static int unlock(void *ctx, const struct secret *passphrase, int slot, struct diag *diag)
{
	struct unlock *unlock = ctx;
	struct key_drive *drive = unlock->drive;
	CLEANUP_SECRET struct secret *key = NULL;
	drive->hdr->accept_change = drive->args->accept_header_change;
	int r = luks2_unlock(drive->hdr, drive->dev, passphrase,
		slot >= 0 ? slot : unlock->slot, &key, &drive->slot, diag);

	/* what tokens and shares give opens one key slot only */
	if (r == 0 && slot < 0)
		r = secret_new_copy(secret_data_const(passphrase), secret_len(passphrase), &drive->passphrase);
	if (r == 0)
		drive->volume_key = take_ptr(key);
	return r;
}

int key_drive_unlock(struct key_drive *drive, int slot)
{
	struct unlock ctx = {drive, slot};

	return cli_unlock(&drive->args->source, drive->args->target, drive->hdr, slot, unlock, &ctx, &drive->diag);
}

uint32_t key_find_same(const struct key_drive *drive, int id)
{
	uint32_t same = 0;

	if (!drive->passphrase || drive->slot != id || drive->hdr->keyslot_count < 2)
		return 0;
	if (isatty(STDERR_FILENO))
		fputs(_("Looking whether it opens another key slot. Please wait.\n"), stderr);
	for (int i = 0; i < drive->hdr->keyslot_count; i++) {
		CLEANUP_SECRET struct secret *key = NULL;
		int other = drive->hdr->keyslots[i].id;

		if (other != id && luks2_unlock(drive->hdr, drive->dev, drive->passphrase, other, &key, NULL, NULL) == 0)
			same |= UINT32_C(1) << other;
	}
	return same;
}

void key_warn_of_same(const struct key_drive *drive, uint32_t same)
{
	for (int id = 0; id < LUKS2_KEYSLOTS_MAX; id++)
		if (same & UINT32_C(1) << id)
			cli_warn(drive->args->target, _("the old key still opens the drive: key slot %d is set to the same one, and "
							"'sealdrive key remove --slot %d' removes it there"),
				id, id);
}

int key_drive_close(struct key_drive *drive, int err)
{
	int status = err < 0 ? cli_fail(drive->args->target, err, &drive->diag) : EXIT_DONE;

	secret_free(drive->volume_key);
	secret_free(drive->passphrase);
	luks2_free(drive->hdr);
	blkdev_close(drive->dev);
	return status;
}

bool key_may_be_stored(struct key_drive *drive, int new_slot)
{
	CLEANUP_LUKS2 struct luks2 *now = NULL;

	return luks2_load(drive->dev, 0, &now, NULL) < 0 || luks2_keyslot_by_id(now, new_slot);
}

int key_prepare_new(struct key_drive *drive, struct luks2_new_keyslot **ret_new,
	struct secret **ret_passphrase)
{
	const struct key_args *args = drive->args;
	CLEANUP_SECRET struct secret *passphrase = NULL;
	struct luks2_keyslot_params params = {
		.iter_time_ms = args->kdf.iter_time_ms,
		.weakest_bytes = args->kdf.weakest_bytes,
		.priority = args->priority < 0 ? LUKS2_PRIORITY_NORMAL : (enum luks2_priority)args->priority,
	};
	int r;

	/* its message was out when the command line was parsed */
	if (!kdf_options_combine(NULL, &args->kdf, &params.kdf, &params.kdf_default))
		return -SDE_USAGE;
	r = cli_read_new_passphrase(&args->new_source, args->target, drive->hdr->label, args->allow_weak,
		&passphrase, &drive->diag);
	if (r == -SDE_NO_TTY)
		return diag_set(&drive->diag, r, _("the new one can be read with --new-passphrase-file or --new-key-file"));
	if (r == 0)
		r = luks2_keyslot_prepare(drive->hdr, &params, passphrase, ret_new, &drive->diag);
	if (r == 0)
		*ret_passphrase = take_ptr(passphrase);
	return r;
}
