/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/cms.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/pkcs7.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/hash256.h"
#include "audit/strict.h"
#include "base/i18n.h"
#include "base/secret.h"

enum { CERTS_MAX = 16, KEY_BYTES_MAX = 64 * 1024 };

#define DEINIT(type, fn)                                                                           \
	static void cleanup_##fn(type *object)                                                     \
	{                                                                                          \
		if (*object)                                                                       \
			fn(*object);                                                               \
	}
DEINIT(gnutls_pkcs7_t, gnutls_pkcs7_deinit)
DEINIT(gnutls_x509_crt_t, gnutls_x509_crt_deinit)
DEINIT(gnutls_privkey_t, gnutls_privkey_deinit)

static int failed(struct diag *diag, const char *what, int err)
{
	return diag_set(diag, -SDE_SIGNATURE, "%s: %s", what, gnutls_strerror(err));
}

/* ---- sign ---- */

/* The file goes into locked memory and from there to GnuTLS, which keeps a copy of its own as it does. */
static int read_secret(const char *path, struct secret **ret_secret)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	CLEANUP_SECRET struct secret *secret = NULL;
	struct stat st;
	ssize_t n;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < 1)
		return -EINVAL;
	if (st.st_size > KEY_BYTES_MAX)
		return -EFBIG;
	r = secret_new((size_t)st.st_size, &secret);
	if (r < 0)
		return r;
	n = read(fd, secret_data(secret), (size_t)st.st_size);
	if (n != st.st_size)
		return n < 0 ? -errno : -EIO;
	*ret_secret = take_ptr(secret);
	return 0;
}

static int load_key(const char *path, gnutls_privkey_t *ret_key, struct diag *diag)
{
	CLEANUP_SECRET struct secret *secret = NULL;
	CLEANUP(cleanup_gnutls_privkey_deinit) gnutls_privkey_t key = NULL;
	int r = read_secret(path, &secret), err;

	if (r < 0)
		return diag_set(diag, r, "%s", path);
	gnutls_datum_t pem = {secret_data(secret), (unsigned)secret_len(secret)};

	err = gnutls_privkey_init(&key);
	if (err == 0)
		err = gnutls_privkey_import_x509_raw(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (err < 0)
		return failed(diag, path, err);
	*ret_key = take_ptr(key);
	return 0;
}

static int load_cert(const char *path, gnutls_x509_crt_t *ret_cert, struct diag *diag)
{
	CLEANUP(cleanup_gnutls_x509_crt_deinit) gnutls_x509_crt_t cert = NULL;
	CLEANUP_FREE char *text = NULL;
	size_t len;
	int r = strict_read_file(path, KEY_BYTES_MAX, &text, &len), err;

	if (r < 0)
		return diag_set(diag, r, "%s", path);
	gnutls_datum_t pem = {(unsigned char *)text, (unsigned)len};

	err = gnutls_x509_crt_init(&cert);
	if (err == 0)
		err = gnutls_x509_crt_import(cert, &pem, GNUTLS_X509_FMT_PEM);
	if (err < 0)
		return failed(diag, path, err);
	*ret_cert = take_ptr(cert);
	return 0;
}

/* A key that is not the certificate's makes signatures that nobody can verify. */
static int check_pair(gnutls_privkey_t key, gnutls_x509_crt_t cert, const char *cert_path, struct diag *diag)
{
	unsigned char a[64], b[64];
	size_t a_len = sizeof(a), b_len = sizeof(b);
	gnutls_pubkey_t public = NULL;
	int err = gnutls_pubkey_init(&public);

	if (err == 0)
		err = gnutls_pubkey_import_privkey(public, key, 0, 0);
	if (err == 0)
		err = gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, a, &a_len);
	if (err == 0)
		err = gnutls_x509_crt_get_key_id(cert, GNUTLS_KEYID_USE_SHA256, b, &b_len);
	if (public)
		gnutls_pubkey_deinit(public);
	if (err < 0)
		return failed(diag, cert_path, err);
	return a_len == b_len && memcmp(a, b, a_len) == 0
		       ? 0
		       : diag_set(diag, -SDE_SIGNATURE, _("%s is not the certificate of the key"), cert_path);
}

