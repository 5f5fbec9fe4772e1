/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much memory this process may still use, as machine and control groups have it. */
#ifndef KEYMGR_MEMORY_H
#define KEYMGR_MEMORY_H

#include <stdint.h>

/* Bytes that can be taken without swapping and without waking the out-of-memory killer;
 * UINT64_MAX when nobody says. */
uint64_t memory_available(void);
/* Bytes the machine (or the tightest control group) has at all. */
uint64_t memory_total(void);

#endif
