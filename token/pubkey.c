/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/pubkey.h"

#include <errno.h>
#include <gcrypt.h>
#include <ksba.h>
#include <string.h>

#include "base/i18n.h"
#include "keymgr/base64.h"

static const struct {
	const char *name; /* libgcrypt's */
	const char *oid;
	uint8_t der[10]; /* OBJECT IDENTIFIER */
	size_t der_len, point_len;
} curves[] = {
	{"NIST P-256", "1.2.840.10045.3.1.7", {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}, 10, 65},
	{"NIST P-384", "1.3.132.0.34", {6, 5, 0x2b, 0x81, 4, 0, 0x22}, 7, 97},
	{"NIST P-521", "1.3.132.0.35", {6, 5, 0x2b, 0x81, 4, 0, 0x23}, 7, 133},
};

static void sexp_cleanup(gcry_sexp_t *sexp)
{
	gcry_sexp_release(*sexp);
}
#define CLEANUP_SEXP CLEANUP(sexp_cleanup)

static int unusable(struct diag *diag, const char *why)
{
	return diag_set(diag, -SDE_TOKEN, "%s", why);
}

static void skip_zeros(const uint8_t **p, size_t *len)
{
	while (*len > 0 && **p == 0) {
		(*p)++;
		(*len)--;
	}
}

int pubkey_from_rsa(const uint8_t *n, size_t n_len, const uint8_t *e, size_t e_len,
	struct pubkey *ret_key, struct diag *diag)
{
	struct pubkey key = {.type = PUBKEY_RSA};

	skip_zeros(&n, &n_len);
	skip_zeros(&e, &e_len);
	if (n_len < PUBKEY_RSA_BYTES_MIN)
		return unusable(diag, _("the token's RSA key is shorter than 2048 bits"));
	if (n_len > sizeof(key.n) || e_len == 0 || e_len > sizeof(key.e) || !(n[n_len - 1] & 1) ||
		!(e[e_len - 1] & 1) || (e_len == 1 && e[0] < 3))
		return unusable(diag, _("the token's RSA key cannot be used"));
	memcpy(key.n, n, n_len);
	memcpy(key.e, e, e_len);
	key.n_len = n_len;
	key.e_len = e_len;
	*ret_key = key;
	return 0;
}

static int set_point(size_t curve, const uint8_t *point, size_t len, struct pubkey *ret_key, struct diag *diag)
{
	struct pubkey key = {.type = PUBKEY_EC, .curve = curves[curve].name};

	if (len != curves[curve].point_len || point[0] != 4)
		return unusable(diag, _("the token's EC key is not an uncompressed point of its curve"));
	memcpy(key.point, point, len);
	key.point_len = len;
	*ret_key = key;
	return 0;
}

/* The content of a DER OCTET STRING that fills the room exactly; anything else stays as it is. */
static void unwrap_octet_string(const uint8_t **p, size_t *len)
{
	size_t head = *len > 2 && (*p)[1] < 0x80 ? 2 : *len > 3 && (*p)[1] == 0x81 ? 3 : 0;

	if (head == 0 || (*p)[0] != 4 || (*p)[head - 1] != *len - head || (*p)[head] != 4)
		return;
	*p += head;
	*len -= head;
}

int pubkey_from_ec(const uint8_t *params, size_t params_len, const uint8_t *point, size_t point_len,
	struct pubkey *ret_key, struct diag *diag)
{
	unwrap_octet_string(&point, &point_len);
	for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
		if (curves[i].der_len == params_len && memcmp(curves[i].der, params, params_len) == 0)
			return set_point(i, point, point_len, ret_key, diag);
	return unusable(diag, _("the token's EC key is on a curve that is not P-256, P-384 or P-521"));
}

static int from_rsa_sexp(gcry_sexp_t rsa, struct pubkey *ret_key, struct diag *diag)
{
	CLEANUP_SEXP gcry_sexp_t n = gcry_sexp_find_token(rsa, "n", 1);
	CLEANUP_SEXP gcry_sexp_t e = gcry_sexp_find_token(rsa, "e", 1);
	size_t n_len = 0, e_len = 0;
	const char *n_data = gcry_sexp_nth_data(n, 1, &n_len), *e_data = gcry_sexp_nth_data(e, 1, &e_len);

	if (!n_data || !e_data)
		return unusable(diag, _("the token's RSA key cannot be used"));
	return pubkey_from_rsa((const uint8_t *)n_data, n_len, (const uint8_t *)e_data, e_len, ret_key, diag);
}

