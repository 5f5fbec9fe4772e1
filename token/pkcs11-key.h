/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys on a PKCS #11 token: found by URI, used to unwrap, read to wrap. */
#ifndef TOKEN_PKCS11_KEY_H
#define TOKEN_PKCS11_KEY_H

#include "keymgr/token.h"
#include "token/pkcs11.h"
#include "token/pubkey.h"

enum { PKCS11_FOUND_MAX = 2 /* one is right, more are too many */ };

/* The objects that uri and the extra attributes describe; *ret_count up to PKCS11_FOUND_MAX. */
int pkcs11_find_objects(struct pkcs11_session *session, P11KitUri *uri, const CK_ATTRIBUTE *extra, size_t extra_count,
	CK_OBJECT_HANDLE found[PKCS11_FOUND_MAX], CK_ULONG *ret_count, struct diag *diag) MUST_CHECK;
/* The value of an attribute, which the caller frees; -SDE_TOKEN where the object has none. */
int pkcs11_attribute(struct pkcs11_session *session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
	uint8_t **ret_value, size_t *ret_len) MUST_CHECK;
int pkcs11_key_type(struct pkcs11_session *session, CK_OBJECT_HANDLE key, CK_KEY_TYPE *ret_type,
	struct diag *diag) MUST_CHECK;

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
