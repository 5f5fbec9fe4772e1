/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealdrive key enroll: a smart card or security key opens the drive.
 *
 * The token has unwrapped its own secret before a key slot is made for it, and the key slot has been opened
 * with that before the header names it.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/text.h"
#include "cli/enroll.h"
#include "keymgr/custody.h"
#include "keymgr/token.h"

static const struct option long_options[] = {
	KEY_COMMON_OPTIONS,
	{"pin-file", required_argument, NULL, KEY_NEW_PIN_FILE}, /* before that of KEY_OLD_OPTIONS */
	KEY_OLD_OPTIONS,
	{"token", required_argument, NULL, KEY_NEW_TOKEN},
	{"and-token", required_argument, NULL, KEY_AND_TOKEN},
	{"and-passphrase", no_argument, NULL, KEY_AND_PASSPHRASE},
	{"new-passphrase-file", required_argument, NULL, KEY_NEW_PASSPHRASE_FILE},
	{"allow-weak", no_argument, NULL, KEY_ALLOW_WEAK},
	{"owner", required_argument, NULL, KEY_OWNER},
	{"serial", required_argument, NULL, KEY_SERIAL},
	{"and-owner", required_argument, NULL, KEY_AND_OWNER},
	{"and-serial", required_argument, NULL, KEY_AND_SERIAL},
	{"expires", required_argument, NULL, KEY_EXPIRES},
	{"padding", required_argument, NULL, KEY_PADDING},
	{"no-pin", no_argument, NULL, KEY_NO_PIN},
	{"no-touch", no_argument, NULL, KEY_NO_TOUCH},
	{"user-verification", no_argument, NULL, KEY_VERIFICATION},
	{"new-slot", required_argument, NULL, KEY_NEW_SLOT},
	{"priority", required_argument, NULL, KEY_PRIORITY},
	{0},
};

/* One token, or the first of two. */
struct enrolment {
	struct enrolled tokens[2];
	unsigned token_count;
	bool both; /* two things together: parts and salt */
	struct both object;
};

static int token_text(const struct enrolment *enrolment, int slot, char **ret_text)
{
	const struct enrolled *first = &enrolment->tokens[0];

	if (enrolment->both)
		return both_write(&enrolment->object, slot, ret_text);
	return first->fido2 ? token_write_fido2(&first->key.token, slot, ret_text)
			    : token_write_pkcs11(&first->card.token, slot, ret_text);
}

static void today(char text[CUSTODY_DATE_MAX])
{
	time_t now = time(NULL);
	struct tm tm;

	text[0] = '\0';
	if (gmtime_r(&now, &tm))
		strftime(text, CUSTODY_DATE_MAX, "%Y-%m-%d", &tm);
}

/* What the token says of itself, and what the command line adds; security keys have no number that
 * programs can read. */
static void fill_custody(const struct key_args *args, const struct enrolled *enrolled, bool second, struct custody *custody)
{
	const char *owner = second ? args->and_owner : args->owner, *serial = second ? args->and_serial : args->serial;
	const struct pkcs11_enrolled *card = &enrolled->card;

	*custody = (struct custody){0};
	text_cut(owner ? owner : "", custody->owner, sizeof(custody->owner));
	text_cut(serial ? serial : enrolled->fido2 ? "" : card->serial, custody->serial, sizeof(custody->serial));
	text_cut(enrolled_name(enrolled), custody->label, sizeof(custody->label));
	text_cut(enrolled->fido2 ? "" : card->model, custody->model, sizeof(custody->model));
	text_cut(args->expires ? args->expires : "", custody->expires, sizeof(custody->expires));
	today(custody->enrolled);
}

static int put_custody(struct luks2_update *update, const struct key_args *args, const struct enrolment *enrolment,
	unsigned i, int slot, struct diag *diag)
{
	CLEANUP_FREE char *note = NULL;
	struct custody custody;
	int id, r;

	fill_custody(args, &enrolment->tokens[i], i > 0, &custody);
	r = custody_write(&custody, slot, &note);
	return r < 0 ? r : luks2_token_put(update, -1, note, &id, diag);
}

