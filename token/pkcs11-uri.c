/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/pkcs11-uri.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/i18n.h"
#include "keymgr/token.h"

/* RFC 7512 section 2.3: path attributes, of which those of a library or slot say where we would have
 * to look, not what for. */
static const char *const path_names[] = {
	"token", "manufacturer", "serial", "model", "object", "type", "id",
};

static bool known(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(path_names); i++)
		if (strlen(path_names[i]) == len && memcmp(path_names[i], name, len) == 0)
			return true;
	return false;
}

static int check_names(const char *text, struct diag *diag)
{
	const char *p = text + strlen("pkcs11:");

	while (*p) {
		size_t pair = strcspn(p, ";?"), name = strcspn(p, "=;?");

		if (pair == name || !known(p, name))
			return diag_set(diag, -SDE_TOKEN, _("the token's URI has '%.*s', which is not allowed"),
				(int)(name < 40 ? name : 40), p);
		p += pair;
		if (*p == '?')
			return diag_set(diag, -SDE_TOKEN,
				_("the token's URI has a query ('?'), which is not allowed"));
		p += *p == ';';
	}
	return 0;
}

int pkcs11_uri_parse(const char *text, P11KitUri **ret_uri, struct diag *diag)
{
	CLEANUP_PKCS11_URI P11KitUri *uri = NULL;
	int r;

	if (strncmp(text, "pkcs11:", strlen("pkcs11:")) != 0 || strlen(text) >= TOKEN_URI_MAX)
		return diag_set(diag, -SDE_TOKEN, _("the token's URI does not begin with 'pkcs11:', or is too long"));
	r = check_names(text, diag);
	if (r < 0)
		return r;
	uri = p11_kit_uri_new();
	if (!uri)
		return -ENOMEM;
	if (p11_kit_uri_parse(text, P11_KIT_URI_FOR_OBJECT_ON_TOKEN, uri) != P11_KIT_URI_OK ||
		p11_kit_uri_any_unrecognized(uri))
		return diag_set(diag, -SDE_TOKEN, _("the token's URI is malformed"));
	p11_kit_uri_clear_attribute(uri, CKA_CLASS);
	*ret_uri = take_ptr(uri);
	return 0;
}

void pkcs11_uri_serial(const char *text, char ret_serial[PKCS11_SERIAL_MAX])
{
	CLEANUP_PKCS11_URI P11KitUri *uri = p11_kit_uri_new();
	size_t len = 0;

	if (uri && p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri) == P11_KIT_URI_OK) {
		const CK_TOKEN_INFO *info = p11_kit_uri_get_token_info(uri);

		len = strnlen((const char *)info->serialNumber, sizeof(info->serialNumber));
		while (len > 0 && info->serialNumber[len - 1] == ' ')
			len--;
		memcpy(ret_serial, info->serialNumber, len);
	}
	ret_serial[len] = '\0';
}

static int set_attribute(P11KitUri *uri, const CK_ATTRIBUTE *attribute)
{
	CK_ATTRIBUTE copy;

	if (!attribute || attribute->ulValueLen == 0)
		return 0;
	copy = *attribute;
	return p11_kit_uri_set_attribute(uri, &copy) == P11_KIT_URI_OK ? 0 : -ENOMEM;
}

int pkcs11_uri_for_key(const CK_TOKEN_INFO *token, const CK_ATTRIBUTE *id, const CK_ATTRIBUTE *label,
	char **ret_text)
{
	CLEANUP_PKCS11_URI P11KitUri *uri = p11_kit_uri_new();
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE type = {CKA_CLASS, &class, sizeof(class)};
	CK_TOKEN_INFO *info;
	char *text = NULL;
	int r;

	if (!uri)
		return -ENOMEM;
	info = p11_kit_uri_get_token_info(uri);
	memcpy(info->label, token->label, sizeof(info->label));
	memcpy(info->serialNumber, token->serialNumber, sizeof(info->serialNumber));
	memcpy(info->manufacturerID, token->manufacturerID, sizeof(info->manufacturerID));
	memcpy(info->model, token->model, sizeof(info->model));
	r = set_attribute(uri, id);
	/* a label may change and be given twice: only where there is no id */
	if (r == 0 && (!id || id->ulValueLen == 0))
		r = set_attribute(uri, label);
	r = r < 0 ? r : set_attribute(uri, &type);
	if (r < 0)
		return r;
	if (p11_kit_uri_format(uri, P11_KIT_URI_FOR_OBJECT_ON_TOKEN, &text) != P11_KIT_URI_OK)
		return -ENOMEM;
	*ret_text = text;
	return 0;
}
