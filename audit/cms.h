/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Detached signatures: CMS SignedData (RFC 5652), DER, SHA-256, with the signer's certificate inside; what
 * `openssl cms` and `certtool` make and verify. By GnuTLS, which only cms.c and cms-sign.c touch.
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

enum { CMS_SIGNATURE_MAX = 1024 };

/* Who signs. A key is in a file, or with somebody who signs when he is asked, as a smart card does. */
struct cms_identity {
	const char *key_path; /* PEM; NULL: sign */
	/* RSA: data is a DigestInfo, wanted is a signature of PKCS #1 v1.5. EC: data is a hash, wanted are r and s,
	 * each as long as the curve's order. */
	int (*sign)(void *ctx, const void *data, size_t len, uint8_t signature[CMS_SIGNATURE_MAX], size_t *ret_len,
		struct diag *diag);
	void *ctx;
	const char *cert_path; /* PEM; NULL: cert_der */
	const uint8_t *cert_der;
	size_t cert_der_len;
};

/*
 * The signature is verified before it is given out. -SDE_SIGN with diag (the key cannot be used, or is not the
 * certificate's, or that is not for signing documents), -errno of the files, what sign returned. The caller frees.
 */
int cms_sign(const void *data, size_t len, const struct cms_identity *identity, uint8_t **ret_der, size_t *ret_len,
	struct diag *diag) MUST_CHECK;
/* Whether cms_sign() will find key and certificate; asks nobody. */
int cms_check_identity(const struct cms_identity *identity, struct diag *diag) MUST_CHECK;

/*
 * Whether der is a signature of exactly these bytes by somebody that trust_path (PEM) pins: a signer's own
 * certificate, or that of a CA which issued it. The certificates must be valid now. One signature is
 * enough, and a broken one beside it is an error. -SDE_SIGNATURE with diag, -errno of trust_path.
 */
int cms_verify(const void *data, size_t len, const uint8_t *der, size_t der_len, const char *trust_path,
	struct cms_signer *ret_signer, struct diag *diag) MUST_CHECK;

#endif