/* The token object, and a note of who has each token. */
static int put_objects(struct luks2_update *update, const struct key_args *args, const struct enrolment *enrolment,
	int slot, struct diag *diag)
{
	CLEANUP_FREE char *token = NULL;
	int id, r = token_text(enrolment, slot, &token);

	r = r < 0 ? r : luks2_token_put(update, -1, token, &id, diag);
	for (unsigned i = 0; i < enrolment->token_count && r == 0; i++)
		r = put_custody(update, args, enrolment, i, slot, diag);
	return r;
}

/* Whoever has the token needs only to guess the passphrase that belongs to it: slow, as for one alone. */
static bool is_guessable(const struct enrolment *enrolment)
{
	return enrolment->both && enrolment->token_count == 1;
}

static int store(struct key_drive *drive, const struct enrolment *enrolment, const struct secret *passphrase,
	int *ret_id)
{
	/* What tokens give has more entropy than any guessing covers: systemd's cost, so that its tools
	 * are as fast (SP 800-132 section 5.2). */
	const struct luks2_keyslot_params params = {
		.kdf = {.type = LUKS2_KDF_PBKDF2, .hash = "sha512", .iterations = 1000},
		.kdf_default = is_guessable(enrolment),
		.priority = drive->args->priority < 0 ? LUKS2_PRIORITY_NORMAL
						      : (enum luks2_priority)drive->args->priority,
	};
	CLEANUP_LUKS2_NEW_KEYSLOT struct luks2_new_keyslot *new = NULL;
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;
	struct diag *diag = &drive->diag;
	int r = luks2_keyslot_prepare(drive->hdr, &params, passphrase, &new, diag);

	r = r < 0 ? r : luks2_update_begin(drive->dev, drive->hdr, &update, diag);
	r = r < 0 ? r : luks2_keyslot_add(update, new, passphrase, drive->volume_key, drive->args->new_slot, ret_id, diag);
	r = r < 0 ? r : put_objects(update, drive->args, enrolment, *ret_id, diag);
	return r < 0 ? r : luks2_update_commit(update, drive->volume_key, diag);
}

static void report(const struct key_drive *drive, const struct enrolment *enrolment, int id)
{
	CLEANUP_FREE char *safe = NULL, *second = NULL;
	const char *name = enrolled_name(&enrolment->tokens[0]), *other = enrolled_name(&enrolment->tokens[1]);

	if (text_sanitize(name, strlen(name), &safe) < 0 || text_sanitize(other, strlen(other), &second) < 0)
		return;
	if (enrolment->token_count > 1)
		cli_say_done(_("'%s' and '%s' open the drive together now, in key slot %d.\n"), safe, second, id);
	else if (enrolment->both)
		cli_say_done(_("'%s' and the passphrase open the drive together now, in key slot %d.\n"), safe, id);
	else
		cli_say_done(_("'%s' opens the drive now, in key slot %d.\n"), safe, id);
	for (unsigned i = 0; i < enrolment->token_count; i++) {
		const struct enrolled *enrolled = &enrolment->tokens[i];

		if (!enrolled->fido2 && !enrolled->card.ec && enrolled->card.token.padding == TOKEN_PKCS1V15)
			cli_warn(drive->args->target,
				_("the key is wrapped with RSA PKCS #1 v1.5, which is out of date and which policies forbid: "
				  "prefer a token with an EC key, or one that can do OAEP"));
	}
}

/* Both key slots would have to be revoked. */
static void warn_of_another(const struct key_drive *drive, const struct enrolled *enrolled)
{
	for (int i = 0; i < drive->hdr->token_count && !enrolled->fido2; i++) {
		const struct luks2_token *token = &drive->hdr->tokens[i];
		struct token_pkcs11 card;

		if (!token->keyslots || token_read_pkcs11(drive->hdr, token->id, &card, NULL) < 0 ||
			strcmp(card.uri, enrolled->card.token.uri) != 0)
			continue;
		cli_warn(drive->args->target, _("this key of the card opens the drive already, in key slot %d"),
			ffs((int)token->keyslots) - 1);
		return;
	}
}

/* Its PIN is not that of a token which opens the drive. */
static struct cli_token_options options_of(const struct key_args *args)
{
	return (struct cli_token_options){.pin_file = args->new_pin_file, .module = args->source.token.module, .wanted = true};
}

