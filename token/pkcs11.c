/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/pkcs11.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "base/text.h"

struct pkcs11_modules {
	CK_FUNCTION_LIST **list; /* NULL-terminated */
	CK_FUNCTION_LIST *single[2];
};

int pkcs11_error(CK_RV rv, struct diag *diag)
{
	switch (rv) {
	case CKR_OK:
		return 0;
	case CKR_HOST_MEMORY:
		return -ENOMEM;
	case CKR_PIN_INCORRECT:
	case CKR_PIN_INVALID:
	case CKR_PIN_LEN_RANGE:
		return -SDE_PIN;
	case CKR_PIN_LOCKED:
		return -SDE_PIN_LOCKED;
	case CKR_FUNCTION_CANCELED:
	case CKR_FUNCTION_REJECTED:
		return -SDE_CANCELLED;
	case CKR_DEVICE_REMOVED:
	case CKR_TOKEN_NOT_PRESENT:
	case CKR_SESSION_CLOSED:
	case CKR_SESSION_HANDLE_INVALID:
		return diag_set(diag, -SDE_NO_TOKEN, _("the token was pulled out"));
	case CKR_PIN_EXPIRED:
		return diag_set(diag, -SDE_TOKEN, _("the token's PIN has expired"));
	case CKR_USER_PIN_NOT_INITIALIZED:
		return diag_set(diag, -SDE_TOKEN, _("the token has no PIN yet"));
	default:
		return diag_set(diag, -SDE_TOKEN, _("the token reports: %s (0x%lx)"), p11_kit_strerror(rv),
			(unsigned long)rv);
	}
}

static int load_one(const char *path, struct pkcs11_modules *modules, struct diag *diag)
{
	CK_FUNCTION_LIST *module = p11_kit_module_load(path, 0);

	if (!module)
		return diag_set(diag, -SDE_TOKEN, _("the module '%s' cannot be loaded"), path);
	if (p11_kit_module_initialize(module) != CKR_OK) {
		p11_kit_module_release(module);
		return diag_set(diag, -SDE_TOKEN, _("the module '%s' cannot be started"), path);
	}
	modules->single[0] = module;
	modules->list = modules->single;
	return 0;
}

int pkcs11_load(const char *path, struct pkcs11_modules **ret_modules, struct diag *diag)
{
	CLEANUP_FREE struct pkcs11_modules *modules = calloc(1, sizeof(*modules));
	int r = 0;

	if (!modules)
		return -ENOMEM;
	/* what modules think is worth saying must not come between our own sentences */
	p11_kit_be_quiet();
	if (path)
		r = load_one(path, modules, diag);
	else
		modules->list = p11_kit_modules_load_and_initialize(0);
	if (r < 0)
		return r;
	if (!modules->list)
		return diag_set(diag, -SDE_TOKEN, _("no module for tokens can be loaded"));
	*ret_modules = take_ptr(modules);
	return 0;
}

void pkcs11_unload(struct pkcs11_modules *modules)
{
	if (!modules)
		return;
	if (modules->list == modules->single) {
		p11_kit_module_finalize(modules->single[0]);
		p11_kit_module_release(modules->single[0]);
	} else {
		p11_kit_modules_finalize_and_release(modules->list);
	}
	free(modules);
}

/* A field of fixed length, padded with spaces. */
static int field_text(const CK_UTF8CHAR *field, size_t len, char **ret_text)
{
	while (len > 0 && (field[len - 1] == ' ' || field[len - 1] == '\0'))
		len--;
	return text_sanitize(field, len, ret_text);
}

static void name_token(struct pkcs11_token *token)
{
	CLEANUP_FREE char *label = NULL;
	CLEANUP_FREE char *maker = NULL;
	CLEANUP_FREE char *serial = NULL;
	CLEANUP_FREE char *name = NULL;

	if (field_text(token->info.label, sizeof(token->info.label), &label) < 0 ||
		field_text(token->info.manufacturerID, sizeof(token->info.manufacturerID), &maker) < 0 ||
		field_text(token->info.serialNumber, sizeof(token->info.serialNumber), &serial) < 0)
		return;
	if (asprintf(&name, "%s (%s, %s)", label, maker, serial) < 0) {
		name = NULL;
		return;
	}
	text_cut(name, token->name, sizeof(token->name));
}

static size_t add_tokens(CK_FUNCTION_LIST *module, P11KitUri *uri, struct pkcs11_token *tokens, size_t count)
{
	CK_SLOT_ID slots[PKCS11_TOKENS_MAX];
	CK_ULONG slot_count = ARRAY_SIZE(slots);

	if (module->C_GetSlotList(CK_TRUE, slots, &slot_count) != CKR_OK || slot_count > ARRAY_SIZE(slots))
		return count;
	for (CK_ULONG i = 0; i < slot_count && count < PKCS11_TOKENS_MAX; i++) {
		struct pkcs11_token token = {.module = module, .slot = slots[i]};

		if (module->C_GetTokenInfo(slots[i], &token.info) != CKR_OK ||
			!(token.info.flags & CKF_TOKEN_INITIALIZED))
			continue;
		if (uri && !p11_kit_uri_match_token_info(uri, &token.info))
			continue;
		name_token(&token);
		tokens[count++] = token;
	}
	return count;
}