static int from_ecc_sexp(gcry_sexp_t ecc, struct pubkey *ret_key, struct diag *diag)
{
	CLEANUP_SEXP gcry_sexp_t q = gcry_sexp_find_token(ecc, "q", 1);
	CLEANUP_SEXP gcry_sexp_t curve = gcry_sexp_find_token(ecc, "curve", 5);
	size_t q_len = 0, name_len = 0;
	const char *data = gcry_sexp_nth_data(q, 1, &q_len), *name = gcry_sexp_nth_data(curve, 1, &name_len);

	for (size_t i = 0; data && name && i < ARRAY_SIZE(curves); i++)
		if ((strlen(curves[i].oid) == name_len && memcmp(curves[i].oid, name, name_len) == 0) ||
			(strlen(curves[i].name) == name_len && memcmp(curves[i].name, name, name_len) == 0))
			return set_point(i, (const uint8_t *)data, q_len, ret_key, diag);
	return unusable(diag, _("the token's EC key is on a curve that is not P-256, P-384 or P-521"));
}

static int from_canonical_sexp(const uint8_t *canonical, struct pubkey *ret_key, struct diag *diag)
{
	size_t len = gcry_sexp_canon_len(canonical, 0, NULL, NULL);
	CLEANUP_SEXP gcry_sexp_t sexp = NULL;
	CLEANUP_SEXP gcry_sexp_t rsa = NULL;
	CLEANUP_SEXP gcry_sexp_t ecc = NULL;

	if (len == 0 || gcry_sexp_new(&sexp, canonical, len, 1) != 0)
		return unusable(diag, _("the token's certificate cannot be read"));
	rsa = gcry_sexp_find_token(sexp, "rsa", 3);
	if (rsa)
		return from_rsa_sexp(rsa, ret_key, diag);
	ecc = gcry_sexp_find_token(sexp, "ecc", 3);
	if (ecc)
		return from_ecc_sexp(ecc, ret_key, diag);
	return unusable(diag, _("the token's certificate has neither an RSA nor an EC key"));
}

int pubkey_from_certificate(const uint8_t *der, size_t len, struct pubkey *ret_key, struct diag *diag)
{
	ksba_cert_t cert = NULL;
	ksba_sexp_t canonical;
	int r;

	if (ksba_cert_new(&cert) != 0)
		return -ENOMEM;
	if (ksba_cert_init_from_mem(cert, der, len) != 0) {
		ksba_cert_release(cert);
		return unusable(diag, _("the token's certificate cannot be read"));
	}
	canonical = ksba_cert_get_public_key(cert);
	r = canonical ? from_canonical_sexp(canonical, ret_key, diag)
		      : unusable(diag, _("the token's certificate cannot be read"));
	ksba_free(canonical);
	ksba_cert_release(cert);
	return r;
}

int token_passphrase(const struct secret *d, struct secret **ret_passphrase)
{
	CLEANUP_SECRET struct secret *text = NULL;
	size_t chars = BASE64_CHARS(secret_len(d));
	int r = secret_new(chars + 1, &text);

	if (r < 0)
		return r;
	base64_encode(secret_data_const(d), secret_len(d), secret_data(text));
	secret_truncate(text, chars);
	*ret_passphrase = take_ptr(text);
	return 0;
}

static int crypto_failed(gcry_error_t err, struct diag *diag)
{
	return diag_set(diag, -SDE_CRYPTO, "%s", gcry_strerror(err));
}

/* The bytes of an unsigned number in sexp's list name, padded on the left to len. */
static int number_bytes(gcry_sexp_t sexp, const char *name, uint8_t *out, size_t len)
{
	CLEANUP_SEXP gcry_sexp_t list = gcry_sexp_find_token(sexp, name, 0);
	gcry_mpi_t number = gcry_sexp_nth_mpi(list, 1, GCRYMPI_FMT_USG);
	size_t used = 0;
	int r = -SDE_CRYPTO;

	memset(out, 0, len);
	if (number && gcry_mpi_print(GCRYMPI_FMT_USG, NULL, 0, &used, number) == 0 && used <= len &&
		gcry_mpi_print(GCRYMPI_FMT_USG, out + len - used, used, NULL, number) == 0)
		r = 0;
	gcry_mpi_release(number);
	return r;
}

static const char *data_format(enum token_padding padding)
{
	switch (padding) {
	case TOKEN_OAEP_SHA256:
		return "(data (flags oaep) (hash-algo sha256) (value %b))";
	case TOKEN_OAEP_SHA1:
		return "(data (flags oaep) (hash-algo sha1) (value %b))";
	case TOKEN_PKCS1V15:
		break;
	}
	return "(data (flags pkcs1) (value %b))";
}

