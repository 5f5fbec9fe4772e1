/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What work with a token asks of, and tells to, whoever sits in front of the computer. */
#ifndef TOKEN_UI_H
#define TOKEN_UI_H

#include "base/error.h"
#include "base/secret.h"

enum token_pin_state {
	TOKEN_PIN_FINE,
	TOKEN_PIN_LOW,	 /* a wrong one was entered since the last right one */
	TOKEN_PIN_FINAL, /* a wrong one now locks the token */
};

struct token_ui {
	/* name: the token's, safe to show. retries: how many are left, -1 when the token does not tell. */
	int (*ask_pin)(void *ctx, const char *name, enum token_pin_state state, int retries,
		struct secret **ret_pin, struct diag *diag);
	/* A sentence such as "Touch the security key now.", translated. */
	void (*tell)(void *ctx, const char *name, const char *text);
	void *ctx;
};

#endif
