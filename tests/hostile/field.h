/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fields of metadata: where a structure has its numbers. */
#ifndef TESTS_HOSTILE_FIELD_H
#define TESTS_HOSTILE_FIELD_H

#include <stdbool.h>

#include "tests/hostile/spot.h"

struct field {
	uint32_t at;	/* in its spot */
	unsigned bytes; /* 1, 2 or 4 */
	bool big_endian;
};

/* One that lies inside the spot. block: the spot as it is now, which may be bad already. */
struct field field_choose(const struct spot *spot, const uint8_t *block, uint64_t *random);
uint32_t field_get(const struct field *field, const uint8_t *block);
void field_set(const struct field *field, uint8_t *block, uint32_t value);

#endif
