/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/pkcs11-key.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"

enum {
	TEMPLATE_MAX = 8,
	ATTRIBUTE_MAX = 16 * 1024, /* bytes: certificates */
	SHARED_MAX = 66,	   /* bytes: P-521 */
};

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

int pkcs11_find_objects(struct pkcs11_session *session, P11KitUri *uri, const CK_ATTRIBUTE *extra, size_t extra_count,
	CK_OBJECT_HANDLE found[PKCS11_FOUND_MAX], CK_ULONG *ret_count, struct diag *diag)
{
	CK_FUNCTION_LIST *module = session->token->module;
	CK_ATTRIBUTE template[TEMPLATE_MAX];
	CK_ULONG count = 0, named = 0;
	CK_ATTRIBUTE *attributes = uri ? p11_kit_uri_get_attributes(uri, &named) : NULL;
	CK_RV rv;

	for (CK_ULONG i = 0; i < named && count + extra_count < TEMPLATE_MAX; i++)
		template[count++] = attributes[i];
	for (size_t i = 0; i < extra_count; i++)
		template[count++] = extra[i];
	rv = module->C_FindObjectsInit(session->handle, template, count);
	if (rv != CKR_OK)
		return pkcs11_error(rv, diag);
	*ret_count = 0;
	rv = module->C_FindObjects(session->handle, found, PKCS11_FOUND_MAX, ret_count);
	module->C_FindObjectsFinal(session->handle);
	return rv == CKR_OK && *ret_count > PKCS11_FOUND_MAX ? -SDE_TOKEN : pkcs11_error(rv, diag);
}

int pkcs11_find_private(struct pkcs11_session *session, P11KitUri *uri, CK_OBJECT_HANDLE *ret_key,
	struct diag *diag)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	const CK_ATTRIBUTE_TYPE uses[] = {CKA_DECRYPT, CKA_DERIVE};
	CK_OBJECT_HANDLE found[PKCS11_FOUND_MAX] = {CK_INVALID_HANDLE};
	CK_ULONG count = 0;
	bool many = false;

	for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
		CK_ATTRIBUTE extra[] = {
			{CKA_CLASS, &class, sizeof(class)},
			{uses[i], &yes, sizeof(yes)},
		};
		int r = pkcs11_find_objects(session, uri, extra, ARRAY_SIZE(extra), found, &count, diag);

		if (r < 0)
			return r;
		if (count == 1) {
			*ret_key = found[0];
			return 0;
		}
		many |= count > 1;
	}
	return many ? diag_set(diag, -SDE_TOKEN, _("the token has several keys that it could be"))
		    : diag_set(diag, -SDE_TOKEN, _("the token does not have the key"));
}

int pkcs11_attribute(struct pkcs11_session *session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
	uint8_t **ret_value, size_t *ret_len)
{
	CK_FUNCTION_LIST *module = session->token->module;
	CK_ATTRIBUTE value = {type, NULL, 0};
	CLEANUP_FREE uint8_t *data = NULL;
	CK_ULONG room;

	if (module->C_GetAttributeValue(session->handle, object, &value, 1) != CKR_OK ||
		value.ulValueLen > ATTRIBUTE_MAX) /* also CK_UNAVAILABLE_INFORMATION */
		return -SDE_TOKEN;
	data = calloc(1, value.ulValueLen + 1);
	if (!data)
		return -ENOMEM;
	value.pValue = data;
	room = value.ulValueLen; /* the module may say another length each time */
	if (module->C_GetAttributeValue(session->handle, object, &value, 1) != CKR_OK || value.ulValueLen > room)
		return -SDE_TOKEN;
	*ret_len = value.ulValueLen;
	*ret_value = take_ptr(data);
	return 0;
}

int pkcs11_key_type(struct pkcs11_session *session, CK_OBJECT_HANDLE key, CK_KEY_TYPE *ret_type, struct diag *diag)
{
	CK_ATTRIBUTE value = {CKA_KEY_TYPE, ret_type, sizeof(*ret_type)};
	CK_RV rv = session->token->module->C_GetAttributeValue(session->handle, key, &value, 1);

	return pkcs11_error(rv == CKR_OK && value.ulValueLen != sizeof(*ret_type) ? CKR_GENERAL_ERROR : rv, diag);
}

/* One answer whatever is wrong with it, so that nobody learns anything about the padding. */
static int not_decrypted(CK_RV rv, struct diag *diag)
{
	int r = pkcs11_error(rv, NULL);

	if (r == -SDE_TOKEN)
		return diag_set(diag, r, _("the token cannot decrypt the key slot's secret"));
	return pkcs11_error(rv, diag);
}

