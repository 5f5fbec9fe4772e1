/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signatures of files, detached, in FILE.p7s beside FILE. */
#ifndef CLI_SIGN_H
#define CLI_SIGN_H

#include <stddef.h>

#include "audit/cms.h"
#include "cli/cli.h"

/* Who signs: --sign-key is a file (PEM) or the URI of a key on a token (pkcs11:...), --sign-cert a file, which a token's
 * key does not need when its certificate is on the token. */
struct sign_args {
	const char *key, *cert;
	struct cli_token_options token; /* whose PIN, which module */
};

/* Their options; CLI_PIN_OPTIONS are the commands' own. */
enum { SIGN_KEY = 940, SIGN_CERT };
#define SIGN_OPTIONS                                                                               \
	{"sign-key", required_argument, NULL, SIGN_KEY}, {"sign-cert", required_argument, NULL, SIGN_CERT}
/* Whether it was one of them, or --pin-file or --pkcs11-module. */
bool sign_option(int option, struct sign_args *args);
/* Whether something is to be signed. */
bool sign_wanted(const struct sign_args *args);
/* Whether key and certificate are named where both are needed. */
bool sign_complete(const struct sign_args *args);

/* Before long work: that key and certificate will be found. Asks nobody for a PIN. */
int sign_check(const struct sign_args *args, struct diag *diag) MUST_CHECK;
/* Signs a file as it lies on the disk; output NULL: FILE.p7s, which is replaced. */
int sign_file(const char *path, const struct sign_args *args, const char *output, struct diag *diag) MUST_CHECK;
/* signature NULL: FILE.p7s. ret_text (NULL: not wanted) are the bytes that were verified; the caller frees. */
int verify_file(const char *path, const char *signature, const char *trust, struct cms_signer *ret_signer,
	char **ret_text, size_t *ret_len, struct diag *diag) MUST_CHECK;

#endif
