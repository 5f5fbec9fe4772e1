/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gcrypt.h>
#include <stdlib.h>
#include <string.h>

#include "tests/softfido/softfido.h"

static void must(gcry_error_t err)
{
	if (err)
		abort();
}

void soft_random(uint8_t *out, size_t len)
{
	gcry_randomize(out, len, GCRY_STRONG_RANDOM);
}

void soft_sha256(const uint8_t *data, size_t len, uint8_t out[SOFTFIDO_HASH])
{
	gcry_md_hash_buffer(GCRY_MD_SHA256, out, data, len);
}

void soft_hmac(const uint8_t key[SOFTFIDO_HASH], const void *a, size_t a_len, const void *b, size_t b_len,
	uint8_t out[SOFTFIDO_HASH])
{
	gcry_md_hd_t md;

	must(gcry_md_open(&md, GCRY_MD_SHA256, GCRY_MD_FLAG_HMAC));
	must(gcry_md_setkey(md, key, SOFTFIDO_HASH));
	gcry_md_write(md, a, a_len);
	gcry_md_write(md, b, b_len);
	memcpy(out, gcry_md_read(md, GCRY_MD_SHA256), SOFTFIDO_HASH);
	gcry_md_close(md);
}

void soft_aes(const uint8_t key[SOFTFIDO_HASH], uint8_t *data, size_t len, bool encrypt)
{
	static const uint8_t iv[16];
	gcry_cipher_hd_t cipher;

	must(gcry_cipher_open(&cipher, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_CBC, 0));
	must(gcry_cipher_setkey(cipher, key, SOFTFIDO_HASH));
	must(gcry_cipher_setiv(cipher, iv, sizeof(iv)));
	must(encrypt ? gcry_cipher_encrypt(cipher, data, len, NULL, 0)
		     : gcry_cipher_decrypt(cipher, data, len, NULL, 0));
	gcry_cipher_close(cipher);
}

/* scalar * point (NULL: the generator) as affine coordinates. */
static bool multiply(const uint8_t scalar[SOFTFIDO_HASH], const uint8_t *point, uint8_t out[SOFTFIDO_POINT])
{
	gcry_mpi_t d, x = gcry_mpi_new(0), y = gcry_mpi_new(0), q = NULL;
	gcry_mpi_point_t base, product = gcry_mpi_point_new(0);
	gcry_ctx_t curve;
	bool good = true;

	must(gcry_mpi_ec_new(&curve, NULL, "NIST P-256"));
	must(gcry_mpi_scan(&d, GCRYMPI_FMT_USG, scalar, SOFTFIDO_HASH, NULL));
	base = point ? gcry_mpi_point_new(0) : gcry_mpi_ec_get_point("g", curve, 1);
	if (point) {
		q = gcry_mpi_set_opaque_copy(NULL, point, SOFTFIDO_POINT * 8);
		good = gcry_mpi_ec_decode_point(base, q, curve) == 0 && gcry_mpi_ec_curve_point(base, curve);
	}
	if (good) {
		gcry_mpi_ec_mul(product, d, base, curve);
		good = gcry_mpi_ec_get_affine(x, y, product, curve) == 0;
	}
	if (good) {
		size_t n;

		memset(out, 0, SOFTFIDO_POINT);
		out[0] = 4;
		must(gcry_mpi_print(GCRYMPI_FMT_USG, NULL, 0, &n, x));
		must(gcry_mpi_print(GCRYMPI_FMT_USG, out + 33 - n, n, NULL, x));
		must(gcry_mpi_print(GCRYMPI_FMT_USG, NULL, 0, &n, y));
		must(gcry_mpi_print(GCRYMPI_FMT_USG, out + 65 - n, n, NULL, y));
	}
	gcry_mpi_point_release(base);
	gcry_mpi_point_release(product);
	gcry_mpi_release(d);
	gcry_mpi_release(x);
	gcry_mpi_release(y);
	gcry_mpi_release(q);
	gcry_ctx_release(curve);
	return good;
}

void soft_public(const uint8_t scalar[SOFTFIDO_HASH], uint8_t point[SOFTFIDO_POINT])
{
	if (!multiply(scalar, NULL, point))
		abort();
}

bool soft_ecdh(const uint8_t scalar[SOFTFIDO_HASH], const uint8_t point[SOFTFIDO_POINT],
	uint8_t shared[SOFTFIDO_HASH])
{
	uint8_t product[SOFTFIDO_POINT];

	if (!multiply(scalar, point, product))
		return false;
	soft_sha256(product + 1, 32, shared);
	return true;
}

/* INTEGER of DER; returns its length. */
static size_t der_integer(gcry_sexp_t signature, const char *name, uint8_t *out)
{
	gcry_sexp_t list = gcry_sexp_find_token(signature, name, 0);
	gcry_mpi_t number = gcry_sexp_nth_mpi(list, 1, GCRYMPI_FMT_USG);
	size_t n;

	must(gcry_mpi_print(GCRYMPI_FMT_STD, out + 2, 40, &n, number));
	out[0] = 2;
	out[1] = n;
	gcry_mpi_release(number);
	gcry_sexp_release(list);
	return n + 2;
}

size_t soft_sign(const uint8_t scalar[SOFTFIDO_HASH], const uint8_t hash[SOFTFIDO_HASH], uint8_t out[80])
{
	uint8_t point[SOFTFIDO_POINT];
	gcry_sexp_t key, data, signature;
	size_t len;

	soft_public(scalar, point);
	must(gcry_sexp_build(&key, NULL, "(private-key (ecc (curve \"NIST P-256\") (q %b) (d %b)))",
		SOFTFIDO_POINT, point, SOFTFIDO_HASH, scalar));
	must(gcry_sexp_build(&data, NULL, "(data (flags raw) (value %b))", SOFTFIDO_HASH, hash));
	must(gcry_pk_sign(&signature, data, key));
	len = der_integer(signature, "r", out + 2);
	len += der_integer(signature, "s", out + 2 + len);
	out[0] = 0x30;
	out[1] = len;
	gcry_sexp_release(key);
	gcry_sexp_release(data);
	gcry_sexp_release(signature);
	return len + 2;
}
