/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/randomness.h"

/*
 * Every value is expected EXPECTED times. With 255 degrees of freedom the sum of
 * (count - EXPECTED)^2 / EXPECTED is 255 +- 22.6; both limits are 7 standard deviations away
 * (Wilson and Hilferty's approximation, as the tails are not normal). In units of 1/EXPECTED.
 */
enum { EXPECTED = RANDOMNESS_BYTES / 256, SUM_MIN = 120 * EXPECTED, SUM_MAX = 450 * EXPECTED };

bool randomness_likely(const uint8_t bytes[RANDOMNESS_BYTES])
{
	uint32_t counts[256] = {0}, sum = 0;

	for (int i = 0; i < RANDOMNESS_BYTES; i++)
		counts[bytes[i]]++;
	for (int value = 0; value < 256; value++)
		sum += (counts[value] - EXPECTED) * (counts[value] - EXPECTED);
	return sum >= SUM_MIN && sum <= SUM_MAX;
}
