/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One round of a directory listing: names, their positions, order and rank. */
#include "ext4/listing.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static uint64_t name_key[2];
static pthread_once_t name_key_once = PTHREAD_ONCE_INIT;

static void name_key_init(void)
{
	/* A failure leaves a key that can be guessed: positions collide on a drive made for it. */
	if (getrandom(name_key, sizeof(name_key), 0) != sizeof(name_key))
		name_key[0] ^= (uintptr_t)&name_key;
}

static uint64_t rotate(uint64_t v, unsigned bits)
{
	return v << bits | v >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 (Aumasson, Bernstein). */
static uint64_t name_hash(const char *name, size_t len)
{
	uint64_t v[4] = {name_key[0] ^ 0x736f6d6570736575, name_key[1] ^ 0x646f72616e646f6d,
		name_key[0] ^ 0x6c7967656e657261, name_key[1] ^ 0x7465646279746573};

	for (size_t off = 0; off <= len; off += 8) {
		uint64_t word = 0;
		size_t n = len - off < 8 ? len - off : 8;

		memcpy(&word, name + off, n);
		if (n < 8)
			word |= (uint64_t)len << 56;
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t listing_hash_position(uint32_t major)
{
	return LISTING_HASHED_FIRST + ((uint64_t)(major >> 1) << 32);
}

uint64_t listing_name_position(uint32_t major, const char *name, size_t len)
{
	pthread_once(&name_key_once, name_key_init);
	return listing_hash_position(major) +
	       ((name_hash(name, len) & 0xfffffff) << LISTING_RANK_BITS);
}

void listing_free(struct listing *listing)
{
	free(listing->items);
	free(listing->names);
}

static int listing_reserve(struct listing *listing, size_t name_len)
{
	if (listing->count == listing->capacity) {
		size_t capacity = listing->capacity ? 2 * listing->capacity : 256;
		struct listing_item *items = realloc(listing->items, capacity * sizeof(*items));

		if (!items)
			return -ENOMEM;
		listing->items = items;
		listing->capacity = capacity;
	}
	if (listing->names_capacity - listing->names_bytes < name_len) {
		size_t capacity = 2 * listing->names_capacity + 8192;
		char *names = realloc(listing->names, capacity);

		if (!names)
			return -ENOMEM;
		listing->names = names;
		listing->names_capacity = capacity;
	}
	return 0;
}

int listing_add(
	struct listing *listing, uint64_t position, uint64_t next, const struct dirent_disk *entry)
{
	int r = listing_reserve(listing, entry->name_len);

	if (r < 0)
		return r;
	listing->items[listing->count++] = (struct listing_item){
		.position = position,
		.next = next,
		.ino = le32_get(entry->inode),
		.name_off = (uint32_t)listing->names_bytes,
		.type = entry->file_type,
		.name_len = entry->name_len,
	};
	memcpy(listing->names + listing->names_bytes, entry->name, entry->name_len);
	listing->names_bytes += entry->name_len;
	return 0;
}

static int compare_items(const void *a, const void *b, void *names)
{
	const struct listing_item *x = a, *y = b;
	const char *base = names;

	if (x->position != y->position)
		return x->position < y->position ? -1 : 1;

	int order = memcmp(base + x->name_off, base + y->name_off,
		x->name_len < y->name_len ? x->name_len : y->name_len);

	return order ? order : (int)x->name_len - (int)y->name_len;
}

void listing_sort(struct listing *listing)
{
	if (listing->count)
		qsort_r(listing->items, listing->count, sizeof(*listing->items), compare_items,
			listing->names);
}

/* Gives equal positions their rank. */
void listing_rank(struct listing *listing)
{
	uint64_t group = LISTING_END;
	unsigned rank = 0;

	for (size_t i = 0; i < listing->count; i++) {
		struct listing_item *item = &listing->items[i];

		rank = item->position == group ? rank + (rank < LISTING_RANK_MASK) : 0;
		group = item->position;
		if (group >= LISTING_HASHED_FIRST)
			item->position += rank;
		item->next = item->position + 1;
	}
}

/* Very many names of one hash: keeps the lower half, the rest is left to the next round. */
int listing_trim(struct listing *listing)
{
	struct listing kept = {0};
	size_t keep = listing->count / 2;

	listing_sort(listing);
	while (keep > 1 && listing->items[keep - 1].position == listing->items[keep].position)
		keep--;
	kept.limit = listing->items[keep].position;
	for (size_t i = 0; i < keep; i++) {
		const struct listing_item *item = &listing->items[i];
		int r = listing_reserve(&kept, item->name_len);

		if (r < 0) {
			listing_free(&kept);
			return r;
		}
		kept.items[kept.count] = *item;
		kept.items[kept.count++].name_off = (uint32_t)kept.names_bytes;
		memcpy(kept.names + kept.names_bytes, listing->names + item->name_off,
			item->name_len);
		kept.names_bytes += item->name_len;
	}
	listing_free(listing);
	*listing = kept;
	return 0;
}
