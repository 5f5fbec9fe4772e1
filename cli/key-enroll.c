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
#include "cli/key.h"
#include "cli/token.h"
#include "keymgr/custody.h"
#include "keymgr/token.h"
#include "token/fido2.h"
#include "token/helper.h"
#include "token/pkcs11-unlock.h"

static const struct option long_options[] = {
	KEY_COMMON_OPTIONS,
	{"pin-file", required_argument, NULL, KEY_NEW_PIN_FILE}, /* before that of KEY_OLD_OPTIONS */
	KEY_OLD_OPTIONS,
	{"token", required_argument, NULL, KEY_NEW_TOKEN},
	{"owner", required_argument, NULL, KEY_OWNER},
	{"serial", required_argument, NULL, KEY_SERIAL},
	{"expires", required_argument, NULL, KEY_EXPIRES},
	{"padding", required_argument, NULL, KEY_PADDING},
	{"no-pin", no_argument, NULL, KEY_NO_PIN},
	{"no-touch", no_argument, NULL, KEY_NO_TOUCH},
	{"user-verification", no_argument, NULL, KEY_VERIFICATION},
	{"new-slot", required_argument, NULL, KEY_NEW_SLOT},
	{"priority", required_argument, NULL, KEY_PRIORITY},
	{0},
};

/* What comes back from the helper. */
struct enrolled {
	bool fido2;
	struct pkcs11_enrolled card;
	struct fido2_enrolled key;
};

struct request {
	const struct key_args *args;
	const struct luks2 *hdr;
};

static int enroll_card(const struct request *request, const struct token_ui *ui, struct enrolled *enrolled,
	struct secret **ret_secret, struct diag *diag)
{
	CLEANUP_PKCS11_MODULES struct pkcs11_modules *modules = NULL;
	CLEANUP_PKCS11_URI P11KitUri *uri = NULL;
	const struct key_args *args = request->args;
	int r = pkcs11_load(args->source.token.module, &modules, diag);

	r = r < 0 ? r : pkcs11_uri_parse(args->new_token, &uri, diag);
	return r < 0 ? r : pkcs11_enroll(modules, uri, args->paddings, ui, &enrolled->card, ret_secret, diag);
}

static int enroll_in_helper(void *ctx, struct secret **ret_secret, void *data, size_t room, size_t *ret_len,
	struct diag *diag)
{
	const struct request *request = ctx;
	const struct key_args *args = request->args;
	const struct cli_token_options options = {.pin_file = args->new_pin_file, .wanted = true};
	const struct token_ui ui = cli_token_ui(&options);
	struct enrolled *enrolled = data;
	const struct fido2_params params = {
		.no_pin = args->no_pin,
		.no_touch = args->no_touch,
		.verification = args->verification,
		.user = request->hdr->uuid,
		.drive = request->hdr->label[0] ? request->hdr->label : request->hdr->uuid,
	};

	*ret_len = sizeof(*enrolled);
	enrolled->fido2 = strcmp(args->new_token, "fido2") == 0;
	return enrolled->fido2 ? fido2_enroll(&params, &ui, &enrolled->key, ret_secret, diag)
			       : enroll_card(request, &ui, enrolled, ret_secret, diag);
}

