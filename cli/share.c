/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shares are collected and combined in the short-lived process of token/helper.h, which has neither the drive nor any
 * key; what comes back is the passphrase and the number of its key slot.
 *
 * 1. Every share that is kept is whole, and of the set of the first one, and its number is kept once.
 * 2. Where the header describes the set, every share that is kept is the one that was made with it.
 * 3. Nothing is combined before as many are there as the set needs.
 */
#include "cli/share.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/aside.h"
#include "cli/secretfile.h"
#include "cli/terminal.h"
#include "cli/token.h"
#include "keymgr/share-file.h"
#include "keymgr/share-set.h"
#include "keymgr/share-wrapped.h"

enum {
	FILE_MAX = 64 * 1024,
	LINE_CHARS_MAX = 256, /* that is typed */
	MISTAKES_MAX = 10,
};

struct collection {
	const struct cli_share_options *options;
	const struct cli_token_options *token; /* of holders */
	const struct luks2 *hdr;
	int wanted; /* key slot, -1: any */
	struct share shares[SHAMIR_SHARES_MAX];
	char *names[SHAMIR_SHARES_MAX];
	unsigned count;
	unsigned tokens; /* that were asked for their share */
	int slot; /* -1: not known */
	bool described;
	struct share_set set; /* what the header says, when described */
};

static void collection_clear(struct collection *collection)
{
	for (unsigned i = 0; i < collection->count; i++) {
		share_clear(&collection->shares[i]);
		free(collection->names[i]);
	}
	collection->count = 0;
}

/* ---- which share it is ---- */

static int check_first(struct collection *collection, const struct share *share, const char *name, struct diag *diag)
{
	char set[SHARE_SET_CHARS];
	bool any;

	share_set_name(share->set, set);
	collection->described = share_set_find(collection->hdr, share->set, &collection->set, &collection->slot, &any);
	if (!collection->described && any)
		return diag_set(diag, -SDE_SHARE, _("'%s' is of the set %s, which is not of this drive"), name, set);
	if (collection->described && collection->wanted >= 0 && collection->wanted != collection->slot)
		return diag_set(diag, -SDE_SHARE, _("'%s' is of the set %s, which opens key slot %d"), name, set,
			collection->slot);
	return 0;
}

static int check_beside(const struct collection *collection, unsigned i, const struct share *share, const char *name,
	struct diag *diag)
{
	const struct share *other = &collection->shares[i];
	char set[SHARE_SET_CHARS], other_set[SHARE_SET_CHARS];

	if (memcmp(share->set, other->set, SHARE_SET_BYTES) != 0) {
		share_set_name(share->set, set);
		share_set_name(other->set, other_set);
		return diag_set(diag, -SDE_SHARE, _("'%s' is of the set %s, but '%s' of the set %s"), name, set,
			collection->names[i], other_set);
	}
	if (share->threshold != other->threshold || share->count != other->count)
		return diag_set(diag, -SDE_SHARE, _("'%s' and '%s' do not agree on how many shares there are"), name,
			collection->names[i]);
	if (share->index != other->index)
		return 0;
	/* what only a token can read is not known yet */
	if (!share->value || secret_equal(share->value, other->value))
		return diag_set(diag, -SDE_SHARE, _("'%s' is the same share as '%s'"), name, collection->names[i]);
	return diag_set(diag, -SDE_SHARE, _("'%s' and '%s' both say that they are share %d"), name, collection->names[i],
		share->index);
}

static int check_digest(const struct collection *collection, const struct share *share, const char *name,
	struct diag *diag)
{
	uint8_t digest[SHARE_DIGEST_BYTES];
	int r;

	if (!collection->described)
		return 0;
	r = share_digest(share, digest);
	if (r < 0)
		return r;
	if (share->count != collection->set.count || share->threshold != collection->set.threshold ||
		!bytes_equal_ct(digest, collection->set.digests[share->index - 1], sizeof(digest)))
		return diag_set(diag, -SDE_SHARE, _("'%s' is forged: it is not the share %d that was made for this drive"),
			name, share->index);
	return 0;
}

/* All that can be said of it without its value. */
static int check_place(struct collection *collection, const struct share *share, const char *name, struct diag *diag)
{
	int r = 0;

	for (unsigned i = 0; i < collection->count && r == 0; i++)
		r = check_beside(collection, i, share, name, diag);
	return r < 0 || collection->count > 0 ? r : check_first(collection, share, name, diag);
}

/* Takes the share when it is good. */
static int add(struct collection *collection, struct share *share, const char *name, struct diag *diag)
{
	int r = check_place(collection, share, name, diag);

	if (r == 0)
		r = check_digest(collection, share, name, diag);
	if (r < 0)
		return r;
	collection->names[collection->count] = strdup(name);
	if (!collection->names[collection->count])
		return -ENOMEM;
	collection->shares[collection->count++] = *share;
	*share = (struct share){0};
	return 0;
}

