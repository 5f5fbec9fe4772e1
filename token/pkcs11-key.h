/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys on a PKCS #11 token: found by URI, used to unwrap, read to wrap. */
#ifndef TOKEN_PKCS11_KEY_H
#define TOKEN_PKCS11_KEY_H

#include "keymgr/token.h"
#include "token/pkcs11.h"
#include "token/pubkey.h"

/*
 * The one private key that uri describes (one that decrypts, else one that derives); after login.
 * -SDE_TOKEN with diag when there is none, or more than one.
 */
int pkcs11_find_private(struct pkcs11_session *session, P11KitUri *uri, CK_OBJECT_HANDLE *ret_key,
	struct diag *diag) MUST_CHECK;

/* D of token (see token/pubkey.h). Every failure to decrypt is the same error. */
int pkcs11_unwrap(struct pkcs11_session *session, CK_OBJECT_HANDLE key, const struct token_pkcs11 *token,
	struct secret **ret_d, struct diag *diag) MUST_CHECK;

/* What there is to encrypt to, from a certificate or a public key; needs no login. uri_text names the
 * private key that belongs to it, and is freed by the caller. */
int pkcs11_find_public(struct pkcs11_session *session, P11KitUri *uri, struct pubkey *ret_key,
	char **ret_uri_text, struct diag *diag) MUST_CHECK;

#endif
