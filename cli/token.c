/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Everything between the header's token objects and a passphrase happens in the process of
 * token/helper.h: the modules, the PIN, the secret. What comes back is the passphrase and the number of
 * its key slot.
 */
#include "cli/token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/aside.h"
#include "cli/patience.h"
#include "cli/secretfile.h"
#include "cli/terminal.h"
#include "keymgr/both.h"
#include "keymgr/token.h"
#include "token/fido2.h"
#include "token/pkcs11-unlock.h"

enum { PIN_MAX = 255 };

/* ---- questions ---- */

static int pin_prompt(const struct cli_token_options *options, const char *name, enum token_pin_state state,
	int retries, char **ret_prompt)
{
	/* a token that was only offered */
	const char *instead = options->wanted ? "" : _("(Just Enter: a passphrase instead of the token.)\n");
	int n;

	if (state == TOKEN_PIN_FINAL)
		n = asprintf(ret_prompt, _("%sLAST TRY: a wrong PIN now locks it. PIN of %s: "), instead, name);
	else if (retries >= 0)
		n = asprintf(ret_prompt, _("%sPIN of %s (%d tries left): "), instead, name, retries);
	else if (state == TOKEN_PIN_LOW)
		n = asprintf(ret_prompt, _("%sThe last PIN was wrong; a few more lock it. PIN of %s: "), instead, name);
	else
		n = asprintf(ret_prompt, _("%sPIN of %s: "), instead, name);
	return n < 0 ? -ENOMEM : 0;
}

/* A PIN that can be none is not tried: that would cost one of the tries that are left. */
static int check_pin(const struct secret *pin, struct diag *diag)
{
	const uint8_t *text = secret_data_const(pin);

	if (secret_len(pin) > PIN_MAX)
		return diag_set(diag, -SDE_NOT_A_PIN, _("it is longer than %d bytes"), PIN_MAX);
	for (size_t i = 0; i < secret_len(pin); i++)
		if (text[i] < ' ' || text[i] == 0x7f)
			return diag_set(diag, -SDE_NOT_A_PIN, _("it has a control character in it"));
	return 0;
}

static int ask_pin(void *ctx, const char *name, enum token_pin_state state, int retries,
	struct secret **ret_pin, struct diag *diag)
{
	const struct cli_token_options *options = ctx;
	CLEANUP_SECRET struct secret *pin = NULL;
	CLEANUP_FREE char *prompt = NULL;
	CLEANUP_FD int fd = -1;
	struct stat st;
	size_t len = 0;
	int r;

	patience_end();
	r = options->pin_file ? secretfile_open(options->pin_file, &fd, &st, diag) : terminal_open(&fd);

	/* a script that runs again and again would lock the token */
	if (r == 0 && state == TOKEN_PIN_FINAL && !isatty(fd))
		return diag_set(diag, -SDE_TOKEN,
			_("a wrong PIN would lock it now, so that none from a file is tried: type it"));
	r = r < 0 ? r : secret_new(PIN_MAX + 1, &pin);
	r = r < 0 ? r : pin_prompt(options, name, state, retries, &prompt);
	if (r < 0)
		return r;
	r = isatty(fd) ? terminal_ask(fd, prompt, false, secret_data(pin), PIN_MAX + 1, &len)
		       : secretfile_read(fd, secret_data(pin), PIN_MAX + 1, true, &len);
	if (r == -E2BIG)
		return diag_set(diag, -SDE_NOT_A_PIN, _("it is longer than %d bytes"), PIN_MAX);
	if (r < 0)
		return r;
	/* a file from a computer with Windows */
	if (options->pin_file && len > 0 && ((const char *)secret_data_const(pin))[len - 1] == '\r')
		len--;
	if (len == 0)
		return isatty(fd) ? -SDE_CANCELLED
				  : diag_set(diag, -SDE_NOT_A_PIN, _("the first line of '%s' is empty"), options->pin_file);
	secret_truncate(pin, len);
	patience_begin(!options->wanted);
	r = check_pin(pin, diag);
	if (r == 0)
		*ret_pin = take_ptr(pin);
	return r;
}

static void tell(void *ctx, const char *name, const char *text)
{
	patience_end();
	fprintf(stderr, "%s: %s\n", name, text);
}

struct token_ui cli_token_ui(const struct cli_token_options *options)
{
	patience_begin(!options->wanted);
	return (struct token_ui){ask_pin, tell, (void *)options};
}

bool cli_token_wait(const char *question)
{
	CLEANUP_FREE char *answer = NULL;

	return cli_can_ask() && cli_ask_line(question, &answer) == 0;
}

