/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A hash table with open addressing. It is at most half full, also when all that is reserved has been added. */
#include "ext4/revoke.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { SLOTS_MIN = 16 };

static size_t slot_of(const struct revokes *revokes, uint64_t block)
{
	return (size_t)(block * 0x9e3779b97f4a7c15ULL >> 32) & (revokes->slot_count - 1);
}

/* The block's slot, or the free one where it belongs. */
static struct revoke *find(const struct revokes *revokes, uint64_t block)
{
	size_t at = slot_of(revokes, block);

	while (revokes->slots[at].block != block && revokes->slots[at].block != UINT64_MAX)
		at = (at + 1) & (revokes->slot_count - 1);
	return &revokes->slots[at];
}

static void put(struct revokes *revokes, uint64_t block, uint64_t tid)
{
	struct revoke *slot = find(revokes, block);

	if (slot->block == block) {
		slot->tid = tid > slot->tid ? tid : slot->tid;
		return;
	}
	*slot = (struct revoke){block, tid};
	revokes->count++;
}

static int grow(struct revokes *revokes, size_t slots)
{
	struct revokes grown = {.slot_count = slots, .reserved = revokes->reserved};

	grown.slots = reallocarray(NULL, grown.slot_count, sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;
	for (size_t i = 0; i < grown.slot_count; i++)
		grown.slots[i].block = UINT64_MAX;
	for (size_t i = 0; i < revokes->slot_count; i++)
		if (revokes->slots[i].block != UINT64_MAX)
			put(&grown, revokes->slots[i].block, revokes->slots[i].tid);
	free(revokes->slots);
	*revokes = grown;
	return 0;
}

int revokes_reserve(struct revokes *revokes, size_t more)
{
	size_t slots = revokes->slot_count ? revokes->slot_count : SLOTS_MIN, taken = revokes->count + revokes->reserved;
	int r = 0;

	if (more > SIZE_MAX / 8 - taken)
		return -ENOMEM;
	while (slots < 2 * (taken + more))
		slots *= 2;
	if (slots != revokes->slot_count)
		r = grow(revokes, slots);
	if (r == 0)
		revokes->reserved += more;
	return r;
}

void revokes_release(struct revokes *revokes, size_t count)
{
	assert(revokes->reserved >= count);
	revokes->reserved -= count;
}

void revokes_add(struct revokes *revokes, uint64_t block, uint64_t tid)
{
	revokes_release(revokes, 1);
	put(revokes, block, tid);
}

/* What follows in the chain is put in anew, or it would not be found any more. */
void revokes_remove(struct revokes *revokes, uint64_t block)
{
	struct revoke *slot;
	size_t at;

	if (revokes->count == 0)
		return;
	slot = find(revokes, block);
	if (slot->block != block)
		return;
	slot->block = UINT64_MAX;
	revokes->count--;
	at = (size_t)(slot - revokes->slots);
	for (;;) {
		struct revoke moved;

		at = (at + 1) & (revokes->slot_count - 1);
		moved = revokes->slots[at];
		if (moved.block == UINT64_MAX)
			return;
		revokes->slots[at].block = UINT64_MAX;
		revokes->count--;
		put(revokes, moved.block, moved.tid);
	}
}

bool revokes_cover(const struct revokes *revokes, uint64_t block, uint64_t tid)
{
	const struct revoke *slot;

	if (revokes->count == 0)
		return false;
	slot = find(revokes, block);
	return slot->block == block && tid <= slot->tid;
}

void revokes_free(struct revokes *revokes)
{
	free(revokes->slots);
	*revokes = (struct revokes){0};
}
