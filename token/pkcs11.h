/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tokens that speak PKCS #11 2.40 (smart cards, HSMs), through p11-kit: modules, the tokens in their
 * slots, sessions. Only in the short-lived process of token/helper.h.
 */
#ifndef TOKEN_PKCS11_H
#define TOKEN_PKCS11_H

#include <p11-kit/p11-kit.h>

#include "token/pkcs11-uri.h"
#include "token/ui.h"

enum { PKCS11_TOKENS_MAX = 64, PKCS11_NAME_MAX = 160 };

struct pkcs11_modules;

struct pkcs11_token {
	CK_FUNCTION_LIST *module; /* valid as long as the modules are loaded */
	CK_SLOT_ID slot;
	CK_TOKEN_INFO info;
	char name[PKCS11_NAME_MAX]; /* "label (manufacturer, serial number)", safe to show */
};

struct pkcs11_session {
	const struct pkcs11_token *token;
	CK_SESSION_HANDLE handle;
};

/* path: one module; NULL: all that are registered with p11-kit. -SDE_TOKEN. */
int pkcs11_load(const char *path, struct pkcs11_modules **ret_modules, struct diag *diag) MUST_CHECK;
void pkcs11_unload(struct pkcs11_modules *modules);

static inline void cleanup_pkcs11_modules(struct pkcs11_modules **modules)
{
	pkcs11_unload(*modules);
}
#define CLEANUP_PKCS11_MODULES CLEANUP(cleanup_pkcs11_modules)

/* The initialised tokens that uri (NULL: any) describes, at most PKCS11_TOKENS_MAX; returns their
 * number. A module that fails is passed over. */
size_t pkcs11_find_tokens(struct pkcs11_modules *modules, P11KitUri *uri, struct pkcs11_token *tokens);

/* Of tokens that were found, the one that uri and only (NULL: any) describe; errors as pkcs11_find_token(). */
int pkcs11_choose_token(const struct pkcs11_token *found, size_t count, P11KitUri *uri, P11KitUri *only,
	struct pkcs11_token *ret_token, struct diag *diag) MUST_CHECK;

/* The one token that uri and only (NULL: any) describe. Two that both could be it are not told apart: neither gets
 * a PIN that may be the other's. -SDE_NO_TOKEN; -SDE_TOKEN with diag. */
int pkcs11_find_token(struct pkcs11_modules *modules, P11KitUri *uri, P11KitUri *only,
	struct pkcs11_token *ret_token, struct diag *diag) MUST_CHECK;

int pkcs11_open(const struct pkcs11_token *token, struct pkcs11_session *ret_session,
	struct diag *diag) MUST_CHECK;
void pkcs11_close(struct pkcs11_session *session);
#define CLEANUP_PKCS11_SESSION CLEANUP(pkcs11_close)

/*
 * Logs in as the user: asks for the PIN unless the token needs none or has a keypad of its own. Once:
 * a wrong PIN is not asked for again, nor tried again. -SDE_PIN, -SDE_PIN_LOCKED, -SDE_NO_TOKEN
 * (pulled out meanwhile), -SDE_CANCELLED, -SDE_TOKEN.
 */
int pkcs11_login(struct pkcs11_session *session, const struct token_ui *ui, struct diag *diag) MUST_CHECK;

/* The same once more, for the one use of a key that has begun (CKA_ALWAYS_AUTHENTICATE). */
int pkcs11_login_for_use(struct pkcs11_session *session, const struct token_ui *ui, struct diag *diag) MUST_CHECK;

/* The error that a failed call stands for. */
int pkcs11_error(CK_RV rv, struct diag *diag);

#endif