static int unwrap_rsa(struct pkcs11_session *session, CK_OBJECT_HANDLE key, const struct token_pkcs11 *token,
	struct secret **ret_d, struct diag *diag)
{
	CK_FUNCTION_LIST *module = session->token->module;
	bool sha256 = token->padding == TOKEN_OAEP_SHA256;
	CK_RSA_PKCS_OAEP_PARAMS oaep = {
		.hashAlg = sha256 ? CKM_SHA256 : CKM_SHA_1,
		.mgf = sha256 ? CKG_MGF1_SHA256 : CKG_MGF1_SHA1,
		.source = CKZ_DATA_SPECIFIED,
	};
	CK_MECHANISM mechanism = {CKM_RSA_PKCS, NULL, 0};
	CLEANUP_SECRET struct secret *d = NULL;
	CK_ULONG len = token->wrapped_len;
	CK_RV rv;
	int r;

	if (token->padding != TOKEN_PKCS1V15)
		mechanism = (CK_MECHANISM){CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep)};
	r = secret_new(len, &d);
	if (r < 0)
		return r;
	rv = module->C_DecryptInit(session->handle, &mechanism, key);
	if (rv == CKR_OK)
		rv = module->C_Decrypt(session->handle, (CK_BYTE *)token->wrapped, token->wrapped_len,
			secret_data(d), &len);
	if (rv != CKR_OK || len == 0 || len > token->wrapped_len)
		return not_decrypted(rv == CKR_OK ? CKR_GENERAL_ERROR : rv, diag);
	secret_truncate(d, len);
	*ret_d = take_ptr(d);
	return 0;
}

/* The derived secret's bytes, which then leaves the token again. */
static int take_value(struct pkcs11_session *session, CK_OBJECT_HANDLE derived, struct secret **ret_d,
	struct diag *diag)
{
	CK_FUNCTION_LIST *module = session->token->module;
	CLEANUP_SECRET struct secret *d = NULL;
	CK_ATTRIBUTE value = {CKA_VALUE, NULL, SHARED_MAX};
	CK_RV rv;
	int r = secret_new(SHARED_MAX, &d);

	if (r < 0)
		return r;
	value.pValue = secret_data(d);
	rv = module->C_GetAttributeValue(session->handle, derived, &value, 1);
	module->C_DestroyObject(session->handle, derived);
	if (rv != CKR_OK || value.ulValueLen == 0 || value.ulValueLen > SHARED_MAX)
		return not_decrypted(rv == CKR_OK ? CKR_GENERAL_ERROR : rv, diag);
	secret_truncate(d, value.ulValueLen);
	*ret_d = take_ptr(d);
	return 0;
}

static int unwrap_ec(struct pkcs11_session *session, CK_OBJECT_HANDLE key, const struct token_pkcs11 *token,
	struct secret **ret_d, struct diag *diag)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_ULONG len = (token->wrapped_len - 1) / 2;
	CK_ATTRIBUTE template[] = {
		{CKA_TOKEN, &no, sizeof(no)},
		{CKA_CLASS, &class, sizeof(class)},
		{CKA_KEY_TYPE, &type, sizeof(type)},
		{CKA_SENSITIVE, &no, sizeof(no)},
		{CKA_EXTRACTABLE, &yes, sizeof(yes)},
		{CKA_VALUE_LEN, &len, sizeof(len)},
	};
	CK_ECDH1_DERIVE_PARAMS ecdh = {
		.kdf = CKD_NULL,
		.ulPublicDataLen = token->wrapped_len,
		.pPublicData = (CK_BYTE *)token->wrapped,
	};
	CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &ecdh, sizeof(ecdh)};
	CK_OBJECT_HANDLE derived = CK_INVALID_HANDLE;
	CK_RV rv;

	if (token->wrapped_len < 65 || token->wrapped[0] != 4)
		return diag_set(diag, -SDE_TOKEN, _("the key slot's secret is not a point of a curve"));
	rv = session->token->module->C_DeriveKey(
		session->handle, &mechanism, key, template, ARRAY_SIZE(template), &derived);
	if (rv == CKR_TEMPLATE_INCONSISTENT || rv == CKR_ATTRIBUTE_TYPE_INVALID) /* some know the length */
		rv = session->token->module->C_DeriveKey(
			session->handle, &mechanism, key, template, ARRAY_SIZE(template) - 1, &derived);
	return rv == CKR_OK ? take_value(session, derived, ret_d, diag) : not_decrypted(rv, diag);
}

