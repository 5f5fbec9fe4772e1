/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Detached signatures: CMS SignedData (RFC 5652), DER, SHA-256, with the signer's certificate inside; what
 * `openssl cms` and `certtool` make and verify. By GnuTLS, which only cms.c touches.
 */
#ifndef AUDIT_CMS_H
#define AUDIT_CMS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { CMS_BYTES_MAX = 256 * 1024, CMS_NAME_MAX = 256 };

/* Who signed, as far as his certificate says. */
struct cms_signer {
	char name[CMS_NAME_MAX]; /* distinguished name, not sanitized */
	char sha256[65];	 /* of the certificate, as DER */
};

/*
 * key_path: a private key, cert_path: its certificate, both PEM. -SDE_SIGNATURE with diag (the key
 * cannot be used, or is not the certificate's), -errno of the files. The caller frees.
 */
int cms_sign(const void *data, size_t len, const char *key_path, const char *cert_path, uint8_t **ret_der,
	size_t *ret_len, struct diag *diag) MUST_CHECK;

/*
 * Whether der is a signature of exactly these bytes by somebody that trust_path (PEM) pins: a signer's own
 * certificate, or that of a CA which issued it. The certificates must be valid now. One signature is
 * enough, and a broken one beside it is an error. -SDE_SIGNATURE with diag, -errno of trust_path.
 */
int cms_verify(const void *data, size_t len, const uint8_t *der, size_t der_len, const char *trust_path,
	struct cms_signer *ret_signer, struct diag *diag) MUST_CHECK;

#endif
