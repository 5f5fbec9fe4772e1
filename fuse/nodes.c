/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Open addressing with linear probing, in shards with a lock each.
 *
 * 1. An entry exists exactly while its lookup count is above zero. Inodes are numbered from 1.
 * 2. An inode that has no links and an entry is pinned. Whoever takes the last link pins after the
 *    link is gone; whoever adds an entry looks at the links afterwards and pins too (both hold a
 *    reference meanwhile). So it does not matter which of the two comes first.
 * 3. A pin leaves the table under the lock and is put after the lock is released: the last put of
 *    an inode without links writes to the drive.
 * 4. A shard is at most four fifths full, and shrinks when less than a third is used. It grows by a
 *    quarter: with millions of inodes its free places are most of what this process takes.
 *
 * Lock order: one shard lock, nothing below it.
 */
#include "fuse/nodes.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/bytes.h"

enum {
	SHARDS = 16,
	SLOTS_MIN = 16, /* per shard */
};

/* One for each inode that the kernel knows, which may be millions. */
struct node {
	uint32_t ino; /* 0: free slot */
	uint32_t lookups_low, lookups_high : 31;
	uint32_t pinned : 1; /* the reference is found by the number */
};

struct shard {
	pthread_mutex_t lock;
	struct node *slots;
	size_t count; /* of slots */
	size_t used;
};

struct nodes {
	struct e4_fs *fs;
	struct shard shards[SHARDS];
};

static uint64_t lookups_get(const struct node *node)
{
	return (uint64_t)node->lookups_high << 32 | node->lookups_low;
}

static void lookups_set(struct node *node, uint64_t lookups)
{
	node->lookups_low = (uint32_t)lookups;
	node->lookups_high = (uint32_t)(lookups >> 32) & INT32_MAX;
}

static uint32_t node_hash(uint32_t ino)
{
	uint32_t h = ino * 0x9e3779b1u;

	return h ^ h >> 15;
}

static struct shard *shard_lock(struct nodes *nodes, uint32_t ino)
{
	struct shard *shard = &nodes->shards[node_hash(ino) % SHARDS];

	pthread_mutex_lock(&shard->lock);
	return shard;
}

static void shard_unlock(struct shard *shard)
{
	pthread_mutex_unlock(&shard->lock);
}

static size_t slot_home(const struct shard *shard, uint32_t ino)
{
	return (size_t)((uint64_t)node_hash(ino) * shard->count >> 32);
}

static size_t slot_next(const struct shard *shard, size_t i)
{
	return i + 1 < shard->count ? i + 1 : 0;
}

static size_t slot_distance(const struct shard *shard, size_t from, size_t to)
{
	return to >= from ? to - from : to + shard->count - from;
}

/* The inode's slot, or the free one where it belongs; there always is a free one. */
static struct node *shard_find(const struct shard *shard, uint32_t ino)
{
	size_t i = slot_home(shard, ino);

	while (shard->slots[i].ino && shard->slots[i].ino != ino)
		i = slot_next(shard, i);
	return &shard->slots[i];
}

static int shard_resize(struct shard *shard, size_t slots)
{
	struct node *old = shard->slots, *bigger = calloc(slots, sizeof(*bigger));
	size_t old_slots = old ? shard->count : 0;

	if (!bigger)
		return -ENOMEM;
	shard->slots = bigger;
	shard->count = slots;
	for (size_t i = 0; i < old_slots; i++)
		if (old[i].ino)
			*shard_find(shard, old[i].ino) = old[i];
	free(old);
	return 0;
}

/* Frees the slot and moves up those behind it that probing would not find any more. */
static void shard_delete(struct shard *shard, struct node *node)
{
	size_t hole = (size_t)(node - shard->slots);

	for (size_t i = slot_next(shard, hole); shard->slots[i].ino; i = slot_next(shard, i)) {
		size_t home = slot_home(shard, shard->slots[i].ino);

		if (slot_distance(shard, home, i) < slot_distance(shard, hole, i))
			continue;
		shard->slots[hole] = shard->slots[i];
		hole = i;
	}
	shard->slots[hole] = (struct node){0};
	shard->used--;
	if (shard->count > SLOTS_MIN && shard->used < shard->count / 3) {
		/* without memory for the smaller one, the bigger one stays */
		if (shard_resize(shard, max_u64(shard->count / 2, SLOTS_MIN)) < 0)
			return;
	}
}

int nodes_new(struct e4_fs *fs, struct nodes **ret_nodes)
{
	struct nodes *nodes = calloc(1, sizeof(*nodes));

	if (!nodes)
		return -ENOMEM;
	nodes->fs = fs;
	for (size_t i = 0; i < SHARDS; i++)
		pthread_mutex_init(&nodes->shards[i].lock, NULL);
	for (size_t i = 0; i < SHARDS; i++) {
		if (shard_resize(&nodes->shards[i], SLOTS_MIN) < 0) {
			nodes_free(nodes);
			return -ENOMEM;
		}
	}
	*ret_nodes = nodes;
	return 0;
}

void nodes_free(struct nodes *nodes)
{
	if (!nodes)
		return;
	for (size_t s = 0; s < SHARDS; s++) {
		struct shard *shard = &nodes->shards[s];

		for (size_t i = 0; shard->slots && i < shard->count; i++)
			if (shard->slots[i].pinned)
				e4_iput_number(nodes->fs, shard->slots[i].ino);
		free(shard->slots);
		pthread_mutex_destroy(&shard->lock);
	}
	free(nodes);
}

static int shard_add(struct shard *shard, uint32_t ino)
{
	struct node *node = shard_find(shard, ino);

	if (node->ino) {
		lookups_set(node, lookups_get(node) + 1);
		return 0;
	}
	if ((shard->used + 1) * 5 > shard->count * 4) {
		int err = shard_resize(shard, shard->count + shard->count / 4);

		if (err < 0)
			return err;
		node = shard_find(shard, ino);
	}
	*node = (struct node){.ino = ino, .lookups_low = 1};
	shard->used++;
	return 0;
}

int nodes_add(struct nodes *nodes, uint32_t ino)
{
	struct shard *shard = shard_lock(nodes, ino);
	int err = shard_add(shard, ino);

	shard_unlock(shard);
	return err;
}

void nodes_forget(struct nodes *nodes, uint32_t ino, uint64_t count)
{
	struct shard *shard = shard_lock(nodes, ino);
	struct node *node = shard_find(shard, ino);
	uint64_t lookups = lookups_get(node);
	bool pinned = false;

	if (lookups > count) {
		lookups_set(node, lookups - count);
	} else if (lookups > 0) {
		pinned = node->pinned;
		shard_delete(shard, node);
	}
	shard_unlock(shard);
	if (pinned)
		e4_iput_number(nodes->fs, ino);
}

void nodes_pin(struct nodes *nodes, struct e4_inode *inode)
{
	uint32_t ino = e4_ino(inode);
	struct shard *shard = shard_lock(nodes, ino);
	struct node *node = shard_find(shard, ino);

	if (node->ino && !node->pinned) {
		(void)e4_iref(inode);
		node->pinned = true;
	}
	shard_unlock(shard);
}

size_t nodes_count(struct nodes *nodes)
{
	size_t count = 0;

	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *shard = &nodes->shards[i];

		pthread_mutex_lock(&shard->lock);
		count += shard->used;
		pthread_mutex_unlock(&shard->lock);
	}
	return count;
}
