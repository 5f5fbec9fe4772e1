/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/hash256.h"

#include <errno.h>
#include <gcrypt.h>
#include <string.h>

#include "kernel-shim/cryptdev.h"

int hash256_begin(struct hash256 *hash)
{
	gcry_md_hd_t handle;

	if (crypto_init() < 0 || gcry_md_open(&handle, GCRY_MD_SHA256, 0))
		return -SDE_CRYPTO;
	hash->handle = handle;
	return 0;
}

void hash256_update(struct hash256 *hash, const void *data, size_t len)
{
	gcry_md_write(hash->handle, data, len);
}

void hash256_final(struct hash256 *hash, uint8_t out[HASH256_BYTES])
{
	memcpy(out, gcry_md_read(hash->handle, GCRY_MD_SHA256), HASH256_BYTES);
	gcry_md_reset(hash->handle);
}

int hash256_peek(const struct hash256 *hash, char out[HASH256_HEX])
{
	gcry_md_hd_t copy;

	if (gcry_md_copy(&copy, hash->handle))
		return -SDE_CRYPTO;
	hex_encode(gcry_md_read(copy, GCRY_MD_SHA256), HASH256_BYTES, out);
	gcry_md_close(copy);
	return 0;
}

void hash256_hex(struct hash256 *hash, char out[HASH256_HEX])
{
	uint8_t digest[HASH256_BYTES];

	hash256_final(hash, digest);
	hex_encode(digest, sizeof(digest), out);
}

void hash256_clear(struct hash256 *hash)
{
	gcry_md_close(hash->handle);
	hash->handle = NULL;
}

void hash256_of(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[HASH256_BYTES])
{
	gcry_buffer_t parts[2] = {
		{.len = a_len, .data = (void *)(uintptr_t)a},
		{.len = b_len, .data = (void *)(uintptr_t)b},
	};

	gcry_md_hash_buffers(GCRY_MD_SHA256, 0, out, parts, b ? 2 : 1);
}

void hex_encode(const uint8_t *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[data[i] >> 4];
		*out++ = digits[data[i] & 15];
	}
	*out = '\0';
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hex_decode(const char *text, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++, text += 2) {
		int high = digit_of(text[0]), low = high < 0 ? -1 : digit_of(text[1]);

		if (low < 0)
			return -EINVAL;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return *text ? -EINVAL : 0;
}