/* p11-kit lists the system's certificate authorities as a token, too. */
static bool is_trust_store(CK_FUNCTION_LIST *module)
{
	CLEANUP_FREE char *policy = p11_kit_config_option(module, "trust-policy");

	return policy && strcmp(policy, "yes") == 0;
}

size_t pkcs11_find_tokens(struct pkcs11_modules *modules, P11KitUri *uri, struct pkcs11_token *tokens)
{
	size_t count = 0;

	for (CK_FUNCTION_LIST **module = modules->list; *module; module++)
		if (!is_trust_store(*module))
			count = add_tokens(*module, uri, tokens, count);
	return count;
}

int pkcs11_choose_token(const struct pkcs11_token *found, size_t count, P11KitUri *uri, P11KitUri *only,
	struct pkcs11_token *ret_token, struct diag *diag)
{
	size_t fitting = 0;

	for (size_t i = 0; i < count; i++) {
		/* the functions of p11-kit have no const, but do not write to it */
		CK_TOKEN_INFO info = found[i].info;

		if ((uri && !p11_kit_uri_match_token_info(uri, &info)) || (only && !p11_kit_uri_match_token_info(only, &info)))
			continue;
		*ret_token = found[i];
		fitting++;
	}
	if (fitting > 1)
		return diag_set(diag, -SDE_TOKEN,
			_("several tokens that are plugged in could be the right one: leave only one in"));
	return fitting == 1 ? 0 : -SDE_NO_TOKEN;
}

int pkcs11_find_token(struct pkcs11_modules *modules, P11KitUri *uri, P11KitUri *only,
	struct pkcs11_token *ret_token, struct diag *diag)
{
	struct pkcs11_token found[PKCS11_TOKENS_MAX];
	size_t count = pkcs11_find_tokens(modules, uri, found);

	return pkcs11_choose_token(found, count, NULL, only, ret_token, diag);
}

int pkcs11_open(const struct pkcs11_token *token, struct pkcs11_session *ret_session, struct diag *diag)
{
	CK_SESSION_HANDLE handle = CK_INVALID_HANDLE;
	CK_RV rv = token->module->C_OpenSession(token->slot, CKF_SERIAL_SESSION, NULL, NULL, &handle);

	if (rv != CKR_OK)
		return pkcs11_error(rv, diag);
	*ret_session = (struct pkcs11_session){token, handle};
	return 0;
}

void pkcs11_close(struct pkcs11_session *session)
{
	if (session->token)
		session->token->module->C_CloseSession(session->handle);
	session->token = NULL;
}

static bool logged_in(const struct pkcs11_session *session)
{
	CK_SESSION_INFO info;

	return session->token->module->C_GetSessionInfo(session->handle, &info) == CKR_OK &&
	       (info.state == CKS_RO_USER_FUNCTIONS || info.state == CKS_RW_USER_FUNCTIONS);
}

static int login_with(struct pkcs11_session *session, CK_USER_TYPE user, const struct secret *pin, struct diag *diag)
{
	/* the interface has no const, but does not write to it */
	CK_UTF8CHAR *text = pin ? (CK_UTF8CHAR *)secret_data_const(pin) : NULL;
	CK_RV rv = session->token->module->C_Login(
		session->handle, user, text, pin ? secret_len(pin) : 0);

	return rv == CKR_USER_ALREADY_LOGGED_IN ? 0 : pkcs11_error(rv, diag);
}

static int ask_and_login(struct pkcs11_session *session, CK_USER_TYPE user, const CK_TOKEN_INFO *info, const struct token_ui *ui,
	struct diag *diag)
{
	CLEANUP_SECRET struct secret *pin = NULL;
	const struct pkcs11_token *token = session->token;
	int r;

	if (info->flags & CKF_USER_PIN_LOCKED)
		return -SDE_PIN_LOCKED;
	if (info->flags & CKF_PROTECTED_AUTHENTICATION_PATH) {
		ui->tell(ui->ctx, token->name, _("Enter the PIN on the token's own keypad."));
		return login_with(session, user, NULL, diag);
	}
	r = ui->ask_pin(ui->ctx, token->name,
		info->flags & CKF_USER_PIN_FINAL_TRY	? TOKEN_PIN_FINAL
		: info->flags & CKF_USER_PIN_COUNT_LOW ? TOKEN_PIN_LOW
							: TOKEN_PIN_FINE,
		-1, &pin, diag);
	return r < 0 ? r : login_with(session, user, pin, diag);
}

int pkcs11_login(struct pkcs11_session *session, const struct token_ui *ui, struct diag *diag)
{
	const struct pkcs11_token *token = session->token;
	CK_TOKEN_INFO info;
	CK_RV rv;

	if (logged_in(session))
		return 0;
	/* as it is now: another program may have tried */
	rv = token->module->C_GetTokenInfo(token->slot, &info);
	if (rv != CKR_OK)
		return pkcs11_error(rv, diag);
	if (!(info.flags & CKF_LOGIN_REQUIRED))
		return 0;
	return ask_and_login(session, CKU_USER, &info, ui, diag);
}

int pkcs11_login_for_use(struct pkcs11_session *session, const struct token_ui *ui, struct diag *diag)
{
	const struct pkcs11_token *token = session->token;
	CK_TOKEN_INFO info;
	CK_RV rv = token->module->C_GetTokenInfo(token->slot, &info);

	return rv == CKR_OK ? ask_and_login(session, CKU_CONTEXT_SPECIFIC, &info, ui, diag) : pkcs11_error(rv, diag);
}