static int enroll_second(struct key_drive *drive, struct enrolment *enrolment, struct secret **ret_secret)
{
	struct enroll_request request = {
		.args = drive->args,
		.hdr = drive->hdr,
		.uri = drive->args->and_token,
		.options = options_of(drive->args),
		.others = enrolment->tokens,
		.other_count = 1,
		.wait = _("Plug in the second token, then press Enter: "),
	};
	int r;

	if (drive->args->source.token.and_pin_file)
		request.options.pin_file = drive->args->source.token.and_pin_file;
	r = enroll_token(&request, &enrolment->tokens[1], ret_secret, &drive->diag);
	if (r == 0)
		enrolment->token_count = 2;
	return r;
}

/* What opens the key slot: what the token gave, or that with something else. */
static int combine(struct key_drive *drive, struct enrolment *enrolment, struct secret **secret)
{
	const struct key_args *args = drive->args;
	CLEANUP_SECRET struct secret *second = NULL, *passphrase = NULL;
	int r;

	if (!enrolment->both)
		return 0;
	if (args->and_token)
		r = enroll_second(drive, enrolment, &second);
	else
		r = cli_read_new_passphrase(&args->new_source, args->target, drive->hdr->label, args->allow_weak, &second,
			&drive->diag);
	if (r == 0)
		r = both_new_salt(enrolment->object.salt);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < enrolment->token_count; i++)
		enrolled_part(&enrolment->tokens[i], &enrolment->object.parts[i]);
	r = both_combine(enrolment->object.salt, *secret, second, &passphrase);
	if (r == 0) {
		secret_free(*secret);
		*secret = take_ptr(passphrase);
	}
	return r;
}

static int enroll(struct key_drive *drive, int *ret_id)
{
	const struct key_args *args = drive->args;
	CLEANUP_SECRET struct secret *passphrase = NULL;
	const struct enroll_request request = {
		.args = args, .hdr = drive->hdr, .uri = args->new_token, .options = options_of(args)};
	struct enrolment enrolment = {.token_count = 1, .both = args->and_token || args->and_passphrase};
	int r = enroll_token(&request, &enrolment.tokens[0], &passphrase, &drive->diag);

	if (r == 0 && !enrolment.both)
		warn_of_another(drive, &enrolment.tokens[0]);
	r = r < 0 ? r : combine(drive, &enrolment, &passphrase);
	r = r < 0 ? r : store(drive, &enrolment, passphrase, ret_id);
	if (r == 0)
		report(drive, &enrolment, *ret_id);
	return r;
}

static int check_expires(const char *expires)
{
	char now[CUSTODY_DATE_MAX];

	today(now);
	if (!text_is_date(expires))
		return cli_usage(&command_key_enroll, _("--expires is a day as YYYY-MM-DD, not '%s'"), expires);
	if (strcmp(expires, now) < 0)
		return cli_usage(&command_key_enroll, _("--expires: the day %s has passed"), expires);
	return EXIT_DONE;
}

/* What is meant for the other kind would be left out without a word: a card that is thought to need no PIN. */
static int check_kind(const struct key_args *args)
{
	if (!enroll_is_card(args->new_token) && !enroll_is_card(args->and_token) && args->paddings != PKCS11_ANY_PADDING)
		return cli_usage(&command_key_enroll, _("--padding is for cards, not for security keys"));
	if (!enroll_is_fido2(args->new_token) && !enroll_is_fido2(args->and_token) &&
		(args->no_pin || args->no_touch || args->verification))
		return cli_usage(&command_key_enroll,
			_("--no-pin, --no-touch and --user-verification are for security keys, not for cards"));
	return EXIT_DONE;
}

static bool is_too_long(const char *note)
{
	return note && strlen(note) >= CUSTODY_TEXT_MAX;
}