int pkcs11_unwrap(struct pkcs11_session *session, CK_OBJECT_HANDLE key, const struct token_pkcs11 *token,
	struct secret **ret_d, struct diag *diag)
{
	CK_KEY_TYPE type = 0;
	int r = pkcs11_key_type(session, key, &type, diag);

	if (r < 0)
		return r;
	if (type == CKK_RSA)
		return unwrap_rsa(session, key, token, ret_d, diag);
	if (type == CKK_EC)
		return unwrap_ec(session, key, token, ret_d, diag);
	return diag_set(diag, -SDE_TOKEN, _("the token's key is neither RSA nor EC"));
}

static int public_from_certificate(struct pkcs11_session *session, CK_OBJECT_HANDLE object,
	struct pubkey *ret_key, struct diag *diag)
{
	CLEANUP_FREE uint8_t *der = NULL;
	size_t len;
	int r = pkcs11_attribute(session, object, CKA_VALUE, &der, &len);

	return r < 0 ? r : pubkey_from_certificate(der, len, ret_key, diag);
}

static int public_from_key(struct pkcs11_session *session, CK_OBJECT_HANDLE object, struct pubkey *ret_key,
	struct diag *diag)
{
	CLEANUP_FREE uint8_t *first = NULL;
	CLEANUP_FREE uint8_t *second = NULL;
	size_t first_len, second_len;
	CK_KEY_TYPE type = 0;
	bool rsa;
	int r = pkcs11_key_type(session, object, &type, diag);

	if (r < 0)
		return r;
	rsa = type == CKK_RSA;
	if (!rsa && type != CKK_EC)
		return diag_set(diag, -SDE_TOKEN, _("the token's key is neither RSA nor EC"));
	r = pkcs11_attribute(session, object, rsa ? CKA_MODULUS : CKA_EC_PARAMS, &first, &first_len);
	r = r < 0 ? r : pkcs11_attribute(session, object, rsa ? CKA_PUBLIC_EXPONENT : CKA_EC_POINT, &second, &second_len);
	if (r < 0)
		return r;
	return rsa ? pubkey_from_rsa(first, first_len, second, second_len, ret_key, diag)
		   : pubkey_from_ec(first, first_len, second, second_len, ret_key, diag);
}

static int name_key(struct pkcs11_session *session, CK_OBJECT_HANDLE object, char **ret_uri_text)
{
	CLEANUP_FREE uint8_t *id = NULL;
	CLEANUP_FREE uint8_t *label = NULL;
	CK_ATTRIBUTE id_value = {CKA_ID, NULL, 0}, label_value = {CKA_LABEL, NULL, 0};
	size_t len = 0;

	if (pkcs11_attribute(session, object, CKA_ID, &id, &len) == 0)
		id_value = (CK_ATTRIBUTE){CKA_ID, id, len};
	if (pkcs11_attribute(session, object, CKA_LABEL, &label, &len) == 0)
		label_value = (CK_ATTRIBUTE){CKA_LABEL, label, len};
	return pkcs11_uri_for_key(&session->token->info, &id_value, &label_value, ret_uri_text);
}

int pkcs11_find_public(struct pkcs11_session *session, P11KitUri *uri, struct pubkey *ret_key,
	char **ret_uri_text, struct diag *diag)
{
	static const CK_OBJECT_CLASS classes[] = {CKO_CERTIFICATE, CKO_PUBLIC_KEY};
	CK_OBJECT_HANDLE found[PKCS11_FOUND_MAX] = {CK_INVALID_HANDLE};
	CK_ULONG count = 0;
	bool many = false;

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		CK_OBJECT_CLASS class = classes[i];
		CK_ATTRIBUTE extra = {CKA_CLASS, &class, sizeof(class)};
		int r = pkcs11_find_objects(session, uri, &extra, 1, found, &count, diag);

		many |= count > 1;
		if (r < 0 || count > 1)
			continue;
		if (count == 1) {
			r = class == CKO_CERTIFICATE ? public_from_certificate(session, found[0], ret_key, diag)
						     : public_from_key(session, found[0], ret_key, diag);
			return r < 0 ? r : name_key(session, found[0], ret_uri_text);
		}
	}
	return many ? diag_set(diag, -SDE_TOKEN, _("the token has several keys: name one of them by its id"))
		    : diag_set(diag, -SDE_TOKEN, _("the token has neither a certificate nor a public key"));
}
