/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The field of 256 elements, as polynomials over two elements modulo x^8 + x^4 + x^3 + x^2 + 1 (0x11d), the one
 * of libgfshare, of QR codes and of RAID 6. Addition is exclusive or. Neither time nor addresses depend on
 * operands: no tables, no branches.
 */
#ifndef KEYMGR_GF256_H
#define KEYMGR_GF256_H

#include <stdint.h>

uint8_t gf256_mul(uint8_t a, uint8_t b);
/* b with a * b = 1; of 0: 0. */
uint8_t gf256_inverse(uint8_t a);

#endif
