/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/pkcs11-unlock.h"

#include <string.h>

#include "base/i18n.h"

static int unlock_with(const struct pkcs11_token *token, P11KitUri *uri, const struct token_pkcs11 *wrapped,
	const struct token_ui *ui, struct secret **ret_passphrase, struct diag *diag)
{
	CLEANUP_PKCS11_SESSION struct pkcs11_session session = {0};
	CLEANUP_SECRET struct secret *d = NULL;
	CK_OBJECT_HANDLE key;
	int r = pkcs11_open(token, &session, diag);

	r = r < 0 ? r : pkcs11_login(&session, ui, diag);
	r = r < 0 ? r : pkcs11_find_private(&session, uri, &key, diag);
	r = r < 0 ? r : pkcs11_unwrap(&session, key, wrapped, &d, diag);
	/* pulled out meanwhile: its PIN may have been typed, and is not for the next one */
	if (r == -SDE_NO_TOKEN)
		return -SDE_TOKEN;
	return r < 0 ? r : token_passphrase(d, ret_passphrase);
}

int pkcs11_unlock(struct pkcs11_modules *modules, const struct token_pkcs11 *tokens, size_t count,
	P11KitUri *only, const struct token_ui *ui, size_t *ret_index, struct secret **ret_passphrase,
	struct diag *diag)
{
	/* once for all of them: a reader may take its time to answer */
	struct pkcs11_token found[PKCS11_TOKENS_MAX];
	size_t found_count = pkcs11_find_tokens(modules, NULL, found);
	int worst = -SDE_NO_TOKEN;

	for (size_t i = 0; i < count; i++) {
		CLEANUP_PKCS11_URI P11KitUri *uri = NULL;
		struct pkcs11_token token;
		int r = pkcs11_uri_parse(tokens[i].uri, &uri, diag);

		r = r < 0 ? r : pkcs11_choose_token(found, found_count, uri, only, &token, diag);
		if (r == 0) {
			*ret_index = i;
			return unlock_with(&token, uri, &tokens[i], ui, ret_passphrase, diag);
		}
		if (r != -SDE_NO_TOKEN)
			worst = r;
	}
	return worst;
}

static int try_paddings(struct pkcs11_session *session, CK_OBJECT_HANDLE private, const struct pubkey *key,
	enum pkcs11_paddings paddings, struct token_pkcs11 *token, struct secret **ret_passphrase,
	struct diag *diag)
{
	static const enum token_padding best_first[] = {TOKEN_OAEP_SHA256, TOKEN_OAEP_SHA1, TOKEN_PKCS1V15};
	int r = -SDE_TOKEN;

	for (size_t i = 0; i < ARRAY_SIZE(best_first) && r == -SDE_TOKEN; i++) {
		CLEANUP_SECRET struct secret *passphrase = NULL;
		CLEANUP_SECRET struct secret *d = NULL;
		CLEANUP_SECRET struct secret *again = NULL;
		bool v15 = best_first[i] == TOKEN_PKCS1V15;

		if (paddings == (v15 ? PKCS11_OAEP_ONLY : PKCS11_V15_ONLY) && key->type == PUBKEY_RSA)
			continue;
		r = pubkey_wrap(key, best_first[i], token, &passphrase, diag);
		r = r < 0 ? r : pkcs11_unwrap(session, private, token, &d, NULL);
		r = r < 0 ? r : token_passphrase(d, &again);
		if (r == 0 && !secret_equal(passphrase, again))
			r = -SDE_TOKEN;
		if (r == 0)
			*ret_passphrase = take_ptr(passphrase);
		if (key->type == PUBKEY_EC)
			break;
	}
	return r == -SDE_TOKEN ? diag_set(diag, r, _("the token did not give back what was encrypted for it"))
			       : r;
}

static void copy_field(char *out, const CK_UTF8CHAR *field, size_t len)
{
	while (len > 0 && (field[len - 1] == ' ' || field[len - 1] == '\0'))
		len--;
	memcpy(out, field, len);
	out[len] = '\0';
}

static void describe(const struct pkcs11_token *token, struct pkcs11_enrolled *enrolled)
{
	const CK_TOKEN_INFO *info = &token->info;

	copy_field(enrolled->label, info->label, sizeof(info->label));
	copy_field(enrolled->serial, info->serialNumber, sizeof(info->serialNumber));
	copy_field(enrolled->maker, info->manufacturerID, sizeof(info->manufacturerID));
	copy_field(enrolled->model, info->model, sizeof(info->model));
}

int pkcs11_enroll(struct pkcs11_modules *modules, P11KitUri *uri, enum pkcs11_paddings paddings,
	const struct token_ui *ui, struct pkcs11_enrolled *ret_enrolled, struct secret **ret_passphrase,
	struct diag *diag)
{
	CLEANUP_PKCS11_SESSION struct pkcs11_session session = {0};
	CLEANUP_PKCS11_URI P11KitUri *private_uri = NULL;
	CLEANUP_FREE char *text = NULL;
	struct pkcs11_enrolled enrolled = {0};
	struct pkcs11_token token;
	CK_OBJECT_HANDLE private;
	struct pubkey key;
	int r = pkcs11_find_token(modules, uri, NULL, &token, diag);

	r = r < 0 ? r : pkcs11_open(&token, &session, diag);
	r = r < 0 ? r : pkcs11_find_public(&session, uri, &key, &text, diag);
	r = r < 0 ? r : pkcs11_uri_parse(text, &private_uri, diag);
	if (r < 0)
		return r;
	if (strlen(text) >= sizeof(enrolled.token.uri))
		return diag_set(diag, -SDE_TOKEN, _("the token's URI is too long"));
	strcpy(enrolled.token.uri, text);
	enrolled.ec = key.type == PUBKEY_EC;
	describe(&token, &enrolled);
	r = pkcs11_login(&session, ui, diag);
	r = r < 0 ? r : pkcs11_find_private(&session, private_uri, &private, diag);
	r = r < 0 ? r : try_paddings(&session, private, &key, paddings, &enrolled.token, ret_passphrase, diag);
	if (r == 0)
		*ret_enrolled = enrolled;
	return r;
}

#define ENDS(text) (memchr((text), 0, sizeof(text)) != NULL)

static bool uri_valid(const char *text)
{
	CLEANUP_PKCS11_URI P11KitUri *uri = NULL;

	return pkcs11_uri_parse(text, &uri, NULL) == 0;
}

bool pkcs11_enrolled_valid(const struct pkcs11_enrolled *enrolled)
{
	const struct token_pkcs11 *token = &enrolled->token;
	uint8_t ec;

	memcpy(&ec, &enrolled->ec, sizeof(ec));
	if (ec > 1 || token->padding > TOKEN_OAEP_SHA256 || !ENDS(token->uri) || !uri_valid(token->uri))
		return false;
	return token->wrapped_len > 0 && token->wrapped_len <= sizeof(token->wrapped) &&
	       ENDS(enrolled->label) && ENDS(enrolled->serial) && ENDS(enrolled->maker) && ENDS(enrolled->model);
}
