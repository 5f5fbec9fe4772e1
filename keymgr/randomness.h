/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether bytes look like ciphertext. */
#ifndef KEYMGR_RANDOMNESS_H
#define KEYMGR_RANDOMNESS_H

#include <stdbool.h>
#include <stdint.h>

enum { RANDOMNESS_BYTES = 512 };

/*
 * Pearson's chi-squared test of the byte values of RANDOMNESS_BYTES bytes against a uniform
 * distribution. Of random bytes fewer than one in 10^11 fail; text, zeroes and tables always do.
 */
bool randomness_likely(const uint8_t bytes[RANDOMNESS_BYTES]);

#endif
