/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/shamir.h"

#include <errno.h>
#include <gcrypt.h>

#include "base/bytes.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/gf256.h"

/* Horner's rule; coefficients: those of x for all bytes, then those of x^2, ... */
static void evaluate(const uint8_t *secret, const uint8_t *coefficients, size_t len, unsigned degree, uint8_t x,
	uint8_t *out)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t value = 0;

		for (unsigned power = degree; power > 0; power--)
			value = gf256_mul(value ^ coefficients[(power - 1) * len + i], x);
		out[i] = value ^ secret[i];
	}
}

int shamir_split(const struct secret *secret, unsigned count, unsigned threshold, struct secret **ret_shares)
{
	CLEANUP_SECRET struct secret *coefficients = NULL;
	size_t len = secret_len(secret);
	unsigned made = 0;
	int r;

	if (threshold < 2 || threshold > count || count > SHAMIR_SHARES_MAX)
		return -EINVAL;
	r = crypto_init();
	if (r == 0)
		r = secret_new((threshold - 1) * len, &coefficients);
	if (r < 0)
		return r;
	/* also the highest: were it never 0, threshold - 1 shares would rule out one secret in 256 a byte */
	gcry_randomize(secret_data(coefficients), secret_len(coefficients), GCRY_VERY_STRONG_RANDOM);
	for (; made < count && r == 0; made++) {
		ret_shares[made] = NULL;
		r = secret_new(len, &ret_shares[made]);
		if (r == 0)
			evaluate(secret_data_const(secret), secret_data_const(coefficients), len, threshold - 1,
				(uint8_t)(made + 1), secret_data(ret_shares[made]));
	}
	while (r < 0 && made > 0)
		secret_free(take_ptr(ret_shares[--made]));
	return r;
}

static bool well_formed(const uint8_t *x, const struct secret *const *shares, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (x[i] == 0 || secret_len(shares[i]) != secret_len(shares[0]))
			return false;
		for (unsigned j = 0; j < i; j++)
			if (x[i] == x[j])
				return false;
	}
	return count > 0;
}

/* Lagrange's polynomial for share i at 0: the product of x_j / (x_i - x_j). */
static uint8_t weight(const uint8_t *x, unsigned count, unsigned i)
{
	uint8_t above = 1, below = 1;

	for (unsigned j = 0; j < count; j++) {
		if (j == i)
			continue;
		above = gf256_mul(above, x[j]);
		below = gf256_mul(below, x[i] ^ x[j]);
	}
	return gf256_mul(above, gf256_inverse(below));
}

int shamir_combine(const uint8_t *x, const struct secret *const *shares, unsigned count, struct secret **ret_secret)
{
	CLEANUP_SECRET struct secret *secret = NULL;
	int r;

	if (!well_formed(x, shares, count))
		return -EINVAL;
	r = secret_new(secret_len(shares[0]), &secret);
	if (r < 0)
		return r;
	uint8_t *out = secret_data(secret);

	for (unsigned i = 0; i < count; i++) {
		const uint8_t *share = secret_data_const(shares[i]);
		uint8_t factor = weight(x, count, i);

		for (size_t at = 0; at < secret_len(secret); at++)
			out[at] ^= gf256_mul(share[at], factor);
	}
	*ret_secret = take_ptr(secret);
	return 0;
}
