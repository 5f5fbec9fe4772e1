/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making metadata bad, with checksums that are right. */
#ifndef TESTS_HOSTILE_MUTATE_H
#define TESTS_HOSTILE_MUTATE_H

#include <stdbool.h>

#include "tests/hostile/spot.h"

/* Some changes to image, chosen by *random (which moves on); show: says which, as comments. */
void mutate(const struct spots *spots, uint8_t *image, uint64_t *random, bool show);

#endif
