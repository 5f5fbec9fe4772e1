/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PKCS #11 URIs (RFC 7512): which token, which key. Only attributes that describe a token or an object
 * are taken; whatever would name a PIN, a file or a module (pin-value, pin-source, module-path,
 * module-name, library-*, slot-*, vendor's own) is refused, wherever the URI comes from.
 */
#ifndef TOKEN_PKCS11_URI_H
#define TOKEN_PKCS11_URI_H

#include <p11-kit/uri.h>

#include "base/error.h"

/* -SDE_TOKEN with diag. The caller frees with p11_kit_uri_free(). type= is dropped: what is looked for
 * is said by whoever looks. */
int pkcs11_uri_parse(const char *text, P11KitUri **ret_uri, struct diag *diag) MUST_CHECK;

static inline void cleanup_pkcs11_uri(P11KitUri **uri)
{
	p11_kit_uri_free(*uri);
}
#define CLEANUP_PKCS11_URI CLEANUP(cleanup_pkcs11_uri)

enum { PKCS11_SERIAL_MAX = sizeof(((CK_TOKEN_INFO *)NULL)->serialNumber) + 1 };

/* The serial number that text demands, "" for none; also of a URI that would be refused. */
void pkcs11_uri_serial(const char *text, char ret_serial[PKCS11_SERIAL_MAX]);

/* The text for a private key on a token: label, serial, manufacturer, model; id or object label. The
 * caller frees with free(). */
int pkcs11_uri_for_key(const CK_TOKEN_INFO *token, const CK_ATTRIBUTE *id, const CK_ATTRIBUTE *label,
	char **ret_text) MUST_CHECK;

#endif
