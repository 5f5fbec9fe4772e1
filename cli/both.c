/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/both.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/token.h"

/* The key slot of token id, when it is one that is asked for; else -1. One that is set to be ignored has to be named. */
static int slot_of(const struct luks2 *hdr, const struct luks2_token *token, int wanted)
{
	if (strcmp(token->type, BOTH_TYPE) != 0)
		return -1;
	for (int i = 0; i < hdr->keyslot_count; i++) {
		const struct luks2_keyslot *slot = &hdr->keyslots[i];

		if ((token->keyslots >> slot->id & 1) && slot->usable &&
			(wanted < 0 ? slot->priority != LUKS2_PRIORITY_IGNORE : wanted == slot->id))
			return slot->id;
	}
	return -1;
}

bool cli_both_enrolled(const struct luks2 *hdr, int slot)
{
	for (int i = 0; i < hdr->token_count; i++)
		if (slot_of(hdr, &hdr->tokens[i], slot) >= 0)
			return true;
	return false;
}

struct pair {
	struct both both;
	int slot;
};

/* What is typed is tried in several forms: each is combined with what the token gave. */
struct combination {
	const struct both *both;
	const struct secret *first;
	int slot;
	cli_unlock_fn unlock;
	void *ctx;
};

static int unlock_combined(void *ctx, const struct secret *second, int slot, struct diag *diag)
{
	const struct combination *combination = ctx;
	CLEANUP_SECRET struct secret *passphrase = NULL;
	int r = both_combine(combination->both->salt, combination->first, second, &passphrase);

	(void)slot; /* that of the combination */
	return r < 0 ? r : combination->unlock(combination->ctx, passphrase, combination->slot, diag);
}

static int second_token(const struct cli_passphrase_source *source, const struct both *both,
	const struct combination *combination, struct diag *diag)
{
	CLEANUP_SECRET struct secret *second = NULL;
	struct cli_token_options options = source->token;
	struct diag why = {0};
	int r;

	if (options.and_pin_file)
		options.pin_file = options.and_pin_file;
	r = cli_token_part(&options, &both->parts[1], &second, &why);
	if (r == -SDE_NO_TOKEN && cli_token_wait(_("Plug in the second token, then press Enter: "))) {
		why = (struct diag){0};
		r = cli_token_part(&options, &both->parts[1], &second, &why);
	}
	if (r == -SDE_NO_TOKEN)
		return diag_set(diag, r, _("the key slot needs two tokens, and the second one is missing"));
	if (r < 0)
		return why.detail[0] ? diag_set(diag, r, "%s", why.detail) : r;
	r = unlock_combined((void *)combination, second, -1, diag);
	return r == -SDE_PASSPHRASE ? diag_set(diag, -SDE_TOKEN, _("what they give together does not open the key slot")) : r;
}

static int second_passphrase(const struct cli_passphrase_source *source, const char *target,
	struct combination *combination, struct diag *diag)
{
	const struct cli_passphrase_source typed = {.passphrase_file = source->passphrase_file};
	CLEANUP_SECRET struct secret *second = NULL;
	int r = cli_read_passphrase(&typed, target, false, &second, diag);

	return r < 0 ? r : cli_unlock_forms(second, unlock_combined, combination, diag);
}

/* Those that are for the key slot that is asked for, in the order in which they are to be tried; the caller frees. */
static int collect(const struct luks2 *hdr, int wanted, struct pair **ret_pairs, size_t *ret_count)
{
	struct pair *pairs = calloc(LUKS2_TOKENS_MAX, sizeof(*pairs));
	size_t count = 0;

	if (!pairs)
		return -ENOMEM;
	for (int priority = LUKS2_PRIORITY_HIGH; priority >= LUKS2_PRIORITY_IGNORE; priority--)
		for (int i = 0; i < hdr->token_count; i++) {
			int slot = slot_of(hdr, &hdr->tokens[i], wanted);

			/* one that cannot be used does not keep the others from being used */
			if (slot >= 0 && (int)luks2_keyslot_by_id(hdr, slot)->priority == priority &&
				both_read(hdr, hdr->tokens[i].id, &pairs[count].both, NULL) == 0)
				pairs[count++].slot = slot;
		}
	*ret_pairs = pairs;
	*ret_count = count;
	return 0;
}

int cli_both_unlock(const struct cli_passphrase_source *source, const char *target, const struct luks2 *hdr, int slot,
	cli_unlock_fn unlock, void *ctx, struct diag *diag)
{
	const struct both_part *firsts[LUKS2_TOKENS_MAX];
	CLEANUP_FREE struct pair *pairs = NULL;
	CLEANUP_SECRET struct secret *first = NULL;
	size_t count = 0, chosen;
	int r = collect(hdr, slot, &pairs, &count);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		firsts[i] = &pairs[i].both.parts[0];
	r = count > 0 ? cli_token_parts(&source->token, firsts, count, &chosen, &first, diag) : -SDE_NO_TOKEN;
	if (r < 0)
		return r;
	struct combination combination = {&pairs[chosen].both, first, pairs[chosen].slot, unlock, ctx};

	return combination.both->parts[1].kind == TOKEN_UNKNOWN
		       ? second_passphrase(source, target, &combination, diag)
		       : second_token(source, combination.both, &combination, diag);
}
