/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signatures by a key on a PKCS #11 token. In a helper process. */
#ifndef TOKEN_PKCS11_SIGN_H
#define TOKEN_PKCS11_SIGN_H

#include "token/pkcs11-key.h"

enum { PKCS11_SIGNATURE_MAX = 1024 /* bytes: RSA of 8192 bits */ };

/* The one certificate that uri describes, as DER; needs no login. -SDE_NO_TOKEN, -SDE_TOKEN with diag. */
int pkcs11_read_certificate(struct pkcs11_modules *modules, P11KitUri *uri, void *der, size_t room, size_t *ret_len,
	struct diag *diag) MUST_CHECK;

/*
 * Signs with the one private key that uri describes and that is for signing. RSA: data is a DigestInfo, the
 * signature is that of PKCS #1 v1.5. EC: data is a hash, the signature r and s, each as long as the curve's order.
 * A key that wants the PIN before each use asks for it once more.
 */
int pkcs11_sign(struct pkcs11_modules *modules, P11KitUri *uri, const struct token_ui *ui, const void *data, size_t len,
	void *signature, size_t room, size_t *ret_len, struct diag *diag) MUST_CHECK;

#endif