/* ---- from files ---- */

static int read_file(int fd, struct secret **ret_bytes, struct diag *diag)
{
	CLEANUP_SECRET struct secret *bytes = NULL;
	size_t len = 0;
	int r = secret_new(FILE_MAX, &bytes);

	if (r == 0)
		r = secretfile_read(fd, secret_data(bytes), FILE_MAX, false, &len);
	if (r == 0 && len == FILE_MAX)
		return diag_set(diag, -SDE_SHARE, _("it is too long"));
	if (r < 0)
		return r;
	secret_truncate(bytes, len);
	*ret_bytes = take_ptr(bytes);
	return 0;
}

/* Each PIN is for one token: after those from files, whoever has one types it. */
static struct cli_token_options options_of(const struct collection *collection)
{
	struct cli_token_options options = *collection->token;

	options.wanted = true;
	options.pin_file = collection->tokens == 0 ? options.pin_file : collection->tokens == 1 ? options.and_pin_file : NULL;
	return options;
}

/* The holder's token in a process of its own, which has none of the shares: they are wiped by the fork. */
static int ask_token(struct collection *collection, const struct share_wrapped *wrapped, struct secret **ret_secret,
	struct diag *diag)
{
	const struct cli_token_options options = options_of(collection);
	CLEANUP_FREE char *question = NULL;
	int r = cli_token_part(&options, &wrapped->token, ret_secret, diag);

	if (r == -SDE_NO_TOKEN) {
		if (asprintf(&question, _("Plug in the token of the holder of share %d, then press Enter: "),
			    wrapped->claim.index) < 0) {
			question = NULL;
			return -ENOMEM;
		}
		if (cli_token_wait(question)) {
			*diag = (struct diag){0};
			r = cli_token_part(&options, &wrapped->token, ret_secret, diag);
		}
	}
	collection->tokens++;
	return r == -SDE_NO_TOKEN && !diag->detail[0]
		       ? diag_set(diag, r, _("the token of the holder of share %d is not plugged in"), wrapped->claim.index)
		       : r;
}

/* What is wrong with the file, by its name. */
static int file_failed(const char *path, int err, const struct diag *why, struct diag *diag)
{
	return why->detail[0] ? diag_set(diag, err, _("'%s': %s"), path, why->detail) : diag_set(diag, err, "'%s'", path);
}

static int open_wrapped(struct collection *collection, const char *path, const struct secret *bytes,
	struct share *ret_share, struct diag *diag)
{
	CLEANUP_SECRET struct secret *secret = NULL;
	struct share_wrapped wrapped;
	struct diag why = {0};
	int r = share_wrapped_read(secret_data_const(bytes), secret_len(bytes), &wrapped, &why);

	if (r < 0)
		return file_failed(path, r, &why, diag);
	/* nobody types a PIN for a share that is of no use */
	r = check_place(collection, &wrapped.claim, path, diag);
	if (r < 0)
		return r;
	r = ask_token(collection, &wrapped, &secret, &why);
	r = r < 0 ? r : share_unwrap(&wrapped, secret, ret_share, &why);
	return r < 0 ? file_failed(path, r, &why, diag) : 0;
}

static int read_share(struct collection *collection, const char *path, int fd, struct share *ret_share, struct diag *diag)
{
	CLEANUP_SECRET struct secret *bytes = NULL;
	struct diag why = {0};
	int r = read_file(fd, &bytes, &why);

	if (r < 0 && !why.detail[0])
		return diag_set(diag, r, _("the file '%s' cannot be read"), path);
	if (r == 0 && share_is_wrapped(secret_data_const(bytes), secret_len(bytes)))
		return open_wrapped(collection, path, bytes, ret_share, diag);
	r = r < 0 ? r : share_from_file(secret_data_const(bytes), secret_len(bytes), ret_share, &why);
	return r < 0 ? file_failed(path, r, &why, diag) : 0;
}

static int add_file(struct collection *collection, const char *path, struct diag *diag)
{
	CLEANUP_FD int fd = -1;
	struct share share = {0};
	struct stat st;
	int r = secretfile_open(path, &fd, &st, diag);

	r = r < 0 ? r : read_share(collection, path, fd, &share, diag);
	r = r < 0 ? r : add(collection, &share, path, diag);
	share_clear(&share);
	return r;
}

/* ---- from the terminal ---- */

static void complain(const struct diag *diag)
{
	fprintf(stderr, "%s: %s.\n", error_text(-SDE_SHARE), diag->detail);
}

