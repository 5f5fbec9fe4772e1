/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/cms-gnutls.h"
#include "audit/cms.h"
#include "audit/strict.h"
#include "base/i18n.h"
#include "base/secret.h"

static int failed(struct diag *diag, const char *what, int err)
{
	return diag_set(diag, -SDE_SIGN, "%s: %s", what, gnutls_strerror(err));
}

/* The file goes into locked memory and from there to GnuTLS, which keeps a copy of its own as it does. */
static int read_secret(const char *path, struct secret **ret_secret)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	CLEANUP_SECRET struct secret *secret = NULL;
	struct stat st;
	ssize_t n;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -SDE_NOT_REGULAR;
	if (st.st_size < 1)
		return -EINVAL;
	if (st.st_size > CMS_FILE_MAX)
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

static int load_cert(const struct cms_identity *identity, gnutls_x509_crt_t *ret_cert, struct diag *diag)
{
	CLEANUP(cleanup_gnutls_x509_crt_deinit) gnutls_x509_crt_t cert = NULL;
	CLEANUP_FREE char *text = NULL;
	const char *path = identity->cert_path;
	gnutls_datum_t bytes = {(unsigned char *)(uintptr_t)identity->cert_der, (unsigned)identity->cert_der_len};
	size_t len;
	int r = path ? strict_read_file(path, CMS_FILE_MAX, &text, &len) : 0, err;

	if (r < 0)
		return diag_set(diag, r, "%s", path);
	if (path)
		bytes = (gnutls_datum_t){(unsigned char *)text, (unsigned)len};
	err = gnutls_x509_crt_init(&cert);
	if (err == 0)
		err = gnutls_x509_crt_import(cert, &bytes, path ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER);
	if (err < 0)
		return failed(diag, path ? path : _("the certificate"), err);
	*ret_cert = take_ptr(cert);
	return 0;
}

/* ---- keys that somebody else holds ---- */

/* What GnuTLS calls back with. */
struct holder {
	const struct cms_identity *identity;
	int algorithm; /* of the certificate's key */
	unsigned bits;
	int err; /* what sign returned */
	struct diag *diag;
};

static int holder_info(gnutls_privkey_t key, unsigned flags, void *userdata)
{
	const struct holder *holder = userdata;
	unsigned sign = GNUTLS_FLAGS_TO_SIGN_ALGO(flags);

	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
		return holder->algorithm;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
		return (int)holder->bits;
	if (flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO)
		return sign == GNUTLS_SIGN_RSA_SHA256 || sign == GNUTLS_SIGN_ECDSA_SHA256 || sign == GNUTLS_SIGN_RSA_RAW;
	return -1;
}

/* r and s one after the other, as a DER sequence of both. */
static int encode_ec(const uint8_t *signature, size_t len, gnutls_datum_t *ret)
{
	unsigned half = (unsigned)(len / 2);
	gnutls_datum_t r = {(unsigned char *)(uintptr_t)signature, half}, s = {(unsigned char *)(uintptr_t)signature + half, half};

	return len % 2 || !len ? GNUTLS_E_PK_SIGN_FAILED : gnutls_encode_rs_value(ret, &r, &s);
}

static int holder_sign(gnutls_privkey_t key, gnutls_sign_algorithm_t algorithm, void *userdata, unsigned flags,
	const gnutls_datum_t *data, gnutls_datum_t *ret_signature)
{
	struct holder *holder = userdata;
	uint8_t signature[CMS_SIGNATURE_MAX];
	size_t len = 0;

	holder->err = holder->identity->sign(holder->identity->ctx, data->data, data->size, signature, &len, holder->diag);
	if (holder->err < 0 || len > sizeof(signature))
		return GNUTLS_E_PK_SIGN_FAILED;
	if (holder->algorithm == GNUTLS_PK_ECDSA)
		return encode_ec(signature, len, ret_signature);
	ret_signature->data = gnutls_malloc(len);
	if (!ret_signature->data)
		return GNUTLS_E_MEMORY_ERROR;
	memcpy(ret_signature->data, signature, len);
	ret_signature->size = (unsigned)len;
	return 0;
}

