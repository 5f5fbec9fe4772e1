/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealdrive key add --shares: a key that several people have only together.
 *
 * 1. The shares have been shown, or are on the disk, before the header names their key slot.
 * 2. What fails leaves neither key slot nor file. Power that fails, or SIGKILL, may leave files that open nothing, but
 *    never a key slot whose shares are not there.
 * 3. When the medium does not answer any more while the header is written, nobody knows which header it has: then the
 *    files stay, and it is said.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/enroll.h"
#include "cli/interrupts.h"
#include "cli/newfile.h"
#include "cli/reveal.h"
#include "cli/sheet.h"
#include "cli/terminal.h"
#include "keymgr/share-set.h"
#include "keymgr/share-wrapped.h"

static const char *const sheet_lines[] = {
	N_("This is one share of a key. It opens nothing alone: with as many others of its set as"),
	N_("are needed the drive opens ('sealdrive mount --share'). Whoever collects that many can"),
	N_("read everything on the drive: keep it sealed, apart from the other shares and the drive."),
	N_("Capitals or small letters, dashes or none: all the same. It may be read aloud."),
	NULL,
};

struct shares {
	const struct key_args *args;
	struct share shares[SHAMIR_SHARES_MAX];
	struct share_wrapped *wrapped; /* for the tokens of the first holders */
	char names[SHAMIR_SHARES_MAX][FIDO2_NAME_MAX]; /* of these tokens, safe to show */
	unsigned wrapped_count;
	struct newfile texts[SHAMIR_SHARES_MAX], pages[SHAMIR_SHARES_MAX]; /* pages: of those that are not wrapped */
	unsigned count;
	char set[SHARE_SET_CHARS];
	bool made_folder;
};

static void shares_clear(struct shares *shares)
{
	for (unsigned i = 0; i < shares->count; i++) {
		share_clear(&shares->shares[i]);
		newfile_discard(&shares->texts[i]);
		newfile_discard(&shares->pages[i]);
	}
	free(shares->wrapped);
	/* only when it is empty: then nothing was given out */
	if (shares->made_folder)
		rmdir(shares->args->share_folder);
}

int key_check_shares(const struct command *command, const struct key_args *args)
{
	if (!args->shares && !args->threshold && !args->share_folder && !args->share_for_count && !args->share_pin_count)
		return EXIT_DONE;
	if (!args->shares || !args->threshold)
		return cli_usage(command, _("--shares and --threshold belong together"));
	if (args->threshold > args->shares)
		return cli_usage(command, _("--threshold: %d of %d shares cannot be"), args->threshold, args->shares);
	if (args->new_source.passphrase_file || args->new_source.key_file || args->kdf.given)
		return cli_usage(command, _("--shares makes a random key: options for a new passphrase do not go with it"));
	if (args->share_for_count > args->shares)
		return cli_usage(command, _("--share-for: there are only %d shares"), args->shares);
	if (args->share_pin_count > args->share_for_count)
		return cli_usage(command, _("--share-pin-file: each belongs to one --share-for"));
	if (args->share_for_count && !args->share_folder)
		return cli_usage(command, _("--share-for needs --share-out: what a token reads is a file"));
	for (int i = 0; i < args->share_for_count; i++) {
		int r = enroll_check_token(command, "--share-for", args->share_for[i]);

		if (r != EXIT_DONE)
			return r;
	}
	return EXIT_DONE;
}

/* ---- for tokens ---- */

static int wrap_one(struct key_drive *drive, struct shares *shares, struct enrolled *enrolled, unsigned i)
{
	const struct key_args *args = drive->args;
	CLEANUP_SECRET struct secret *secret = NULL;
	CLEANUP_FREE char *wait = NULL, *safe = NULL;
	struct enroll_request request = {
		.args = args,
		.hdr = drive->hdr,
		.uri = args->share_for[i],
		.options = {.pin_file = (int)i < args->share_pin_count ? args->share_pins[i] : NULL,
			.module = args->source.token.module,
			.wanted = true},
		.others = enrolled,
		.other_count = i,
	};
	struct both_part part;
	int r;

	if (asprintf(&wait, _("Plug in the token of the holder of share %d, then press Enter: "), (int)i + 1) < 0) {
		wait = NULL;
		return -ENOMEM;
	}
	request.wait = wait;
	r = enroll_token(&request, &enrolled[i], &secret, &drive->diag);
	if (r < 0)
		return r;
	enrolled_part(&enrolled[i], &part);
	r = text_sanitize(enrolled_name(&enrolled[i]), strlen(enrolled_name(&enrolled[i])), &safe);
	if (r < 0)
		return r;
	text_cut(safe, shares->names[i], sizeof(shares->names[i]));
	return share_wrap(&shares->shares[i], &part, secret, &shares->wrapped[i]);
}