static bool add_share(struct cli_share_options *shares)
{
	if (shares->count < ARRAY_SIZE(shares->files)) {
		shares->files[shares->count++] = optarg;
		return true;
	}
	cli_usage(NULL, _("more than %d shares"), SHAMIR_SHARES_MAX);
	return false;
}

bool cli_token_option(int option, struct cli_token_options *options)
{
	switch (option) {
	case CLI_OPT_TOKEN:
		options->wanted = true;
		options->uri = optarg;
		return true;
	case CLI_OPT_NO_TOKEN:
		options->never = true;
		return true;
	case CLI_OPT_PIN_FILE:
		options->pin_file = optarg;
		return true;
	case CLI_OPT_AND_PIN_FILE:
		options->and_pin_file = optarg;
		return true;
	case CLI_OPT_PKCS11_MODULE:
		options->module = optarg;
		return true;
	default:
		return false;
	}
}

bool cli_unlock_option(int option, struct cli_passphrase_source *source)
{
	return option == CLI_OPT_SHARE ? add_share(&source->shares) : cli_token_option(option, &source->token);
}

/* ---- the header's tokens ---- */

struct candidates {
	const struct cli_token_options *options;
	struct token_pkcs11 *pkcs11;
	struct token_fido2 *fido2;
	size_t pkcs11_count, fido2_count;
	int pkcs11_slots[LUKS2_TOKENS_MAX], fido2_slots[LUKS2_TOKENS_MAX];
};

static void candidates_clear(struct candidates *candidates)
{
	free(candidates->pkcs11);
	free(candidates->fido2);
}

static int candidates_new(struct candidates *candidates)
{
	candidates->pkcs11 = calloc(LUKS2_TOKENS_MAX, sizeof(*candidates->pkcs11));
	candidates->fido2 = calloc(LUKS2_TOKENS_MAX, sizeof(*candidates->fido2));
	return candidates->pkcs11 && candidates->fido2 ? 0 : -ENOMEM;
}

/* The one key slot that a token is for; NULL for none that is asked for. One that is set to be ignored has to be
 * named, with its token as without. */
static const struct luks2_keyslot *token_slot(const struct luks2 *hdr, const struct luks2_token *token, int wanted)
{
	for (int i = 0; i < hdr->keyslot_count; i++) {
		const struct luks2_keyslot *slot = &hdr->keyslots[i];

		if ((token->keyslots >> slot->id & 1) && slot->usable &&
			(wanted < 0 ? slot->priority != LUKS2_PRIORITY_IGNORE : wanted == slot->id))
			return slot;
	}
	return NULL;
}

static bool kind_wanted(const struct cli_token_options *options, enum token_kind kind)
{
	if (kind != TOKEN_PKCS11 && kind != TOKEN_FIDO2)
		return false;
	return !options->uri || (strcmp(options->uri, "fido2") == 0) == (kind == TOKEN_FIDO2);
}

static void add_candidate(struct candidates *candidates, const struct luks2 *hdr, const struct luks2_token *token,
	int slot, struct diag *diag)
{
	size_t n;

	if (token_kind(token->type) == TOKEN_PKCS11) {
		n = candidates->pkcs11_count;
		candidates->pkcs11_slots[n] = slot;
		candidates->pkcs11_count += token_read_pkcs11(hdr, token->id, &candidates->pkcs11[n], diag) == 0;
	} else {
		n = candidates->fido2_count;
		candidates->fido2_slots[n] = slot;
		candidates->fido2_count += token_read_fido2(hdr, token->id, &candidates->fido2[n], diag) == 0;
	}
}

/* In the order in which they are to be tried. A token object that cannot be used does not keep the others
 * from being used. */
static int collect(const struct luks2 *hdr, int wanted, struct candidates *candidates, struct diag *diag)
{
	int r = candidates_new(candidates);

	if (r < 0)
		return r;
	for (int priority = LUKS2_PRIORITY_HIGH; priority >= LUKS2_PRIORITY_IGNORE; priority--)
		for (int i = 0; i < hdr->token_count; i++) {
			const struct luks2_token *token = &hdr->tokens[i];
			const struct luks2_keyslot *slot = token_slot(hdr, token, wanted);

			if (slot && (int)slot->priority == priority &&
				kind_wanted(candidates->options, token_kind(token->type)))
				add_candidate(candidates, hdr, token, slot->id, diag);
		}
	return 0;
}

bool cli_token_enrolled(const struct luks2 *hdr, int slot)
{
	for (int i = 0; i < hdr->token_count; i++) {
		enum token_kind kind = token_kind(hdr->tokens[i].type);

		if ((kind == TOKEN_PKCS11 || kind == TOKEN_FIDO2) && token_slot(hdr, &hdr->tokens[i], slot))
			return true;
	}
	return false;
}

