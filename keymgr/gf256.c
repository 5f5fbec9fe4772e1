/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/gf256.h"

enum { REDUCTION = 0x1d }; /* what x^8 is */

uint8_t gf256_mul(uint8_t a, uint8_t b)
{
	unsigned product = 0, shifted = a;

	for (int bit = 0; bit < 8; bit++) {
		product ^= shifted & -(b >> bit & 1U);
		shifted = (shifted << 1 & 0xff) ^ (REDUCTION & -(shifted >> 7));
	}
	return (uint8_t)product;
}

/* a^255 = 1, so a^254 is the inverse: 254 = 2 + 4 + 8 + ... + 128 */
uint8_t gf256_inverse(uint8_t a)
{
	uint8_t power = a, inverse = 1;

	for (int bit = 1; bit < 8; bit++) {
		power = gf256_mul(power, power);
		inverse = gf256_mul(inverse, power);
	}
	return inverse;
}