/* Holders come with their tokens one after the other, before anything is written. */
static int wrap_shares(struct key_drive *drive, struct shares *shares)
{
	size_t count = (size_t)drive->args->share_for_count;
	CLEANUP_FREE struct enrolled *enrolled = calloc(count + 1, sizeof(*enrolled));
	int r = 0;

	shares->wrapped = calloc(count + 1, sizeof(*shares->wrapped));
	if (!enrolled || !shares->wrapped)
		return -ENOMEM;
	for (unsigned i = 0; i < count && r == 0; i++)
		r = wrap_one(drive, shares, enrolled, i);
	shares->wrapped_count = (unsigned)count;
	return r;
}

/* ---- the files ---- */

static int file_open(const struct shares *shares, unsigned i, const char *ending, struct newfile *ret_file,
	struct diag *diag)
{
	CLEANUP_FREE char *path = NULL;

	if (asprintf(&path, "%s/share-%u-of-%u-%.8s.%s", shares->args->share_folder, i + 1, shares->count, shares->set,
		    ending) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	return newfile_open(path, ret_file, diag);
}

/* Late, so that whoever goes away while a passphrase is asked for leaves no empty files. */
static int make_files(struct shares *shares, struct diag *diag)
{
	int r = 0;

	if (mkdir(shares->args->share_folder, 0700) == 0)
		shares->made_folder = true;
	else if (errno != EEXIST)
		return diag_set(diag, -errno, _("the folder '%s' cannot be made"), shares->args->share_folder);
	for (unsigned i = 0; i < shares->count && r == 0; i++) {
		if (i < shares->wrapped_count) {
			r = file_open(shares, i, "json", &shares->texts[i], diag);
			continue;
		}
		r = file_open(shares, i, "txt", &shares->texts[i], diag);
		if (r == 0)
			r = file_open(shares, i, "svg", &shares->pages[i], diag);
	}
	return r;
}

static int write_sheet(const struct sheet *sheet, struct newfile *file, struct diag *diag)
{
	CLEANUP_SECRET struct secret *text = NULL;
	int r = sheet_render(sheet, file->path, &text);

	if (r == 0)
		r = newfile_write(file, secret_data_const(text), secret_len(text), diag);
	return r < 0 ? r : newfile_sync(file, diag);
}

static int write_wrapped(const struct share_wrapped *wrapped, struct newfile *file, struct diag *diag)
{
	CLEANUP_FREE char *text = NULL;
	int r = share_wrapped_write(wrapped, &text);

	r = r < 0 ? r : newfile_write(file, text, strlen(text), diag);
	return r < 0 ? r : newfile_sync(file, diag);
}

/* A folder that was made has a name that must outlive a power failure as its files do. */
static int sync_parent(const struct shares *shares)
{
	CLEANUP_FREE char *parent = NULL;
	CLEANUP_FD int fd = -1;

	if (!shares->made_folder)
		return 0;
	if (asprintf(&parent, "%s/..", shares->args->share_folder) < 0) {
		parent = NULL;
		return -ENOMEM;
	}
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* some file systems cannot do that, and a folder may be one that nobody lists */
	if (fd >= 0 && fsync(fd) < 0 && errno == EIO)
		return -errno;
	return 0;
}

static int write_files(struct shares *shares, const struct luks2 *hdr, int slot, const char *date, struct diag *diag)
{
	char share_text[96], slot_text[16];
	struct sheet sheet = {
		.title = _("Share of a key"),
		.fields = {{_("Drive"), hdr->label[0] ? hdr->label : "-"}, {"UUID", hdr->uuid},
			{_("Share"), share_text}, {_("Set"), shares->set}, {_("Key slot"), slot_text}, {_("Date"), date}},
		.field_count = 6,
		.lines = sheet_lines,
	};
	int r = 0;

	snprintf(slot_text, sizeof(slot_text), "%d", slot);
	for (unsigned i = 0; i < shares->count && r == 0; i++) {
		CLEANUP_SECRET struct secret *text = NULL;

		/* syncing many files on a stick takes its time */
		if (interrupts_came())
			return -SDE_CANCELLED;
		if (i < shares->wrapped_count) {
			r = write_wrapped(&shares->wrapped[i], &shares->texts[i], diag);
			continue;
		}
		snprintf(share_text, sizeof(share_text), _("%u of %u; %d are needed"), i + 1, shares->count,
			shares->args->threshold);
		r = share_encode(&shares->shares[i], &text);
		sheet.key = text;
		if (r == 0)
			r = write_sheet(&sheet, &shares->texts[i], diag);
		if (r == 0)
			r = write_sheet(&sheet, &shares->pages[i], diag);
	}
	return r < 0 ? r : sync_parent(shares);
}

static void keep_files(struct shares *shares)
{
	for (unsigned i = 0; i < shares->count; i++) {
		newfile_keep(&shares->texts[i]);
		newfile_keep(&shares->pages[i]);
	}
}

/* ---- the terminal ---- */

/* Each holder alone: what the one before saw is gone. Nothing is on the drive yet. */
static int show(const struct shares *shares, struct diag *diag)
{
	CLEANUP_FREE char *safe = NULL;
	CLEANUP_FD int fd = -1;
	int r = terminal_open(&fd);

	if (r < 0)
		return diag_set(diag, -SDE_USAGE, _("without a terminal the shares need --share-out"));
	r = text_sanitize(shares->args->target, strlen(shares->args->target), &safe);
	for (unsigned i = 0; i < shares->count && r == 0; i++) {
		CLEANUP_SECRET struct secret *text = NULL;
		CLEANUP_FREE char *head = NULL;

		if (asprintf(&head, _("Share %u of %u of a key of %s (%d are needed), which is shown only now:"), i + 1,
			    shares->count, safe, shares->args->threshold) < 0) {
			head = NULL;
			return -ENOMEM;
		}
		r = share_encode(&shares->shares[i], &text);
		if (r == 0)
			r = reveal_on_terminal(fd, head, text);
	}
	return r < 0 ? diag_set(diag, r, _("the shares were not stored")) : 0;
}

/* ---- the drive ---- */

static int put_set(struct luks2_update *update, const struct share_set *set, int slot, struct diag *diag)
{
	CLEANUP_FREE char *text = NULL;
	int id, r = share_set_write(set, slot, &text);

	return r < 0 ? r : luks2_token_put(update, -1, text, &id, diag);
}

static int commit(struct key_drive *drive, struct shares *shares, int slot, struct luks2_update *update)
{
	int r = luks2_update_commit(update, drive->volume_key, &drive->diag);

	if (!drive->args->share_folder)
		return r;
	if (r == 0) {
		keep_files(shares);
	} else if (key_may_be_stored(drive, slot)) {
		keep_files(shares);
		cli_warn(drive->args->target, _("the shares stay in '%s', because the drive may have their key slot: 'sealdrive "
						"key list' shows whether it has the set %s"),
			drive->args->share_folder, shares->set);
	}
	return r;
}

static int store(struct key_drive *drive, struct shares *shares, const struct secret *passphrase, int *ret_id)
{
	/* 256 random bits need no slow derivation: as for recovery keys */
	const struct luks2_keyslot_params params = {
		.kdf = {.type = LUKS2_KDF_PBKDF2, .hash = "sha512", .iterations = 1000},
		.priority = drive->args->priority < 0 ? LUKS2_PRIORITY_NORMAL
						      : (enum luks2_priority)drive->args->priority,
	};
	CLEANUP_LUKS2_NEW_KEYSLOT struct luks2_new_keyslot *new = NULL;
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;
	struct diag *diag = &drive->diag;
	struct share_set set;
	int r = luks2_keyslot_prepare(drive->hdr, &params, passphrase, &new, diag);

	if (r == 0)
		r = share_set_describe(shares->shares, shares->count, &set);
	if (r == 0)
		r = luks2_update_begin(drive->dev, drive->hdr, &update, diag);
	if (r == 0)
		r = luks2_keyslot_add(update, new, passphrase, drive->volume_key, drive->args->new_slot, ret_id, diag);
	if (r == 0)
		r = put_set(update, &set, *ret_id, diag);
	if (r == 0 && drive->args->share_folder)
		r = write_files(shares, drive->hdr, *ret_id, set.made, diag);
	return r < 0 ? r : commit(drive, shares, *ret_id, update);
}

int key_add_shares(struct key_drive *drive, int *ret_id)
{
	/* let go last, when no file is left that belongs to nothing */
	CLEANUP_INTERRUPTS struct interrupts interrupts = INTERRUPTS_NONE;
	CLEANUP(shares_clear) struct shares shares = {.args = drive->args};
	CLEANUP_SECRET struct secret *passphrase = NULL;
	int r;

	for (unsigned i = 0; i < SHAMIR_SHARES_MAX; i++)
		shares.texts[i] = shares.pages[i] = (struct newfile)NEWFILE_NONE;
	r = share_make((unsigned)drive->args->shares, (unsigned)drive->args->threshold, shares.shares, &passphrase);
	if (r < 0)
		return r;
	shares.count = (unsigned)drive->args->shares;
	share_set_name(shares.shares[0].set, shares.set);
	r = drive->args->share_folder ? wrap_shares(drive, &shares) : show(&shares, &drive->diag);
	if (r < 0)
		return r;
	interrupts_hold(&interrupts);
	r = drive->args->share_folder ? make_files(&shares, &drive->diag) : 0;
	r = r < 0 ? r : store(drive, &shares, passphrase, ret_id);
	if (r == 0)
		interrupts_forget(&interrupts);
	for (unsigned i = 0; i < shares.wrapped_count && r == 0; i++)
		cli_say_done(_("Share %u is for '%s' alone.\n"), i + 1, shares.names[i]);
	return r;
}
