/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tokens on the command line: the passphrase of a key slot from a token that is plugged in. */
#ifndef CLI_TOKEN_H
#define CLI_TOKEN_H

#include <string.h>

#include "cli/cli.h"
#include "keymgr/luks2.h"
#include "token/ui.h"

/* The questions of token/ui.h, on the terminal or from options->pin_file. options outlives the result. In a process of its
 * own (cli/aside.h): waiting for a token begins here (cli/patience.h). */
struct token_ui cli_token_ui(const struct cli_token_options *options);

/* Asks somebody to plug one in; false when nobody is there to be asked. */
bool cli_token_wait(const char *question);

/* Whether hdr names any token for a key slot that we could ask (slot -1: any key slot). */
bool cli_token_enrolled(const struct luks2 *hdr, int slot);

/*
 * Asks the tokens that hdr names and that are plugged in (PKCS #11 first, then security keys).
 * -SDE_NO_TOKEN: there is none. -SDE_CANCELLED: no PIN was entered. Else as token/.
 */
int cli_token_passphrase(const struct cli_token_options *options, const struct luks2 *hdr, int slot,
	struct secret **ret_passphrase, int *ret_slot, struct diag *diag) MUST_CHECK;

/* What one token gives, of those that open a key slot together. */
struct both_part;
int cli_token_part(const struct cli_token_options *options, const struct both_part *part, struct secret **ret_secret,
	struct diag *diag) MUST_CHECK;
/* The same for the first of several parts (at most LUKS2_TOKENS_MAX) whose token is plugged in. */
int cli_token_parts(const struct cli_token_options *options, const struct both_part *const *parts, size_t count,
	size_t *ret_index, struct secret **ret_secret, struct diag *diag) MUST_CHECK;

/* --token list: prints what is plugged in and returns the exit status. */
int cli_token_list(const struct cli_token_options *options);
static inline bool cli_token_is_list(const char *uri)
{
	return uri && strcmp(uri, "list") == 0;
}

#endif