static int borrow_key(struct holder *holder, gnutls_x509_crt_t cert, gnutls_privkey_t *ret_key, struct diag *diag)
{
	CLEANUP(cleanup_gnutls_privkey_deinit) gnutls_privkey_t key = NULL;
	int err;

	holder->algorithm = gnutls_x509_crt_get_pk_algorithm(cert, &holder->bits);
	if (holder->algorithm != GNUTLS_PK_RSA && holder->algorithm != GNUTLS_PK_ECDSA)
		return diag_set(diag, -SDE_SIGN, _("the certificate's key is neither RSA nor EC"));
	err = gnutls_privkey_init(&key);
	if (err == 0)
		err = gnutls_privkey_import_ext4(key, holder, NULL, holder_sign, NULL, NULL, holder_info, 0);
	if (err < 0)
		return failed(diag, _("the certificate"), err);
	*ret_key = take_ptr(key);
	return 0;
}

static int get_key(struct holder *holder, gnutls_x509_crt_t cert, gnutls_privkey_t *ret_key, struct diag *diag)
{
	const char *path = holder->identity->key_path;

	return path ? load_key(path, ret_key, diag) : borrow_key(holder, cert, ret_key, diag);
}

/* Nobody would believe what is signed with another one. */
static int check_purpose(gnutls_x509_crt_t cert, struct diag *diag)
{
	if (!cms_valid_today(cert))
		return diag_set(diag, -SDE_SIGN, _("the signer's certificate is not valid today"));
	return cms_may_sign_documents(cert) ? 0
					    : diag_set(diag, -SDE_SIGN, _("the signer's certificate is not one for signatures"));
}

int cms_check_identity(const struct cms_identity *identity, struct diag *diag)
{
	CLEANUP(cleanup_gnutls_x509_crt_deinit) gnutls_x509_crt_t cert = NULL;
	CLEANUP(cleanup_gnutls_privkey_deinit) gnutls_privkey_t key = NULL;
	struct holder holder = {.identity = identity};
	int r = load_cert(identity, &cert, diag);

	if (r == 0)
		r = check_purpose(cert, diag);
	return r == 0 ? get_key(&holder, cert, &key, diag) : r;
}

int cms_sign(const void *data, size_t len, const struct cms_identity *identity, uint8_t **ret_der, size_t *ret_len,
	struct diag *diag)
{
	CLEANUP(cleanup_gnutls_pkcs7_deinit) gnutls_pkcs7_t cms = NULL;
	CLEANUP(cleanup_gnutls_x509_crt_deinit) gnutls_x509_crt_t cert = NULL;
	CLEANUP(cleanup_gnutls_privkey_deinit) gnutls_privkey_t key = NULL;
	gnutls_datum_t content = {(unsigned char *)(uintptr_t)data, (unsigned)len}, der = {0};
	struct holder holder = {.identity = identity, .diag = diag};
	int r = load_cert(identity, &cert, diag), err;

	if (r == 0)
		r = check_purpose(cert, diag);
	if (r == 0)
		r = get_key(&holder, cert, &key, diag);
	if (r < 0)
		return r;
	err = gnutls_pkcs7_init(&cms);
	if (err == 0)
		err = gnutls_pkcs7_sign(cms, cert, key, &content, NULL, NULL, GNUTLS_DIG_SHA256,
			GNUTLS_PKCS7_INCLUDE_CERT | GNUTLS_PKCS7_INCLUDE_TIME);
	if (holder.err < 0)
		return holder.err;
	/* a key that is not the certificate's makes signatures that nobody can verify */
	if (err == 0 && gnutls_pkcs7_verify_direct(cms, cert, 0, &content, 0) < 0)
		return diag_set(diag, -SDE_SIGN, _("%s is not the certificate of the key"),
			identity->cert_path ? identity->cert_path : _("the token's certificate"));
	if (err == 0)
		err = gnutls_pkcs7_export2(cms, GNUTLS_X509_FMT_DER, &der);
	if (err < 0)
		return failed(diag, identity->key_path ? identity->key_path : _("the token's key"), err);
	*ret_der = malloc(der.size);
	if (*ret_der) {
		memcpy(*ret_der, der.data, der.size);
		*ret_len = der.size;
	}
	gnutls_free(der.data);
	return *ret_der ? 0 : -ENOMEM;
}
