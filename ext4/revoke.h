/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Revokes: blocks of metadata that were freed. A revoke of a block in transaction N says: no copy of
 * it in the log up to N may be replayed, the block may hold file data by now. No locking inside.
 */
#ifndef EXT4_REVOKE_H
#define EXT4_REVOKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct revokes {
	struct revoke {
		uint64_t block; /* UINT64_MAX: free slot */
		uint64_t tid;
	} *slots;
	size_t slot_count; /* 0 or a power of two */
	size_t count;
	size_t reserved; /* adds that have been promised room, by several users at once */
};

/* Room for `more` blocks, so that as many revokes_add() cannot fail, whatever others reserve and add
 * meanwhile. What is not added is to be released. -ENOMEM changes nothing. */
int revokes_reserve(struct revokes *revokes, size_t more) MUST_CHECK;
void revokes_release(struct revokes *revokes, size_t count);
/* The block is revoked up to tid (or later, if it was already). Takes one from what is reserved. */
void revokes_add(struct revokes *revokes, uint64_t block, uint64_t tid);
/* The block is metadata again. */
void revokes_remove(struct revokes *revokes, uint64_t block);
/* Whether a copy in transaction tid must not be replayed. */
bool revokes_cover(const struct revokes *revokes, uint64_t block, uint64_t tid);
void revokes_free(struct revokes *revokes);

#endif
