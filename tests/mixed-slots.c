/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/mixed-slots.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { SECTOR = 512 };

const struct layout layouts[FILES] = {{4096, 3000, true}, {65536, 400, true}, {512, 6000, false}, {5000, 2000, false}};

struct slot *slots[FILES];

void *allocated(void *p)
{
	if (!p || p == MAP_FAILED) {
		printf("no memory\n");
		exit(2);
	}
	return p;
}

uint64_t slot_word(const struct state *s, size_t i)
{
	uint64_t x = (s->file + 1) * 0x9e3779b97f4a7c15ULL ^ (s->off + i * 8) * 0xc2b2ae3d27d4eb4fULL ^
		s->version * 0x165667b19e3779f9ULL;

	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ULL;
	return s->version ? (x ^ x >> 32) | 1 : 0;
}

static bool words_are(const struct state *s, const uint64_t *words, size_t from, size_t to)
{
	while (from < to && words[from] == slot_word(s, from))
		from++;
	return from == to;
}

static size_t sector_end(uint64_t off, size_t word, size_t words)
{
	size_t end = word + (SECTOR - (off + word * 8) % SECTOR) / 8;

	return end < words ? end : words;
}

bool slot_shows(const struct slot *slot, uint64_t off, const uint64_t *words, size_t count, bool any)
{
	if (!any)
		return words_are(&slot->states[slot->count - 1], words, 0, count);
	for (size_t at = 0, end; at < count; at = end) {
		int i = slot->count - 1;

		end = sector_end(off, at, count);
		while (i >= 0 && !words_are(&slot->states[i], words, at, end))
			i--;
		if (i < 0)
			return false;
	}
	return true;
}

void slot_wrote(struct slot *slot, const struct state *state, bool success)
{
	if (slot->count == slot->room) {
		slot->room = slot->room ? 2 * slot->room : 4;
		slot->states = allocated(realloc(slot->states, (size_t)slot->room * sizeof(*state)));
	}
	slot->states[slot->count++] = *state;
	if (!success)
		slot->unsure = slot->count - 1;
}

void slot_synced(struct slot *slot, bool success)
{
	if (!success) {
		slot->unsure = slot->count - 1;
	} else if (slot->count - 1 > slot->unsure) {
		slot->states[0] = slot->states[slot->count - 1];
		slot->count = 1;
		slot->unsure = -1;
	}
}

void slots_start(void)
{
	for (unsigned f = 0; f < FILES; f++) {
		slots[f] = allocated(calloc(layouts[f].slots, sizeof(struct slot)));
		for (unsigned k = 0; k < layouts[f].slots; k++) {
			slots[f][k].unsure = -1;
			slot_wrote(&slots[f][k], &(struct state){0}, true);
		}
	}
}

void slots_record(FILE *record, bool out)
{
	for (unsigned f = 0; f < FILES; f++)
		for (unsigned k = 0; k < layouts[f].slots; k++) {
			struct slot *slot = &slots[f][k];
			size_t n = 1;

			n = out ? fwrite(&slot->count, sizeof(slot->count), 1, record) :
				  fread(&slot->count, sizeof(slot->count), 1, record);
			if (n == 1 && !out)
				slot->states = allocated(
					realloc(slot->states, (size_t)slot->count * sizeof(*slot->states)));
			if (n == 1)
				n = out ? fwrite(slot->states, sizeof(*slot->states), (size_t)slot->count, record) :
					  fread(slot->states, sizeof(*slot->states), (size_t)slot->count, record);
			if (n != (size_t)slot->count)
				exit(2);
		}
}
