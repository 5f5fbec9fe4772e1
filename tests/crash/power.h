/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a power failure leaves of a stream of writes and flushes. */
#ifndef TESTS_CRASH_POWER_H
#define TESTS_CRASH_POWER_H

#include "tests/dev/faultdev.h"

/* Where chance begins, and a number below `below` from it. */
void power_seed(uint64_t seed);
uint32_t power_pick(uint32_t below);

/* The stream as a drive sees it, whose content before was `before`: whole sectors, because who writes a part
 * of one has read the rest. */
struct fault_record *power_sectors(const struct fault_record *records, size_t count, const uint8_t *before,
	uint64_t size_bytes);
void power_sectors_free(struct fault_record *records, size_t count);

/* Puts records [from, cut) on a medium that has all before: those before the last flush among them for certain, of
 * the others all, nothing, or some of their sectors. With super_whole the two sectors of the super block stay
 * together: what tears those is beyond e2fsck and the kernel where there is no other super block. */
void power_fail(uint8_t *medium, const struct fault_record *records, size_t from, size_t cut, bool super_whole);

#endif
