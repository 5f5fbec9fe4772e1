/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes and numbers: on-disk integers with types of their own, overflow-checked arithmetic,
 * rounding. Nothing here allocates or fails except by its return value.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Integers as they lie on a drive. A forgotten byte swap does not compile. */
typedef struct { uint16_t raw; } be16;
typedef struct { uint32_t raw; } be32;
typedef struct { uint64_t raw; } be64;
typedef struct { uint16_t raw; } le16;
typedef struct { uint32_t raw; } le32;
typedef struct { uint64_t raw; } le64;

#define BYTES_ORDER_FN(order, bits)                                                                \
	static inline uint##bits##_t order##bits##_get(order##bits v)                              \
	{                                                                                          \
		return order##bits##toh(v.raw);                                                    \
	}                                                                                          \
	static inline order##bits order##bits##_make(uint##bits##_t v)                             \
	{                                                                                          \
		return (order##bits){hto##order##bits(v)};                                         \
	}
BYTES_ORDER_FN(be, 16)
BYTES_ORDER_FN(be, 32)
BYTES_ORDER_FN(be, 64)
BYTES_ORDER_FN(le, 16)
BYTES_ORDER_FN(le, 32)
BYTES_ORDER_FN(le, 64)
#undef BYTES_ORDER_FN

/* Checked arithmetic: false on overflow, and then *ret is not written. */
static inline bool add_u64(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t r;

	if (__builtin_add_overflow(a, b, &r))
		return false;
	*ret = r;
	return true;
}

static inline bool mul_u64(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t r;

	if (__builtin_mul_overflow(a, b, &r))
		return false;
	*ret = r;
	return true;
}

/* Whether [off, off+len) lies inside [0, size). */
static inline bool range_inside(uint64_t off, uint64_t len, uint64_t size)
{
	return off <= size && len <= size - off;
}

/* align must be a power of two */
static inline uint64_t round_down_u64(uint64_t v, uint64_t align)
{
	return v & ~(align - 1);
}

/* align must be a power of two; the caller knows that v + align does not overflow */
static inline uint64_t round_up_u64(uint64_t v, uint64_t align)
{
	return (v + align - 1) & ~(align - 1);
}

static inline bool is_power_of_2(uint64_t v)
{
	return v && !(v & (v - 1));
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline uint64_t div_round_up_u64(uint64_t v, uint64_t d)
{
	return v / d + (v % d != 0);
}

/* Whether all len bytes are zero. */
bool bytes_all_zero(const void *p, size_t len);

#endif