static int wrap_rsa(const struct pubkey *key, enum token_padding padding, struct token_pkcs11 *token,
	struct secret **ret_d, struct diag *diag)
{
	CLEANUP_SEXP gcry_sexp_t public = NULL;
	CLEANUP_SEXP gcry_sexp_t data = NULL;
	CLEANUP_SEXP gcry_sexp_t result = NULL;
	CLEANUP_SECRET struct secret *d = NULL;
	gcry_error_t err;
	int r = secret_new(key->n_len / 2, &d);

	if (r < 0)
		return r;
	gcry_randomize(secret_data(d), secret_len(d), GCRY_VERY_STRONG_RANDOM);
	err = gcry_sexp_build(&public, NULL, "(public-key (rsa (n %b) (e %b)))", (int)key->n_len, key->n,
		(int)key->e_len, key->e);
	if (!err)
		err = gcry_sexp_build(&data, NULL, data_format(padding), (int)secret_len(d), secret_data(d));
	if (!err)
		err = gcry_pk_encrypt(&result, data, public);
	if (err)
		return crypto_failed(err, diag);
	/* as long as the modulus: one number in 256 is shorter, and a token refuses that */
	r = number_bytes(result, "a", token->wrapped, key->n_len);
	if (r < 0)
		return r;
	token->wrapped_len = key->n_len;
	*ret_d = take_ptr(d);
	return 0;
}

/* d * Q for the ephemeral key d. */
static int shared_point(const struct pubkey *key, gcry_sexp_t ephemeral, gcry_sexp_t *ret_shared, struct diag *diag)
{
	CLEANUP_SEXP gcry_sexp_t private = gcry_sexp_find_token(ephemeral, "private-key", 0);
	CLEANUP_SEXP gcry_sexp_t data = NULL;
	gcry_error_t err = gcry_sexp_build(
		&data, NULL, "(enc-val (ecdh (e %b)))", (int)key->point_len, key->point);

	if (!err)
		err = gcry_pk_decrypt(ret_shared, data, private);
	return err ? crypto_failed(err, diag) : 0;
}

static int point_bytes(gcry_sexp_t sexp, const char *name, uint8_t *out, size_t len)
{
	CLEANUP_SEXP gcry_sexp_t list = name ? gcry_sexp_find_token(sexp, name, 0) : NULL;
	size_t found = 0;
	const char *data = name ? gcry_sexp_nth_data(list, 1, &found) : gcry_sexp_nth_data(sexp, 1, &found);

	if (!data || found != len || data[0] != 4)
		return -SDE_CRYPTO;
	memcpy(out, data, len);
	return 0;
}

static int wrap_ec(const struct pubkey *key, struct token_pkcs11 *token, struct secret **ret_d,
	struct diag *diag)
{
	CLEANUP_SEXP gcry_sexp_t params = NULL;
	CLEANUP_SEXP gcry_sexp_t ephemeral = NULL;
	CLEANUP_SEXP gcry_sexp_t public = NULL;
	CLEANUP_SEXP gcry_sexp_t shared = NULL;
	CLEANUP_SECRET struct secret *point = NULL;
	CLEANUP_SECRET struct secret *d = NULL;
	size_t coordinate = (key->point_len - 1) / 2;
	gcry_error_t err = gcry_sexp_build(&params, NULL, "(genkey (ecc (curve %s)))", key->curve);
	int r;

	if (!err)
		err = gcry_pk_genkey(&ephemeral, params);
	if (err)
		return crypto_failed(err, diag);
	r = shared_point(key, ephemeral, &shared, diag);
	r = r < 0 ? r : secret_new(key->point_len, &point);
	r = r < 0 ? r : point_bytes(shared, "value", secret_data(point), key->point_len);
	if (r < 0)
		return r;
	public = gcry_sexp_find_token(ephemeral, "public-key", 0);
	r = point_bytes(public, "q", token->wrapped, key->point_len);
	r = r < 0 ? r : secret_new_copy((uint8_t *)secret_data(point) + 1, coordinate, &d);
	if (r < 0)
		return r;
	token->wrapped_len = key->point_len;
	*ret_d = take_ptr(d);
	return 0;
}

int pubkey_wrap(const struct pubkey *key, enum token_padding padding, struct token_pkcs11 *token,
	struct secret **ret_passphrase, struct diag *diag)
{
	CLEANUP_SECRET struct secret *d = NULL;
	int r = key->type == PUBKEY_RSA ? wrap_rsa(key, padding, token, &d, diag) : wrap_ec(key, token, &d, diag);

	if (r < 0)
		return r;
	token->padding = key->type == PUBKEY_RSA ? padding : TOKEN_PKCS1V15;
	return token_passphrase(d, ret_passphrase);
}
