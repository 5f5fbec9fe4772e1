/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys on smart cards and HSMs. Module, PIN and key stay in the process of token/helper.h; what comes back is a
 * certificate or a signature.
 */
#include "cli/sign-token.h"

#include <string.h>

#include "base/i18n.h"
#include "cli/aside.h"
#include "cli/token.h"
#include "token/pkcs11-sign.h"

struct request {
	const struct sign_args *args;
	const void *data; /* NULL: its certificate is wanted */
	size_t len;
};

static int in_helper(void *ctx, struct secret **ret_secret, void *out, size_t room, size_t *ret_len, struct diag *diag)
{
	const struct request *request = ctx;
	struct cli_token_options options = request->args->token;
	struct token_ui ui;
	CLEANUP_PKCS11_MODULES struct pkcs11_modules *modules = NULL;
	CLEANUP_PKCS11_URI P11KitUri *uri = NULL;
	int r = pkcs11_uri_parse(request->args->key, &uri, diag);

	/* nothing else can sign */
	options.wanted = true;
	ui = cli_token_ui(&options);
	r = r < 0 ? r : pkcs11_load(request->args->token.module, &modules, diag);
	if (r < 0)
		return r;
	return request->data ? pkcs11_sign(modules, uri, &ui, request->data, request->len, out, room, ret_len, diag)
			     : pkcs11_read_certificate(modules, uri, out, room, ret_len, diag);
}

static int ask(const struct request *request, void *out, size_t room, size_t *ret_len, struct diag *diag)
{
	CLEANUP_SECRET struct secret *none = NULL;
	int r = aside_run(in_helper, (void *)(uintptr_t)request, &none, out, room, ret_len, diag);

	/* what those say is about opening drives */
	if (r == -SDE_NO_TOKEN)
		return diag_set(diag, -SDE_SIGN, _("the token is not plugged in: %s"), request->args->key);
	return r == -SDE_TOKEN ? -SDE_SIGN : r;
}

bool sign_token_wanted(const struct sign_args *args)
{
	return args->key && strncmp(args->key, "pkcs11:", strlen("pkcs11:")) == 0;
}

int sign_token_certificate(const struct sign_args *args, uint8_t *der, size_t room, size_t *ret_len, struct diag *diag)
{
	const struct request request = {.args = args};

	return ask(&request, der, room, ret_len, diag);
}

int sign_token_sign(void *ctx, const void *data, size_t len, uint8_t signature[CMS_SIGNATURE_MAX], size_t *ret_len,
	struct diag *diag)
{
	const struct request request = {ctx, data, len};

	return ask(&request, signature, CMS_SIGNATURE_MAX, ret_len, diag);
}
