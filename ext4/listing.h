/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What one round of readdir.c lists: copies of names with their positions. Private to readdir.c,
 * whose opening comment explains positions.
 */
#ifndef EXT4_LISTING_H
#define EXT4_LISTING_H

#include "ext4/dirblock.h"

#define LISTING_END UINT64_MAX
enum {
	LISTING_HASHED_FIRST = 2, /* position of the lowest key */
	LISTING_RANK_BITS = 4,
	LISTING_RANK_MASK = (1 << LISTING_RANK_BITS) - 1,
	LISTING_MAX = 8192, /* entries, in hash order; more than one block holds */
};

struct listing_item {
	uint64_t position, next; /* hashed: rank 0 and no next until ranked */
	uint32_t ino, name_off;
	uint8_t type, name_len;
};

/* Starts as {.limit = LISTING_END}; may be used again with count and names_bytes set to 0. */
struct listing {
	struct listing_item *items;
	size_t count, capacity;
	char *names;
	size_t names_bytes, names_capacity;
	uint64_t next;	/* position of the next round; LISTING_END: there is none */
	uint64_t limit; /* hashed: positions from here on are left to the next round */
};

void listing_free(struct listing *listing);
int listing_add(struct listing *listing, uint64_t position, uint64_t next,
	const struct dirent_disk *entry) MUST_CHECK;
/* By position, then by name. */
void listing_sort(struct listing *listing);
/* Sorted: gives equal hashed positions their rank, and all their next. */
void listing_rank(struct listing *listing);
/* Very many names of one hash: keeps about the lower half, sets limit. */
int listing_trim(struct listing *listing) MUST_CHECK;

/* The lowest position of a hash; the position of a name, with rank 0. */
uint64_t listing_hash_position(uint32_t major);
uint64_t listing_name_position(uint32_t major, const char *name, size_t len);

#endif
