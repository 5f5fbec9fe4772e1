/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signatures by keys on PKCS #11 tokens. */
#ifndef CLI_SIGN_TOKEN_H
#define CLI_SIGN_TOKEN_H

#include "cli/sign.h"

/* Whether the key is on a token. */
bool sign_token_wanted(const struct sign_args *args);
/* The certificate of the key, from the token. -SDE_SIGN with diag. */
int sign_token_certificate(const struct sign_args *args, uint8_t *der, size_t room, size_t *ret_len,
	struct diag *diag) MUST_CHECK;
/* For struct cms_identity; ctx is the sign_args. Asks for the PIN. -SDE_SIGN with diag, -SDE_PIN, -SDE_PIN_LOCKED,
 * -SDE_CANCELLED. */
int sign_token_sign(void *ctx, const void *data, size_t len, uint8_t signature[CMS_SIGNATURE_MAX], size_t *ret_len,
	struct diag *diag) MUST_CHECK;

#endif
