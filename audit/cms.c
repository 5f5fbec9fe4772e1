/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/cms.h"

#include <errno.h>
#include <string.h>

#include "audit/cms-gnutls.h"
#include "audit/hash256.h"
#include "audit/strict.h"
#include "base/i18n.h"

enum { CERTS_MAX = 16 };

static int load_trust(const char *path, gnutls_x509_crt_t **ret_certs, unsigned *ret_count, struct diag *diag)
{
	CLEANUP_FREE char *text = NULL;
	size_t len;
	int r = strict_read_file(path, CMS_FILE_MAX, &text, &len), err;

	if (r < 0)
		return diag_set(diag, r, "%s", path);
	gnutls_datum_t pem = {(unsigned char *)text, (unsigned)len};

	err = gnutls_x509_crt_list_import2(ret_certs, ret_count, &pem, GNUTLS_X509_FMT_PEM, 0);
	return err < 0 ? diag_set(diag, -SDE_SIGNATURE, "%s: %s", path, gnutls_strerror(err)) : 0;
}

static void describe(gnutls_x509_crt_t cert, struct cms_signer *signer)
{
	gnutls_datum_t der = {0};
	size_t len = sizeof(signer->name);
	uint8_t digest[HASH256_BYTES];

	*signer = (struct cms_signer){0};
	if (gnutls_x509_crt_get_dn(cert, signer->name, &len) < 0)
		signer->name[0] = '\0';
	if (gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_DER, &der) == 0) {
		hash256_of(der.data, der.size, NULL, 0, digest);
		hex_encode(digest, sizeof(digest), signer->sha256);
		gnutls_free(der.data);
	}
}

/* The certificate in the signature that says it made signature idx: by issuer and serial number. */
static int find_signer(gnutls_pkcs7_t cms, const gnutls_pkcs7_signature_info_st *info, gnutls_x509_crt_t *ret_cert)
{
	int count = gnutls_pkcs7_get_crt_count(cms);

	for (int i = 0; i < count; i++) {
		CLEANUP(cleanup_gnutls_x509_crt_deinit) gnutls_x509_crt_t cert = NULL;
		gnutls_datum_t raw = {0}, issuer = {0};
		unsigned char serial[64];
		size_t serial_len = sizeof(serial);
		int err = gnutls_pkcs7_get_crt_raw2(cms, (unsigned)i, &raw);

		if (err == 0)
			err = gnutls_x509_crt_init(&cert);
		if (err == 0)
			err = gnutls_x509_crt_import(cert, &raw, GNUTLS_X509_FMT_DER);
		if (err == 0)
			err = gnutls_x509_crt_get_raw_issuer_dn(cert, &issuer);
		if (err == 0)
			err = gnutls_x509_crt_get_serial(cert, serial, &serial_len);
		bool same = err == 0 && issuer.size == info->issuer_dn.size && serial_len == info->signer_serial.size &&
			    memcmp(issuer.data, info->issuer_dn.data, issuer.size) == 0 &&
			    memcmp(serial, info->signer_serial.data, serial_len) == 0;

		gnutls_free(raw.data);
		gnutls_free(issuer.data);
		if (same) {
			*ret_cert = take_ptr(cert);
			return 0;
		}
	}
	return -ENOENT;
}

/*
 * What a CA certifies people and machines for is more than signing: a certificate for a web server, or one to encrypt
 * to, must not speak for an office. RFC 5280, sections 4.2.1.3 and 4.2.1.12; one that says nothing is for everything.
 */
static bool may_sign(gnutls_x509_crt_t cert)
{
	unsigned usage;

	return gnutls_x509_crt_get_key_usage(cert, &usage, NULL) < 0 ||
	       usage & (GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_NON_REPUDIATION);
}

bool cms_may_sign_documents(gnutls_x509_crt_t cert)
{
	static const char *const purposes[] = {GNUTLS_KP_EMAIL_PROTECTION, GNUTLS_KP_CODE_SIGNING, GNUTLS_KP_ANY,
		"1.3.6.1.5.5.7.3.36" /* documents, RFC 9336 */};
	char oid[128];
	unsigned i = 0;
	int err;

	if (!may_sign(cert))
		return false;
	for (;; i++) {
		size_t len = sizeof(oid);

		err = gnutls_x509_crt_get_key_purpose_oid(cert, i, oid, &len, NULL);
		if (err < 0)
			break;
		for (size_t p = 0; p < ARRAY_SIZE(purposes); p++)
			if (strcmp(oid, purposes[p]) == 0)
				return true;
	}
	return i == 0 && err == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
}

