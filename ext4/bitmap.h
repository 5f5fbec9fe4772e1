/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bits of a bitmap block, little-endian as on the drive; a set bit is in use. */
#ifndef EXT4_BITMAP_H
#define EXT4_BITMAP_H

#include <stdbool.h>

#include "base/bytes.h"

static inline bool bitmap_test(const uint8_t *bits, uint32_t bit)
{
	return bits[bit >> 3] & (1u << (bit & 7));
}

static inline void bitmap_set(uint8_t *bits, uint32_t bit)
{
	bits[bit >> 3] |= 1u << (bit & 7);
}

static inline void bitmap_clear(uint8_t *bits, uint32_t bit)
{
	bits[bit >> 3] &= ~(1u << (bit & 7));
}

/* First bit in [bit, end) that is clear (or not: want false) in bits and, if there are any, in
 * more; else end. Both are whole multiples of eight bytes. */
static inline uint32_t bitmap_next(const uint8_t *bits, const uint8_t *more, uint32_t bit,
	uint32_t end, bool want)
{
	while (bit < end) {
		uint32_t base = bit & ~63u;
		uint64_t word, other = 0;

		memcpy(&word, bits + base / 8, sizeof(word));
		if (more)
			memcpy(&other, more + base / 8, sizeof(other));
		word = le64toh(word | other);
		if (want)
			word = ~word;
		word &= ~0ULL << (bit & 63);
		if (word)
			return (uint32_t)min_u64(base + (unsigned)__builtin_ctzll(word), end);
		bit = base + 64;
	}
	return end;
}

#endif