static int line_prompt(const struct collection *collection, const struct share_text *text, char **ret_prompt)
{
	int n;

	if (text->len > 0)
		n = asprintf(ret_prompt, _("  and on from group %zu: "), text->len / SHARE_GROUP + 1);
	else if (collection->count > 0)
		n = asprintf(ret_prompt, _("Another share, line by line (%u of %d that are needed are there): "),
			collection->count, collection->shares[0].threshold);
	else
		n = asprintf(ret_prompt, _("A share, line by line: "));
	return n < 0 ? -ENOMEM : 0;
}

/* One line of it; a wrong one is typed again. */
static int ask_line(int fd, const struct collection *collection, struct share_text *text, struct diag *diag)
{
	CLEANUP_SECRET struct secret *line = NULL;
	CLEANUP_FREE char *prompt = NULL;
	size_t len = 0;
	int r = line_prompt(collection, text, &prompt);

	if (r < 0) {
		prompt = NULL;
		return r;
	}
	r = secret_new(LINE_CHARS_MAX, &line);
	if (r == 0)
		r = terminal_ask(fd, prompt, false, secret_data(line), LINE_CHARS_MAX, &len);
	if (r == -E2BIG)
		return diag_set(diag, -SDE_SHARE, _("it is too long"));
	if (r == 0 && len == 0)
		return -SDE_CANCELLED;
	return r < 0 ? r : share_text_add(text, secret_data_const(line), len, diag);
}

static int ask_share(int fd, struct collection *collection, int *mistakes, struct diag *diag)
{
	CLEANUP_SHARE_TEXT struct share_text text = SHARE_TEXT_NONE;
	CLEANUP_FREE char *name = NULL;
	struct share share = {0};
	int r = 0;

	while (!share_text_complete(&text)) {
		struct diag why = {0};

		r = ask_line(fd, collection, &text, &why);
		if (r < 0 && (r != -SDE_SHARE || ++*mistakes > MISTAKES_MAX))
			return why.detail[0] ? diag_set(diag, r, "%s", why.detail) : r;
		if (r < 0)
			complain(&why);
	}
	r = share_text_finish(&text, &share, diag);
	if (r < 0)
		return r;
	if (asprintf(&name, _("share %d"), share.index) < 0) {
		name = NULL;
		r = -ENOMEM;
	}
	if (r == 0)
		r = add(collection, &share, name, diag);
	if (r == 0)
		fprintf(stderr, _("Share %d of %d is right.\n"), collection->shares[collection->count - 1].index,
			collection->shares[0].count);
	share_clear(&share);
	return r;
}

static bool enough(const struct collection *collection)
{
	return collection->count > 0 && collection->count >= collection->shares[0].threshold;
}

static int ask_missing(struct collection *collection, struct diag *diag)
{
	CLEANUP_FD int fd = -1;
	int mistakes = 0, r = terminal_open(&fd);

	while (r == 0 && !enough(collection)) {
		struct diag why = {0};

		r = ask_share(fd, collection, &mistakes, &why);
		if (r == -SDE_SHARE && ++mistakes <= MISTAKES_MAX) {
			complain(&why);
			r = 0;
		} else if (r < 0) {
			diag_set(diag, r, "%s", why.detail);
		}
	}
	return r;
}

/* ---- all of it ---- */

static int collect(struct collection *collection, struct diag *diag)
{
	bool ask = cli_can_ask();
	int r = 0;

	for (unsigned i = 0; i < collection->options->count && r == 0; i++)
		if (strcmp(collection->options->files[i], "-") != 0 || !ask)
			r = add_file(collection, collection->options->files[i], diag);
	if (r < 0 || enough(collection))
		return r;
	if (ask)
		return ask_missing(collection, diag);
	return diag_set(diag, -SDE_SHARE, _("%d are needed, and only %u are there"), collection->shares[0].threshold,
		collection->count);
}

static int combine_in_helper(void *ctx, struct secret **ret_secret, void *data, size_t room, size_t *ret_len,
	struct diag *diag)
{
	struct collection *collection = ctx;
	int r = collect(collection, diag);

	if (r == 0)
		r = share_combine(collection->shares, collection->shares[0].threshold, ret_secret);
	*(int *)data = collection->slot;
	*ret_len = sizeof(int);
	collection_clear(collection);
	return r;
}

int cli_share_passphrase(const struct cli_passphrase_source *source, const struct luks2 *hdr, int slot,
	struct secret **ret_passphrase, int *ret_slot, struct diag *diag)
{
	struct collection collection = {.options = &source->shares, .token = &source->token, .hdr = hdr, .wanted = slot, .slot = -1};
	size_t len = 0;
	int found = -1, r = aside_run(combine_in_helper, &collection, ret_passphrase, &found, sizeof(found), &len, diag);

	if (r < 0)
		return r;
	if (len != sizeof(found) || !*ret_passphrase || found < -1 || found >= LUKS2_KEYSLOTS_MAX)
		return -SDE_SHARE;
	*ret_slot = found;
	return 0;
}
