/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A token on the command line, before it opens anything: in the process of token/helper.h a secret is made for it, which
 * it has to give back.
 */
#ifndef CLI_ENROLL_H
#define CLI_ENROLL_H

#include "cli/key.h"
#include "keymgr/both.h"
#include "token/fido2.h"
#include "token/pkcs11-unlock.h"

enum { ENROLL_OTHERS_MAX = SHAMIR_SHARES_MAX };

/* What came back. */
struct enrolled {
	bool fido2;
	struct pkcs11_enrolled card;
	struct fido2_enrolled key;
};

struct enroll_request {
	const struct key_args *args; /* what is demanded of the token */
	const struct luks2 *hdr;
	const char *uri; /* "fido2" or a PKCS #11 URI that enroll_check_token() has seen */
	struct cli_token_options options;
	const struct enrolled *others; /* keys that it must not be */
	size_t other_count;
	const char *wait; /* to plug it in when it is not there: a question, translated; NULL: do not wait */
};

/* The secret is the passphrase that the token were for, if it were alone. -SDE_ENROLL, -SDE_PIN, ... */
int enroll_token(const struct enroll_request *request, struct enrolled *ret_enrolled, struct secret **ret_secret,
	struct diag *diag) MUST_CHECK;

void enrolled_part(const struct enrolled *enrolled, struct both_part *ret_part);
/* What the token calls itself: to be sanitized. */
const char *enrolled_name(const struct enrolled *enrolled);

bool enroll_is_fido2(const char *uri);
bool enroll_is_card(const char *uri);
/* EXIT_DONE, or what to exit with: option (with its dashes) names no token. */
int enroll_check_token(const struct command *command, const char *option, const char *uri);

#endif