/* Pinned itself, or issued by what is pinned; valid today, and for signatures. */
static int check_trusted(gnutls_x509_crt_t cert, gnutls_x509_crt_t *trust, unsigned count, struct diag *diag)
{
	unsigned status;

	if (!cms_valid_today(cert))
		return diag_set(diag, -SDE_SIGNATURE, _("the signer's certificate is not valid today"));
	if (!may_sign(cert))
		return diag_set(diag, -SDE_SIGNATURE, _("the signer's certificate is not one for signatures"));
	for (unsigned i = 0; i < count; i++)
		if (gnutls_x509_crt_equals(cert, trust[i]))
			return 0;
	if (gnutls_x509_crt_list_verify(&cert, 1, trust, (int)count, NULL, 0, 0, &status) < 0 || status)
		return diag_set(diag, -SDE_SIGNATURE, _("whoever signed is not the one that is trusted"));
	return cms_may_sign_documents(cert)
		       ? 0
		       : diag_set(diag, -SDE_SIGNATURE, _("the signer's certificate is not one for signatures"));
}

/* Whoever can make two documents of one SHA-1 has one signed and shows the other. */
static bool strong_hash(gnutls_sign_algorithm_t algorithm)
{
	switch (gnutls_sign_get_hash_algorithm(algorithm)) {
	case GNUTLS_DIG_SHA256:
	case GNUTLS_DIG_SHA384:
	case GNUTLS_DIG_SHA512:
	case GNUTLS_DIG_SHA3_256:
	case GNUTLS_DIG_SHA3_384:
	case GNUTLS_DIG_SHA3_512:
		return true;
	default:
		return false;
	}
}

static int verify_one(gnutls_pkcs7_t cms, unsigned idx, const gnutls_datum_t *content, gnutls_x509_crt_t *trust,
	unsigned count, struct cms_signer *ret_signer, struct diag *diag)
{
	CLEANUP(cleanup_gnutls_x509_crt_deinit) gnutls_x509_crt_t cert = NULL;
	gnutls_pkcs7_signature_info_st info = {0};
	int err = gnutls_pkcs7_get_signature_info(cms, idx, &info), r;

	if (err < 0)
		return diag_set(diag, -SDE_SIGNATURE, _("the signature: %s"), gnutls_strerror(err));
	bool strong = strong_hash(info.algo);

	r = find_signer(cms, &info, &cert);
	gnutls_pkcs7_signature_info_deinit(&info);
	if (!strong)
		return diag_set(diag, -SDE_SIGNATURE, _("its hash function is not good enough: SHA-256 or better is needed"));
	for (unsigned i = 0; r < 0 && i < count; i++)
		/* without a certificate inside, the pinned one itself may fit */
		if (cms_valid_today(trust[i]) && gnutls_pkcs7_verify_direct(cms, trust[i], idx, content, 0) == 0) {
			describe(trust[i], ret_signer);
			return check_trusted(trust[i], trust, count, diag);
		}
	if (r < 0)
		return diag_set(diag, -SDE_SIGNATURE, _("whoever signed is not the one that is trusted"));
	/* before the signature, which GnuTLS calls bad when the certificate has run out */
	r = check_trusted(cert, trust, count, diag);
	if (r < 0)
		return r;
	err = gnutls_pkcs7_verify_direct(cms, cert, idx, content, 0);
	if (err < 0)
		return diag_set(diag, -SDE_SIGNATURE, _("it is not a signature of these bytes"));
	describe(cert, ret_signer);
	return 0;
}

int cms_verify(const void *data, size_t len, const uint8_t *der, size_t der_len, const char *trust_path,
	struct cms_signer *ret_signer, struct diag *diag)
{
	CLEANUP(cleanup_gnutls_pkcs7_deinit) gnutls_pkcs7_t cms = NULL;
	gnutls_datum_t content = {(unsigned char *)(uintptr_t)data, (unsigned)len};
	gnutls_datum_t sig = {(unsigned char *)(uintptr_t)der, (unsigned)der_len};
	gnutls_x509_crt_t *trust = NULL;
	unsigned count = 0;
	int r = load_trust(trust_path, &trust, &count, diag), err, signatures;

	if (r < 0)
		return r;
	err = gnutls_pkcs7_init(&cms);
	if (err == 0)
		err = gnutls_pkcs7_import(cms, &sig, GNUTLS_X509_FMT_DER);
	signatures = err == 0 ? gnutls_pkcs7_get_signature_count(cms) : err;
	if (signatures < 1 || signatures > CERTS_MAX)
		r = diag_set(diag, -SDE_SIGNATURE, _("the file of the signature holds none"));
	for (int i = 0; r == 0 && i < signatures; i++)
		r = verify_one(cms, (unsigned)i, &content, trust, count, ret_signer, diag);
	for (unsigned i = 0; i < count; i++)
		gnutls_x509_crt_deinit(trust[i]);
	gnutls_free(trust);
	return r;
}