static int token_text(const struct enrolled *enrolled, int slot, char **ret_text)
{
	return enrolled->fido2 ? token_write_fido2(&enrolled->key.token, slot, ret_text)
			       : token_write_pkcs11(&enrolled->card.token, slot, ret_text);
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
static void fill_custody(const struct key_args *args, const struct enrolled *enrolled, struct custody *custody)
{
	const struct pkcs11_enrolled *card = &enrolled->card;

	*custody = (struct custody){0};
	text_cut(args->owner ? args->owner : "", custody->owner, sizeof(custody->owner));
	text_cut(args->serial ? args->serial : enrolled->fido2 ? "" : card->serial, custody->serial, sizeof(custody->serial));
	text_cut(enrolled->fido2 ? enrolled->key.name : card->label, custody->label, sizeof(custody->label));
	text_cut(enrolled->fido2 ? "" : card->model, custody->model, sizeof(custody->model));
	text_cut(args->expires ? args->expires : "", custody->expires, sizeof(custody->expires));
	today(custody->enrolled);
}

static int put_objects(struct luks2_update *update, const struct key_args *args, const struct enrolled *enrolled,
	int slot, struct diag *diag)
{
	CLEANUP_FREE char *token = NULL, *note = NULL;
	struct custody custody;
	int id, r = token_text(enrolled, slot, &token);

	fill_custody(args, enrolled, &custody);
	r = r < 0 ? r : custody_write(&custody, slot, &note);
	r = r < 0 ? r : luks2_token_put(update, -1, token, &id, diag);
	return r < 0 ? r : luks2_token_put(update, -1, note, &id, diag);
}

static int store(struct key_drive *drive, const struct enrolled *enrolled, const struct secret *passphrase,
	int *ret_id)
{
	/* The passphrase has more entropy than any guessing covers: systemd's cost, so that its tools
	 * are as fast (SP 800-132 section 5.2). */
	const struct luks2_keyslot_params params = {
		.kdf = {.type = LUKS2_KDF_PBKDF2, .hash = "sha512", .iterations = 1000},
		.priority = drive->args->priority < 0 ? LUKS2_PRIORITY_NORMAL
						      : (enum luks2_priority)drive->args->priority,
	};
	CLEANUP_LUKS2_NEW_KEYSLOT struct luks2_new_keyslot *new = NULL;
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;
	struct diag *diag = &drive->diag;
	int r = luks2_keyslot_prepare(drive->hdr, &params, passphrase, &new, diag);

	r = r < 0 ? r : luks2_update_begin(drive->dev, drive->hdr, &update, diag);
	r = r < 0 ? r : luks2_keyslot_add(update, new, passphrase, drive->volume_key, drive->args->new_slot, ret_id, diag);
	r = r < 0 ? r : put_objects(update, drive->args, enrolled, *ret_id, diag);
	return r < 0 ? r : luks2_update_commit(update, drive->volume_key, diag);
}

static void report(const struct key_drive *drive, const struct enrolled *enrolled, int id)
{
	CLEANUP_FREE char *safe = NULL;
	const char *name = enrolled->fido2 ? enrolled->key.name : enrolled->card.label;

	if (text_sanitize(name, strlen(name), &safe) < 0)
		return;
	cli_say_done(_("'%s' opens the drive now, in key slot %d.\n"), safe, id);
	if (!enrolled->fido2 && !enrolled->card.ec && enrolled->card.token.padding == TOKEN_PKCS1V15)
		cli_warn(drive->args->target,
			_("the key is wrapped with RSA PKCS #1 v1.5, which is out of date and which policies forbid: "
			  "prefer a token with an EC key, or one that can do OAEP"));
}

/* base64 of 32 bytes, the least that any token gives: with less, the key slot would be too cheap to guess. */
enum { PASSPHRASE_CHARS_MIN = 44 };

/* A module may have done anything to the process that this comes from. */
static bool credible(const struct enrolled *enrolled, const struct secret *passphrase, const struct key_args *args)
{
	uint8_t fido2;

	memcpy(&fido2, &enrolled->fido2, sizeof(fido2));
	if (fido2 > 1 || !passphrase || secret_len(passphrase) < PASSPHRASE_CHARS_MIN)
		return false;
	return enrolled->fido2 == (strcmp(args->new_token, "fido2") == 0) &&
	       (enrolled->fido2 ? fido2_enrolled_valid(&enrolled->key) : pkcs11_enrolled_valid(&enrolled->card));
}

/* There is nothing yet that a token could open. */
static int not_enrolled(int err, struct diag *diag)
{
	if (err == -SDE_NO_TOKEN)
		return diag_set(diag, -SDE_ENROLL, _("no card that --token describes is plugged in"));
	return err == -SDE_TOKEN ? -SDE_ENROLL : err;
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

static int enroll(struct key_drive *drive, int *ret_id)
{
	CLEANUP_SECRET struct secret *passphrase = NULL;
	struct request request = {drive->args, drive->hdr};
	struct enrolled enrolled = {0};
	size_t len = 0;
	int r = helper_run(enroll_in_helper, &request, &passphrase, &enrolled, sizeof(enrolled), &len, &drive->diag);

	if (r == 0 && (len != sizeof(enrolled) || !credible(&enrolled, passphrase, drive->args)))
		r = -SDE_TOKEN;
	r = not_enrolled(r, &drive->diag);
	if (r == 0)
		warn_of_another(drive, &enrolled);
	r = r < 0 ? r : store(drive, &enrolled, passphrase, ret_id);
	if (r == 0)
		report(drive, &enrolled, *ret_id);
	return r;
}

static int check_uri(const char *text)
{
	CLEANUP_PKCS11_URI P11KitUri *uri = NULL;
	struct diag diag = {0};

	return pkcs11_uri_parse(text, &uri, &diag) < 0 ? cli_usage(&command_key_enroll, "%s", diag.detail) : EXIT_DONE;
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
static int check_kind(const struct key_args *args, bool fido2)
{
	if (fido2 && args->paddings != PKCS11_ANY_PADDING)
		return cli_usage(&command_key_enroll, _("--padding is for cards, not for security keys"));
	if (!fido2 && (args->no_pin || args->no_touch || args->verification))
		return cli_usage(&command_key_enroll,
			_("--no-pin, --no-touch and --user-verification are for security keys, not for cards"));
	return fido2 ? EXIT_DONE : check_uri(args->new_token);
}

static int check_token(const struct key_args *args)
{
	int r;

	if (!args->new_token)
		return cli_usage(&command_key_enroll, _("--token is missing: 'pkcs11:...' or 'fido2'"));
	if (strcmp(args->new_token, "fido2") != 0 && strncmp(args->new_token, "pkcs11:", 7) != 0)
		return cli_usage(&command_key_enroll, _("--token is 'pkcs11:...' or 'fido2', not '%s'"), args->new_token);
	if ((args->owner && strlen(args->owner) >= CUSTODY_TEXT_MAX) ||
		(args->serial && strlen(args->serial) >= CUSTODY_TEXT_MAX))
		return cli_usage(&command_key_enroll, _("--owner and --serial take at most %d bytes"), CUSTODY_TEXT_MAX - 1);
	r = args->expires ? check_expires(args->expires) : EXIT_DONE;
	return r != EXIT_DONE ? r : check_kind(args, strcmp(args->new_token, "fido2") == 0);
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
		      "\n"
		      "Options:\n"
		      "  --token TOKEN           the token\n"
		      "  --owner TEXT            who is given it (anybody can read this on the drive)\n"
		      "  --serial NUMBER         what it is known by (default: what a card says)\n"
		      "  --expires YYYY-MM-DD    when it should be replaced\n"
		      "  --passphrase-file FILE  read the existing passphrase from the first line of\n"
		      "                          FILE; - is standard input\n"
		      "  --key-file FILE         use the whole FILE as the existing key\n"
		      "  --pin-file FILE         read the token's PIN from the first line of FILE\n"
		      "  --no-pin                security key: do not ask for its PIN\n"
		      "  --no-touch              security key: it need not be touched\n"
		      "  --user-verification     security key: it recognises its user (fingerprint)\n"
		      "  --padding WAY           RSA: oaep, or pkcs1v15 for computers with systemd\n"
		      "                          before 261 (default: oaep where the token can)\n"
		      "  --pkcs11-module FILE    use this module for cards, not those of the system\n"
		      "  --new-slot N            number of the new key slot (default: the first free)\n"
		      "  --priority PRIORITY     high: tried first; normal; ignore: only when named\n"
		      "  --header FILE           the drive's LUKS header is in FILE\n"
		      "  --help                  show this help\n"),
	.run = run,
};
