/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What cms.c and cms-sign.c share: objects of GnuTLS that free themselves. Nobody else includes this. */
#ifndef AUDIT_CMS_GNUTLS_H
#define AUDIT_CMS_GNUTLS_H

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/pkcs7.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <time.h>

#include "base/cleanup.h"

enum { CMS_FILE_MAX = 64 * 1024 }; /* keys and certificates */

#define CMS_DEINIT(type, fn)                                                                           \
	static inline void cleanup_##fn(type *object)                                                     \
	{                                                                                          \
		if (*object)                                                                       \
			fn(*object);                                                               \
	}
CMS_DEINIT(gnutls_pkcs7_t, gnutls_pkcs7_deinit)
CMS_DEINIT(gnutls_x509_crt_t, gnutls_x509_crt_deinit)
CMS_DEINIT(gnutls_privkey_t, gnutls_privkey_deinit)

static inline bool cms_valid_today(gnutls_x509_crt_t cert)
{
	time_t now = time(NULL);

	return now >= gnutls_x509_crt_get_activation_time(cert) && now <= gnutls_x509_crt_get_expiration_time(cert);
}

/* Whether somebody who knows the certificate by its CA alone would believe a document that was signed with it (cms.c). */
bool cms_may_sign_documents(gnutls_x509_crt_t cert);

#endif