static int check_token(const struct key_args *args)
{
	int r;

	if (!args->new_token)
		return cli_usage(&command_key_enroll, _("--token is missing: 'pkcs11:...' or 'fido2'"));
	r = enroll_check_token(&command_key_enroll, "--token", args->new_token);
	if (r == EXIT_DONE && args->and_token)
		r = enroll_check_token(&command_key_enroll, "--and-token", args->and_token);
	if (r != EXIT_DONE)
		return r;
	if (args->and_token && args->and_passphrase)
		return cli_usage(&command_key_enroll, _("--and-token and --and-passphrase exclude each other"));
	if (args->new_source.passphrase_file && !args->and_passphrase)
		return cli_usage(&command_key_enroll, _("--new-passphrase-file goes with --and-passphrase only"));
	if ((args->and_owner || args->and_serial) && !args->and_token)
		return cli_usage(&command_key_enroll, _("--and-owner and --and-serial go with --and-token only"));
	if (is_too_long(args->owner) || is_too_long(args->serial) || is_too_long(args->and_owner) ||
		is_too_long(args->and_serial))
		return cli_usage(&command_key_enroll, _("--owner and --serial take at most %d bytes"), CUSTODY_TEXT_MAX - 1);
	r = args->expires ? check_expires(args->expires) : EXIT_DONE;
	return r != EXIT_DONE ? r : check_kind(args);
}

static int run(int argc, char **argv)
{
	struct key_drive drive;
	struct key_args args;
	int id = -1, r = key_parse(&command_key_enroll, argc, argv, long_options, &args);

	if (r != EXIT_DONE || args.help)
		return r;
	r = check_token(&args);
	if (r != EXIT_DONE)
		return r;
	r = key_drive_open(&args, true, &drive);
	if (r == 0)
		r = luks2_keyslot_check_free(drive.hdr, args.new_slot, &drive.diag);
	if (r == 0)
		r = key_drive_unlock(&drive, -1);
	if (r == 0)
		r = enroll(&drive, &id);
	return key_drive_close(&drive, r);
}

const struct command command_key_enroll = {
	.name = "key enroll",
	.operands = N_("TARGET --token TOKEN"),
	.summary = N_("let a smart card or security key open the drive"),
	.options = N_("TOKEN is fido2 (the security key that is plugged in) or a PKCS #11 URI such as\n"
		      "'pkcs11:token=Officer;id=%01' ('p11tool --list-all' shows them). Asks for what\n"
		      "opens the drive, then for the token's PIN. The drive may be mounted.\n"
		      "--token list shows the tokens that are plugged in.\n"
		      "\n"
		      "Options:\n"
		      "  --token TOKEN           the token\n"
		      "  --and-token TOKEN       another token that is needed as well, at the same time\n"
		      "  --and-passphrase        a new passphrase is needed as well\n"
		      "  --owner TEXT            who is given it (anybody can read this on the drive)\n"
		      "  --serial NUMBER         what it is known by (default: what a card says)\n"
		      "  --and-owner TEXT, --and-serial NUMBER\n"
		      "                          the same of the other token\n"
		      "  --expires YYYY-MM-DD    when it should be replaced\n"
		      "  --passphrase-file FILE  read the existing passphrase from the first line of\n"
		      "                          FILE; - is standard input\n"
		      "  --key-file FILE         use the whole FILE as the existing key\n"
		      "  --pin-file FILE         read the token's PIN from the first line of FILE\n"
		      "  --and-pin-file FILE     the same for the second token\n"
		      "  --new-passphrase-file FILE\n"
		      "                          read the passphrase of --and-passphrase from FILE\n"
		      "  --allow-weak            take one that is easy to guess\n"
		      "  --no-pin                security key: do not ask for its PIN\n"
		      "  --no-touch              security key: it need not be touched\n"
		      "  --user-verification     security key: it recognises its user (fingerprint)\n"
		      "  --padding WAY           RSA: oaep, or pkcs1v15 for computers with systemd\n"
		      "                          before 261 (default: oaep where the token can)\n"
		      "  --no-token              do not open it with a token\n"
		      "  --pkcs11-module FILE    use this module for cards, not those of the system\n"
		      "  --new-slot N            number of the new key slot (default: the first free)\n"
		      "  --priority PRIORITY     high: tried first; normal; ignore: only when named\n"
		      "  --header FILE           the drive's LUKS header is in FILE\n"
		      "  --help                  show this help\n"),
	.run = run,
};
