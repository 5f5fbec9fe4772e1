/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernel-shim/cipher.h"

#include <errno.h>
#include <gcrypt.h>
#include <string.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "base/text.h"

enum { AES_BLOCK_BYTES = 16, ESSIV_KEY_BYTES = 32, IV_UNIT_SHIFT = 9 };

struct cipher {
	gcry_cipher_hd_t data;
	gcry_cipher_hd_t essiv; /* NULL unless CIPHER_IV_ESSIV */
	enum cipher_iv iv;
};

static const struct cipher_spec specs[] = {
	{"aes-xts-plain64", GCRY_CIPHER_MODE_XTS, CIPHER_IV_PLAIN64, {32, 64}},
	{"aes-xts-plain", GCRY_CIPHER_MODE_XTS, CIPHER_IV_PLAIN, {32, 64}},
	{"aes-cbc-essiv:sha256", GCRY_CIPHER_MODE_CBC, CIPHER_IV_ESSIV, {16, 24, 32}},
	{"aes-cbc-plain64", GCRY_CIPHER_MODE_CBC, CIPHER_IV_PLAIN64, {16, 24, 32}},
	{"aes-cbc-plain", GCRY_CIPHER_MODE_CBC, CIPHER_IV_PLAIN, {16, 24, 32}},
};

static const char *refusal(const char *name)
{
	if (!strncmp(name, "cipher_null", strlen("cipher_null")) || !strcmp(name, "null"))
		return _("it does not encrypt at all");
	/* a null IV is one for all sectors */
	if (strstr(name, "ecb") || strstr(name, "-null"))
		return _("it shows which parts of the data are equal");
	return _("it is not known to this program");
}

const struct cipher_spec *cipher_spec_find(const char *name, size_t key_bytes, struct diag *diag)
{
	CLEANUP_FREE char *shown = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		if (strcmp(name, specs[i].name) != 0)
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(specs[i].key_bytes); k++)
			if (key_bytes != 0 && key_bytes == specs[i].key_bytes[k])
				return &specs[i];
		diag_set(diag, -SDE_CIPHER, _("%s cannot have a key of %zu bits"), name,
			key_bytes <= SIZE_MAX / 8 ? key_bytes * 8 : SIZE_MAX);
		return NULL;
	}
	if (text_sanitize(name, strlen(name), &shown) == 0)
		diag_set(diag, -SDE_CIPHER, _("%.64s: %s"), shown, refusal(name));
	return NULL;
}

static int gcry_result(gcry_error_t err)
{
	switch (gcry_err_code(err)) {
	case GPG_ERR_NO_ERROR:
		return 0;
	case GPG_ERR_ENOMEM:
		return -ENOMEM;
	case GPG_ERR_WEAK_KEY:
		return -SDE_WEAK_KEY;
	default:
		return -SDE_CRYPTO;
	}
}

static int handle_open(gcry_cipher_hd_t *ret_handle, int algo, int mode, const void *key, size_t key_bytes)
{
	int r = gcry_result(gcry_cipher_open(ret_handle, algo, mode, GCRY_CIPHER_SECURE));

	return r < 0 ? r : gcry_result(gcry_cipher_setkey(*ret_handle, key, key_bytes));
}

static int aes_for(size_t key_bytes)
{
	return key_bytes == 16 ? GCRY_CIPHER_AES128
		: key_bytes == 24 ? GCRY_CIPHER_AES192 : GCRY_CIPHER_AES256;
}

static int essiv_open(struct cipher *cipher, const struct secret *key)
{
	CLEANUP_SECRET struct secret *essiv_key = NULL;
	int r = secret_new(ESSIV_KEY_BYTES, &essiv_key);

	if (r < 0)
		return r;
	gcry_md_hash_buffer(GCRY_MD_SHA256, secret_data(essiv_key), secret_data_const(key),
		secret_len(key));
	return handle_open(&cipher->essiv, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_ECB,
		secret_data(essiv_key), ESSIV_KEY_BYTES);
}

static void cleanup_cipher(struct cipher **cipher)
{
	cipher_free(*cipher);
}

int cipher_new(const struct cipher_spec *spec, const struct secret *key, struct cipher **ret_cipher)
{
	CLEANUP(cleanup_cipher) struct cipher *cipher = calloc(1, sizeof(*cipher));
	const uint8_t *bytes = secret_data_const(key);
	size_t half = secret_len(key) / 2;
	bool xts = spec->mode == GCRY_CIPHER_MODE_XTS;
	int r;

	if (!cipher)
		return -ENOMEM;
	if (xts && bytes_equal_ct(bytes, bytes + half, half))
		return -SDE_WEAK_KEY;
	cipher->iv = spec->iv;
	r = handle_open(&cipher->data, aes_for(xts ? half : 2 * half), spec->mode, bytes, 2 * half);
	if (r == 0 && spec->iv == CIPHER_IV_ESSIV)
		r = essiv_open(cipher, key);
	if (r < 0)
		return r;
	*ret_cipher = take_ptr(cipher);
	return 0;
}

void cipher_free(struct cipher *cipher)
{
	if (!cipher)
		return;
	gcry_cipher_close(cipher->data);
	gcry_cipher_close(cipher->essiv);
	free(cipher);
}

static gcry_error_t set_iv(struct cipher *cipher, uint64_t sector)
{
	union {
		le64 number;
		uint8_t bytes[AES_BLOCK_BYTES];
	} iv = {.bytes = {0}};

	iv.number = le64_make(cipher->iv == CIPHER_IV_PLAIN ? (uint32_t)sector : sector);
	if (cipher->essiv) {
		gcry_error_t err = gcry_cipher_encrypt(cipher->essiv, iv.bytes, sizeof(iv), NULL, 0);

		if (err)
			return err;
	}
	return gcry_cipher_setiv(cipher->data, iv.bytes, sizeof(iv));
}

int cipher_encrypt(struct cipher *cipher, void *out, const void *in, size_t len,
	uint32_t sector_bytes, uint64_t iv_sector)
{
	uint8_t *to = out;
	const uint8_t *from = in;
	gcry_error_t err = 0;

	for (size_t done = 0; done < len && !err; done += sector_bytes) {
		err = set_iv(cipher, iv_sector + (done >> IV_UNIT_SHIFT));
		if (!err)
			err = gcry_cipher_encrypt(cipher->data, to + done, sector_bytes, from + done,
				sector_bytes);
	}
	return gcry_result(err);
}

int cipher_decrypt(struct cipher *cipher, void *out, const void *in, size_t len,
	uint32_t sector_bytes, uint64_t iv_sector)
{
	uint8_t *to = out;
	const uint8_t *from = in;
	gcry_error_t err = 0;

	for (size_t done = 0; done < len && !err; done += sector_bytes) {
		err = set_iv(cipher, iv_sector + (done >> IV_UNIT_SHIFT));
		if (!err)
			err = gcry_cipher_decrypt(cipher->data, to + done, sector_bytes, from + done,
				sector_bytes);
	}
	return gcry_result(err);
}
