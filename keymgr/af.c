/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/af.h"

#include <errno.h>
#include <gcrypt.h>

#include "base/bytes.h"
#include "keymgr/hash.h"

static void xor_into(uint8_t *to, const uint8_t *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] ^= from[i];
}

/* Each digest-sized piece of block becomes the hash of its number and itself; the last is cut. */
static void diffuse(gcry_md_hd_t md, int algo, uint8_t *block, size_t len)
{
	size_t step = gcry_md_get_algo_dlen(algo);

	for (size_t at = 0, i = 0; at < len; at += step, i++) {
		size_t piece = len - at < step ? len - at : step;
		be32 number = be32_make((uint32_t)i);

		gcry_md_reset(md);
		gcry_md_write(md, &number, sizeof(number));
		gcry_md_write(md, block + at, piece);
		memcpy(block + at, gcry_md_read(md, algo), piece);
	}
}

/* block = diffuse(block xor stripe) for each of the first stripes - 1 stripes */
static int fold(
	const uint8_t *material, size_t len, uint32_t stripes, const char *hash, uint8_t *block)
{
	int algo = hash_algo(hash);
	gcry_md_hd_t md;

	if (!algo || !stripes)
		return -EINVAL;
	if (gcry_md_open(&md, algo, GCRY_MD_FLAG_SECURE))
		return -SDE_CRYPTO;
	for (uint32_t i = 0; i < stripes - 1; i++) {
		xor_into(block, material + i * len, len);
		diffuse(md, algo, block, len);
	}
	gcry_md_close(md);
	return 0;
}

int af_split(
	const struct secret *key, uint32_t stripes, const char *hash, struct secret **ret_material)
{
	size_t len = secret_len(key);
	CLEANUP_SECRET struct secret *material = NULL, *block = NULL;
	int r = secret_new(af_bytes((uint32_t)len, stripes), &material);

	if (!r)
		r = secret_new(len, &block);
	if (r)
		return r;
	uint8_t *out = secret_data(material), *last = secret_data(block);

	gcry_randomize(out, len * (stripes - 1), GCRY_STRONG_RANDOM);
	r = fold(out, len, stripes, hash, last);
	if (r)
		return r;
	xor_into(last, secret_data_const(key), len);
	memcpy(out + len * (stripes - 1), last, len);
	*ret_material = take_ptr(material);
	return 0;
}

int af_merge(const struct secret *material, uint32_t key_bytes, uint32_t stripes, const char *hash,
	struct secret **ret_key)
{
	CLEANUP_SECRET struct secret *key = NULL;

	if (!key_bytes || secret_len(material) < af_bytes(key_bytes, stripes))
		return -EINVAL;
	int r = secret_new(key_bytes, &key);

	if (r)
		return r;
	const uint8_t *in = secret_data_const(material);

	r = fold(in, key_bytes, stripes, hash, secret_data(key));
	if (r)
		return r;
	xor_into(secret_data(key), in + (size_t)key_bytes * (stripes - 1), key_bytes);
	*ret_key = take_ptr(key);
	return 0;
}
