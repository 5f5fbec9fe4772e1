/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/enroll.h"

#include <string.h>

#include "cli/aside.h"
#include "cli/token.h"
#include "keymgr/token.h"

bool enroll_is_fido2(const char *uri)
{
	return uri && strcmp(uri, "fido2") == 0;
}

bool enroll_is_card(const char *uri)
{
	return uri && strncmp(uri, "pkcs11:", strlen("pkcs11:")) == 0;
}

int enroll_check_token(const struct command *command, const char *option, const char *text)
{
	CLEANUP_PKCS11_URI P11KitUri *uri = NULL;
	struct diag diag = {0};

	if (enroll_is_fido2(text))
		return EXIT_DONE;
	if (!enroll_is_card(text))
		return cli_usage(command, _("%s is 'pkcs11:...' or 'fido2', not '%s'"), option, text);
	return pkcs11_uri_parse(text, &uri, &diag) < 0 ? cli_usage(command, "%s", diag.detail) : EXIT_DONE;
}

const char *enrolled_name(const struct enrolled *enrolled)
{
	return enrolled->fido2 ? enrolled->key.name : enrolled->card.label;
}

void enrolled_part(const struct enrolled *enrolled, struct both_part *part)
{
	part->kind = enrolled->fido2 ? TOKEN_FIDO2 : TOKEN_PKCS11;
	if (enrolled->fido2)
		part->fido2 = enrolled->key.token;
	else
		part->pkcs11 = enrolled->card.token;
}

/* ---- in the helper ---- */

static int enroll_card(const struct enroll_request *request, const struct token_ui *ui, struct enrolled *enrolled,
	struct secret **ret_secret, struct diag *diag)
{
	CLEANUP_PKCS11_MODULES struct pkcs11_modules *modules = NULL;
	CLEANUP_PKCS11_URI P11KitUri *uri = NULL;
	int r = pkcs11_load(request->options.module, &modules, diag);

	r = r < 0 ? r : pkcs11_uri_parse(request->uri, &uri, diag);
	return r < 0 ? r : pkcs11_enroll(modules, uri, request->args->paddings, ui, &enrolled->card, ret_secret, diag);
}

static int enroll_key(const struct enroll_request *request, const struct token_ui *ui, struct enrolled *enrolled,
	struct secret **ret_secret, struct diag *diag)
{
	const struct token_fido2 *others[ENROLL_OTHERS_MAX];
	const struct key_args *args = request->args;
	struct fido2_params params = {
		.no_pin = args->no_pin,
		.no_touch = args->no_touch,
		.verification = args->verification,
		.others = others,
		.user = request->hdr->uuid,
		.drive = request->hdr->label[0] ? request->hdr->label : request->hdr->uuid,
	};

	for (size_t i = 0; i < request->other_count && params.other_count < ARRAY_SIZE(others); i++)
		if (request->others[i].fido2)
			others[params.other_count++] = &request->others[i].key.token;
	return fido2_enroll(&params, ui, &enrolled->key, ret_secret, diag);
}

static int enroll_in_helper(void *ctx, struct secret **ret_secret, void *data, size_t room, size_t *ret_len,
	struct diag *diag)
{
	const struct enroll_request *request = ctx;
	const struct token_ui ui = cli_token_ui(&request->options);
	struct enrolled *enrolled = data;

	*ret_len = sizeof(*enrolled);
	enrolled->fido2 = enroll_is_fido2(request->uri);
	return enrolled->fido2 ? enroll_key(request, &ui, enrolled, ret_secret, diag)
			       : enroll_card(request, &ui, enrolled, ret_secret, diag);
}

/* ---- what came back ---- */

/* base64 of 32 bytes, the least that any token gives: with less, the key slot would be too cheap to guess. */
enum { PASSPHRASE_CHARS_MIN = 44 };

/* A module may have done anything to the process that this comes from. */
static bool credible(const struct enrolled *enrolled, const struct secret *passphrase, const char *uri)
{
	uint8_t fido2;

	memcpy(&fido2, &enrolled->fido2, sizeof(fido2));
	if (fido2 > 1 || !passphrase || secret_len(passphrase) < PASSPHRASE_CHARS_MIN)
		return false;
	return enrolled->fido2 == enroll_is_fido2(uri) &&
	       (enrolled->fido2 ? fido2_enrolled_valid(&enrolled->key) : pkcs11_enrolled_valid(&enrolled->card));
}

/* There is nothing yet that a token could open. */
static int not_enrolled(int err, const char *uri, struct diag *diag)
{
	if (err == -SDE_NO_TOKEN)
		return enroll_is_fido2(uri)
			       ? -SDE_ENROLL
			       : diag_set(diag, -SDE_ENROLL, _("no card that '%s' describes is plugged in"), uri);
	return err == -SDE_TOKEN ? -SDE_ENROLL : err;
}

static int enroll_once(const struct enroll_request *request, struct enrolled *enrolled, struct secret **ret_secret,
	struct diag *diag)
{
	size_t len = 0;
	int r = aside_run(enroll_in_helper, (void *)request, ret_secret, enrolled, sizeof(*enrolled), &len, diag);

	if (r == 0 && (len != sizeof(*enrolled) || !credible(enrolled, *ret_secret, request->uri)))
		r = -SDE_TOKEN;
	return r;
}

static bool is_other(const struct enroll_request *request, const struct enrolled *enrolled)
{
	for (size_t i = 0; i < request->other_count; i++)
		if (!enrolled->fido2 && !request->others[i].fido2 &&
			strcmp(enrolled->card.token.uri, request->others[i].card.token.uri) == 0)
			return true;
	return false;
}

int enroll_token(const struct enroll_request *request, struct enrolled *ret_enrolled, struct secret **ret_secret,
	struct diag *diag)
{
	CLEANUP_SECRET struct secret *secret = NULL;
	struct diag why = {0};
	int r = enroll_once(request, ret_enrolled, &secret, &why);

	if (r == -SDE_NO_TOKEN && request->wait && cli_token_wait(request->wait)) {
		why = (struct diag){0};
		r = enroll_once(request, ret_enrolled, &secret, &why);
	}
	r = not_enrolled(r, request->uri, &why);
	if (r < 0)
		return why.detail[0] ? diag_set(diag, r, "%s", why.detail) : r;
	if (is_other(request, ret_enrolled))
		return diag_set(diag, -SDE_ENROLL, _("both are the same key"));
	*ret_secret = take_ptr(secret);
	return 0;
}