int cms_sign(const void *data, size_t len, const char *key_path, const char *cert_path, uint8_t **ret_der,
	size_t *ret_len, struct diag *diag)
{
	CLEANUP(cleanup_gnutls_pkcs7_deinit) gnutls_pkcs7_t cms = NULL;
	CLEANUP(cleanup_gnutls_x509_crt_deinit) gnutls_x509_crt_t cert = NULL;
	CLEANUP(cleanup_gnutls_privkey_deinit) gnutls_privkey_t key = NULL;
	gnutls_datum_t content = {(unsigned char *)(uintptr_t)data, (unsigned)len}, der = {0};
	int r = load_cert(cert_path, &cert, diag), err;

	if (r == 0)
		r = load_key(key_path, &key, diag);
	if (r == 0)
		r = check_pair(key, cert, cert_path, diag);
	if (r < 0)
		return r;
	err = gnutls_pkcs7_init(&cms);
	if (err == 0)
		err = gnutls_pkcs7_sign(cms, cert, key, &content, NULL, NULL, GNUTLS_DIG_SHA256,
			GNUTLS_PKCS7_INCLUDE_CERT | GNUTLS_PKCS7_INCLUDE_TIME);
	if (err == 0)
		err = gnutls_pkcs7_export2(cms, GNUTLS_X509_FMT_DER, &der);
	if (err < 0)
		return failed(diag, key_path, err);
	*ret_der = malloc(der.size);
	if (*ret_der) {
		memcpy(*ret_der, der.data, der.size);
		*ret_len = der.size;
	}
	gnutls_free(der.data);
	return *ret_der ? 0 : -ENOMEM;
}

/* ---- verify ---- */

static int load_trust(const char *path, gnutls_x509_crt_t **ret_certs, unsigned *ret_count, struct diag *diag)
{
	CLEANUP_FREE char *text = NULL;
	size_t len;
	int r = strict_read_file(path, KEY_BYTES_MAX, &text, &len), err;

	if (r < 0)
		return diag_set(diag, r, "%s", path);
	gnutls_datum_t pem = {(unsigned char *)text, (unsigned)len};

	err = gnutls_x509_crt_list_import2(ret_certs, ret_count, &pem, GNUTLS_X509_FMT_PEM, 0);
	return err < 0 ? failed(diag, path, err) : 0;
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

/* Pinned itself, or issued by what is pinned; and valid today. */
static int check_trusted(gnutls_x509_crt_t cert, gnutls_x509_crt_t *trust, unsigned count, struct diag *diag)
{
	time_t now = time(NULL);
	unsigned status;

	if (now < gnutls_x509_crt_get_activation_time(cert) || now > gnutls_x509_crt_get_expiration_time(cert))
		return diag_set(diag, -SDE_SIGNATURE, _("the signer's certificate is not valid today"));
	for (unsigned i = 0; i < count; i++)
		if (gnutls_x509_crt_equals(cert, trust[i]))
			return 0;
	if (gnutls_x509_crt_list_verify(&cert, 1, trust, (int)count, NULL, 0, 0, &status) < 0 || status)
		return diag_set(diag, -SDE_SIGNATURE, _("whoever signed is not the one that is trusted"));
	return 0;
}

static int verify_one(gnutls_pkcs7_t cms, unsigned idx, const gnutls_datum_t *content, gnutls_x509_crt_t *trust,
	unsigned count, struct cms_signer *ret_signer, struct diag *diag)
{
	CLEANUP(cleanup_gnutls_x509_crt_deinit) gnutls_x509_crt_t cert = NULL;
	gnutls_pkcs7_signature_info_st info = {0};
	int err = gnutls_pkcs7_get_signature_info(cms, idx, &info), r;

	if (err < 0)
		return failed(diag, _("the signature"), err);
	r = find_signer(cms, &info, &cert);
	gnutls_pkcs7_signature_info_deinit(&info);
	for (unsigned i = 0; r < 0 && i < count; i++)
		/* without a certificate inside, the pinned one itself may fit */
		if (gnutls_pkcs7_verify_direct(cms, trust[i], idx, content, 0) == 0) {
			describe(trust[i], ret_signer);
			return check_trusted(trust[i], trust, count, diag);
		}
	if (r < 0)
		return diag_set(diag, -SDE_SIGNATURE, _("whoever signed is not the one that is trusted"));
	err = gnutls_pkcs7_verify_direct(cms, cert, idx, content, 0);
	if (err < 0)
		return diag_set(diag, -SDE_SIGNATURE, _("it is not a signature of these bytes"));
	describe(cert, ret_signer);
	return check_trusted(cert, trust, count, diag);
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
