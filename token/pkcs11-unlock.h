/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A key slot's passphrase from a PKCS #11 token, and a new one for it. In a helper process. */
#ifndef TOKEN_PKCS11_UNLOCK_H
#define TOKEN_PKCS11_UNLOCK_H

#include "token/pkcs11-key.h"

/*
 * The first of tokens whose token is plugged in: asks for its PIN and returns the passphrase and the
 * index. -SDE_NO_TOKEN: none is plugged in. only: of those, what this URI describes; NULL: any.
 */
int pkcs11_unlock(struct pkcs11_modules *modules, const struct token_pkcs11 *tokens, size_t count,
	P11KitUri *only, const struct token_ui *ui, size_t *ret_index, struct secret **ret_passphrase,
	struct diag *diag) MUST_CHECK;

struct pkcs11_enrolled {
	struct token_pkcs11 token;
	bool ec;
	char label[33], serial[17], maker[33], model[17]; /* as the token has them: sanitize to show */
};

/* What an RSA secret may be wrapped with, best first; EC keys need no choice. */
enum pkcs11_paddings {
	PKCS11_ANY_PADDING,    /* OAEP if the token can, else PKCS #1 v1.5 */
	PKCS11_OAEP_ONLY,
	PKCS11_V15_ONLY, /* systemd up to version 260 knows no other */
};

/*
 * Makes a secret for the key that uri describes and wraps it; then logs in and has the token unwrap it,
 * so that no key slot is made that the token cannot open.
 */
int pkcs11_enroll(struct pkcs11_modules *modules, P11KitUri *uri, enum pkcs11_paddings paddings,
	const struct token_ui *ui, struct pkcs11_enrolled *ret_enrolled, struct secret **ret_passphrase,
	struct diag *diag) MUST_CHECK;

/* After it came from a process that ran a module: lengths and ends of texts are inside of the arrays, choices are
 * among those that there are, and the URI is one that would be used. */
bool pkcs11_enrolled_valid(const struct pkcs11_enrolled *enrolled);

#endif
