/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/pkcs11-sign.h"

#include <string.h>

#include "base/i18n.h"

static CK_BBOOL yes = CK_TRUE;

/* The one object of a class, with one more attribute that has to be true (unless it is 0). */
static int find_one(struct pkcs11_session *session, P11KitUri *uri, CK_OBJECT_CLASS class, CK_ATTRIBUTE_TYPE flag,
	const char *none, CK_OBJECT_HANDLE *ret_object, struct diag *diag)
{
	const CK_ATTRIBUTE extra[] = {
		{CKA_CLASS, &class, sizeof(class)},
		{flag, &yes, sizeof(yes)},
	};
	CK_OBJECT_HANDLE found[PKCS11_FOUND_MAX];
	CK_ULONG count;
	int r = pkcs11_find_objects(session, uri, extra, flag ? 2 : 1, found, &count, diag);

	if (r < 0)
		return r;
	if (count > 1)
		return diag_set(diag, -SDE_TOKEN, _("the token has several keys: name one of them by its id"));
	if (count == 0)
		return diag_set(diag, -SDE_TOKEN, "%s", none);
	*ret_object = found[0];
	return 0;
}

int pkcs11_read_certificate(struct pkcs11_modules *modules, P11KitUri *uri, void *der, size_t room, size_t *ret_len,
	struct diag *diag)
{
	CLEANUP_PKCS11_SESSION struct pkcs11_session session = {0};
	CLEANUP_FREE uint8_t *value = NULL;
	struct pkcs11_token token;
	CK_OBJECT_HANDLE object;
	size_t len;
	int r = pkcs11_find_token(modules, uri, NULL, &token, diag);

	r = r < 0 ? r : pkcs11_open(&token, &session, diag);
	r = r < 0 ? r : find_one(&session, uri, CKO_CERTIFICATE, 0, _("the token has no certificate of that key"), &object, diag);
	r = r < 0 ? r : pkcs11_attribute(&session, object, CKA_VALUE, &value, &len);
	if (r < 0)
		return r;
	if (len > room)
		return diag_set(diag, -SDE_TOKEN, _("the token's certificate is too long"));
	memcpy(der, value, len);
	*ret_len = len;
	return 0;
}

/* Cards of officials often have a key for signatures that wants the PIN each time. */
static int login_for_use(struct pkcs11_session *session, CK_OBJECT_HANDLE key, const struct token_ui *ui, struct diag *diag)
{
	CK_BBOOL each_time = CK_FALSE;
	CK_ATTRIBUTE value = {CKA_ALWAYS_AUTHENTICATE, &each_time, sizeof(each_time)};
	CK_RV rv = session->token->module->C_GetAttributeValue(session->handle, key, &value, 1);

	/* older modules do not know the attribute */
	if (rv != CKR_OK || value.ulValueLen != sizeof(each_time) || !each_time)
		return 0;
	return pkcs11_login_for_use(session, ui, diag);
}

static int sign_with(struct pkcs11_session *session, CK_OBJECT_HANDLE key, const struct token_ui *ui, const void *data,
	size_t len, void *signature, size_t room, size_t *ret_len, struct diag *diag)
{
	CK_FUNCTION_LIST *module = session->token->module;
	CK_KEY_TYPE type = 0;
	CK_MECHANISM mechanism = {0};
	CK_ULONG signature_len = room;
	CK_RV rv;
	int r = pkcs11_key_type(session, key, &type, diag);

	if (r == 0 && type != CKK_RSA && type != CKK_EC)
		r = diag_set(diag, -SDE_TOKEN, _("the token's key is neither RSA nor EC"));
	if (r < 0)
		return r;
	mechanism.mechanism = type == CKK_RSA ? CKM_RSA_PKCS : CKM_ECDSA;
	rv = module->C_SignInit(session->handle, &mechanism, key);
	r = rv == CKR_OK ? login_for_use(session, key, ui, diag) : pkcs11_error(rv, diag);
	if (r < 0)
		return r;
	/* the interface has no const, but does not write to it */
	rv = module->C_Sign(session->handle, (CK_BYTE *)(uintptr_t)data, len, signature, &signature_len);
	if (rv != CKR_OK)
		return pkcs11_error(rv, diag);
	if (signature_len == 0 || signature_len > room)
		return pkcs11_error(CKR_GENERAL_ERROR, diag);
	*ret_len = signature_len;
	return 0;
}

int pkcs11_sign(struct pkcs11_modules *modules, P11KitUri *uri, const struct token_ui *ui, const void *data, size_t len,
	void *signature, size_t room, size_t *ret_len, struct diag *diag)
{
	CLEANUP_PKCS11_SESSION struct pkcs11_session session = {0};
	struct pkcs11_token token;
	CK_OBJECT_HANDLE key;
	int r = pkcs11_find_token(modules, uri, NULL, &token, diag);

	r = r < 0 ? r : pkcs11_open(&token, &session, diag);
	r = r < 0 ? r : pkcs11_login(&session, ui, diag);
	r = r < 0 ? r : find_one(&session, uri, CKO_PRIVATE_KEY, CKA_SIGN, _("the token has no such key for signatures"), &key, diag);
	return r < 0 ? r : sign_with(&session, key, ui, data, len, signature, room, ret_len, diag);
}
