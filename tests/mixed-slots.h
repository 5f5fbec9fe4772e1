/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What tests/mixed.c knows of its files: rows of slots, each with zeroes in it, or with words made of the file,
 * the place and the version that was written there (and copied since, perhaps).
 *
 * Invariant: states[0] of a slot is what the last successful fsync found; the ones behind it came
 * since. When something fails, a slot may show any of its states, sector by sector; and what was written
 * before a failed fsync is not promised by a later one that succeeds. No locks: a slot is one thread's.
 */
#ifndef TESTS_MIXED_SLOTS_H
#define TESTS_MIXED_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { FILES = 4 };

/* Past the cache only whole pages are written: who does more mixes what no kernel keeps apart. */
struct layout {
	size_t bytes; /* of a slot, whole words */
	unsigned slots;
	bool direct;
};
extern const struct layout layouts[FILES];

/* version 0: zeroes */
struct state {
	uint32_t file;
	uint64_t off, version;
};

struct slot {
	struct state *states;
	int count, room;
	int unsure; /* states up to this one were before a failure; -1: none was */
};
extern struct slot *slots[FILES];

/* All of them, with zeroes. */
void slots_start(void);
/* Writes them to the file, or reads them from it. */
void slots_record(FILE *record, bool out);

/* The word that such a slot has at i. */
uint64_t slot_word(const struct state *state, size_t i);
/* Whether these words, at off of the file, are the last of its states; any: or others, by sectors. */
bool slot_shows(const struct slot *slot, uint64_t off, const uint64_t *words, size_t count, bool any);
void slot_wrote(struct slot *slot, const struct state *state, bool success);
void slot_synced(struct slot *slot, bool success);

/* p, or the program ends: there was no memory. */
void *allocated(void *p);

#endif
