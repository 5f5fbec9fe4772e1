/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * token/ without a drive, for tests/token-pkcs11.sh:
 *	tokentool enroll MODULE URI PIN any|oaep|v15	prints uri, padding, wrapped (base64), passphrase
 *	tokentool unlock MODULE URI PADDING WRAPPED PIN	prints the passphrase
 * PIN "-": nobody is there to ask. What is secret here is secret to nobody.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keymgr/base64.h"
#include "kernel-shim/cryptdev.h"
#include "token/helper.h"
#include "token/pkcs11-unlock.h"

struct request {
	const char *module, *uri, *pin;
	enum pkcs11_paddings paddings;
	struct token_pkcs11 token;
};

static int ask_pin(void *ctx, const char *name, enum token_pin_state state, int retries,
	struct secret **ret_pin, struct diag *diag)
{
	const struct request *request = ctx;

	printf("asked for: %s, state %d\n", name, state);
	if (strcmp(request->pin, "-") == 0)
		return -SDE_CANCELLED;
	return secret_new_copy(request->pin, strlen(request->pin), ret_pin);
}

static void tell(void *ctx, const char *name, const char *text)
{
	printf("told: %s: %s\n", name, text);
}

static int enroll(void *ctx, struct secret **ret_secret, void *data, size_t room, size_t *ret_len,
	struct diag *diag)
{
	struct request *request = ctx;
	const struct token_ui ui = {ask_pin, tell, request};
	CLEANUP_PKCS11_MODULES struct pkcs11_modules *modules = NULL;
	CLEANUP_PKCS11_URI P11KitUri *uri = NULL;
	struct pkcs11_enrolled *enrolled = data;
	int r = pkcs11_load(request->module, &modules, diag);

	r = r < 0 ? r : pkcs11_uri_parse(request->uri, &uri, diag);
	r = r < 0 ? r : pkcs11_enroll(modules, uri, request->paddings, &ui, enrolled, ret_secret, diag);
	*ret_len = sizeof(*enrolled);
	return r;
}

static int unlock(void *ctx, struct secret **ret_secret, void *data, size_t room, size_t *ret_len,
	struct diag *diag)
{
	struct request *request = ctx;
	const struct token_ui ui = {ask_pin, tell, request};
	CLEANUP_PKCS11_MODULES struct pkcs11_modules *modules = NULL;
	size_t index;
	int r = pkcs11_load(request->module, &modules, diag);

	return r < 0 ? r
		     : pkcs11_unlock(modules, &request->token, 1, NULL, &ui, &index, ret_secret, diag);
}

static int report(int r, const struct diag *diag, const struct secret *passphrase)
{
	if (r < 0) {
		printf("failed: %s: %s\n", error_text(r), diag->detail);
		return error_exit_status(r);
	}
	printf("passphrase: %.*s\n", (int)secret_len(passphrase), (const char *)secret_data_const(passphrase));
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	CLEANUP_SECRET struct secret *passphrase = NULL;
	struct pkcs11_enrolled enrolled;
	struct request request = {0};
	struct diag diag = {0};
	size_t len = 0;
	int r;

	if (crypto_init() < 0 || argc < 6)
		return EXIT_USAGE;
	request.module = argv[2];
	request.uri = argv[3];
	if (strcmp(argv[1], "enroll") == 0) {
		char text[BASE64_CHARS(TOKEN_WRAPPED_MAX) + 1];

		request.pin = argv[4];
		request.paddings = strcmp(argv[5], "oaep") == 0	 ? PKCS11_OAEP_ONLY
				   : strcmp(argv[5], "v15") == 0 ? PKCS11_V15_ONLY
								 : PKCS11_ANY_PADDING;
		r = helper_run(enroll, &request, &passphrase, &enrolled, sizeof(enrolled), &len, &diag);
		if (r == 0) {
			base64_encode(enrolled.token.wrapped, enrolled.token.wrapped_len, text);
			printf("uri: %s\npadding: %d\nec: %d\nserial: %s\nlabel: %s\nwrapped: %s\n",
				enrolled.token.uri, enrolled.token.padding, enrolled.ec, enrolled.serial,
				enrolled.label, text);
		}
		return report(r, &diag, passphrase);
	}
	if (argc < 7 || strlen(argv[3]) >= sizeof(request.token.uri))
		return EXIT_USAGE;
	strcpy(request.token.uri, argv[3]);
	request.token.padding = atoi(argv[4]);
	if (base64_decode(argv[5], request.token.wrapped, sizeof(request.token.wrapped),
		    &request.token.wrapped_len) < 0)
		return EXIT_USAGE;
	request.pin = argv[6];
	r = helper_run(unlock, &request, &passphrase, NULL, 0, &len, &diag);
	return report(r, &diag, passphrase);
}
