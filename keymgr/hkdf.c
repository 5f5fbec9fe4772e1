/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/hkdf.h"

#include <errno.h>
#include <gcrypt.h>
#include <string.h>

#include "base/bytes.h"

static int hmac(const void *key, size_t key_len, const struct bytes_part *parts, size_t count,
	void *ret_mac)
{
	gcry_mac_hd_t handle;
	size_t len = HMAC_BYTES;
	gcry_error_t err = gcry_mac_open(
		&handle, GCRY_MAC_HMAC_SHA256, GCRY_MAC_FLAG_SECURE, NULL);

	if (err)
		return -SDE_CRYPTO;
	err = gcry_mac_setkey(handle, key, key_len);
	for (size_t i = 0; !err && i < count; i++)
		err = gcry_mac_write(handle, parts[i].data, parts[i].len);
	if (!err)
		err = gcry_mac_read(handle, ret_mac, &len);
	gcry_mac_close(handle);
	return err || len != HMAC_BYTES ? -SDE_CRYPTO : 0;
}

int hmac_sha256(const struct secret *key, const struct bytes_part *parts, size_t count,
	uint8_t ret_mac[HMAC_BYTES])
{
	return hmac(secret_data_const(key), secret_len(key), parts, count, ret_mac);
}

/* Section 2.2: a key of uniform bytes. No salt is the same as one of zeroes. */
static int extract(
	const struct secret *key, const void *salt, size_t salt_len, struct secret **ret_prk)
{
	static const uint8_t zeroes[HMAC_BYTES];
	struct bytes_part part = {secret_data_const(key), secret_len(key)};
	CLEANUP_SECRET struct secret *prk = NULL;
	int r = secret_new(HMAC_BYTES, &prk);

	if (!r)
		r = hmac(salt_len ? salt : zeroes, salt_len ? salt_len : sizeof(zeroes), &part, 1,
			secret_data(prk));
	if (!r)
		*ret_prk = take_ptr(prk);
	return r;
}

int hkdf_sha256(const struct secret *key, const void *salt, size_t salt_len, const void *info,
	size_t info_len, struct secret *out)
{
	CLEANUP_SECRET struct secret *prk = NULL, *block = NULL;
	size_t len = secret_len(out);
	int r;

	if (len > HKDF_OUT_MAX)
		return -EINVAL;
	r = extract(key, salt, salt_len, &prk);
	if (!r)
		r = secret_new(HMAC_BYTES, &block);
	/* section 2.3: T(n) = HMAC(PRK, T(n - 1) | info | n) */
	for (size_t done = 0; !r && done < len; done += HMAC_BYTES) {
		uint8_t number = (uint8_t)(done / HMAC_BYTES + 1);
		struct bytes_part parts[] = {
			{secret_data_const(block), done ? HMAC_BYTES : 0},
			{info, info_len},
			{&number, 1},
		};

		r = hmac(secret_data_const(prk), HMAC_BYTES, parts, ARRAY_SIZE(parts),
			secret_data(block));
		if (!r)
			memcpy((uint8_t *)secret_data(out) + done, secret_data_const(block),
				min_u64(HMAC_BYTES, len - done));
	}
	return r;
}