/* ---- in the helper ---- */

static int ask_pkcs11(const struct candidates *candidates, const struct token_ui *ui, int *ret_slot,
	struct secret **ret_passphrase, struct diag *diag)
{
	CLEANUP_PKCS11_MODULES struct pkcs11_modules *modules = NULL;
	CLEANUP_PKCS11_URI P11KitUri *only = NULL;
	const char *uri = candidates->options->uri;
	size_t index;
	int r = pkcs11_load(candidates->options->module, &modules, diag);

	if (r == 0 && uri)
		r = pkcs11_uri_parse(uri, &only, diag);
	if (r == 0)
		r = pkcs11_unlock(modules, candidates->pkcs11, candidates->pkcs11_count, only, ui, &index,
			ret_passphrase, diag);
	if (r == 0)
		*ret_slot = candidates->pkcs11_slots[index];
	return r;
}

static int ask_fido2(const struct candidates *candidates, const struct token_ui *ui, int *ret_slot,
	struct secret **ret_passphrase, struct diag *diag)
{
	size_t index;
	int r = fido2_unlock(
		candidates->fido2, candidates->fido2_count, ui, &index, ret_passphrase, diag);

	if (r == 0)
		*ret_slot = candidates->fido2_slots[index];
	return r;
}

static int ask_tokens(void *ctx, struct secret **ret_secret, void *data, size_t room, size_t *ret_len,
	struct diag *diag)
{
	const struct candidates *candidates = ctx;
	const struct token_ui ui = cli_token_ui(candidates->options);
	struct diag pkcs11_diag = {0};
	int r = -SDE_NO_TOKEN;

	if (candidates->pkcs11_count > 0)
		r = ask_pkcs11(candidates, &ui, data, ret_secret, &pkcs11_diag);
	if (r == -SDE_NO_TOKEN && candidates->fido2_count > 0)
		r = ask_fido2(candidates, &ui, data, ret_secret, diag);
	else if (r < 0)
		*diag = pkcs11_diag;
	*ret_len = sizeof(int);
	return r;
}

int cli_token_passphrase(const struct cli_token_options *options, const struct luks2 *hdr, int slot,
	struct secret **ret_passphrase, int *ret_slot, struct diag *diag)
{
	CLEANUP(candidates_clear) struct candidates candidates = {.options = options};
	struct diag skipped = {0};
	size_t len = 0;
	int found = -1, r = collect(hdr, slot, &candidates, &skipped);

	if (r < 0)
		return r;
	if (candidates.pkcs11_count + candidates.fido2_count == 0)
		return skipped.detail[0] ? diag_set(diag, -SDE_TOKEN, "%s", skipped.detail) : -SDE_NO_TOKEN;
	r = aside_run(ask_tokens, &candidates, ret_passphrase, &found, sizeof(found), &len, diag);
	if (r < 0)
		return r;
	if (len != sizeof(found) || !*ret_passphrase || found < 0 || found >= LUKS2_KEYSLOTS_MAX)
		return -SDE_TOKEN;
	*ret_slot = found;
	return 0;
}

static void add_part(struct candidates *candidates, const struct both_part *part, int index)
{
	if (part->kind == TOKEN_PKCS11) {
		candidates->pkcs11[candidates->pkcs11_count] = part->pkcs11;
		candidates->pkcs11_slots[candidates->pkcs11_count++] = index;
	} else {
		candidates->fido2[candidates->fido2_count] = part->fido2;
		candidates->fido2_slots[candidates->fido2_count++] = index;
	}
}

int cli_token_parts(const struct cli_token_options *options, const struct both_part *const *parts, size_t count,
	size_t *ret_index, struct secret **ret_secret, struct diag *diag)
{
	/* --token says which of several key slots; a part is asked for because its key slot is */
	struct cli_token_options any = *options;
	CLEANUP(candidates_clear) struct candidates candidates = {.options = &any};
	size_t len = 0;
	int found = -1, r = candidates_new(&candidates);

	if (r < 0)
		return r;
	any.uri = NULL;
	for (size_t i = 0; i < count; i++)
		add_part(&candidates, parts[i], (int)i);
	r = aside_run(ask_tokens, &candidates, ret_secret, &found, sizeof(found), &len, diag);
	if (r < 0)
		return r;
	if (len != sizeof(found) || !*ret_secret || found < 0 || (size_t)found >= count)
		return -SDE_TOKEN;
	*ret_index = (size_t)found;
	return 0;
}

int cli_token_part(const struct cli_token_options *options, const struct both_part *part, struct secret **ret_secret,
	struct diag *diag)
{
	size_t index;

	return cli_token_parts(options, &part, 1, &index, ret_secret, diag);
}
