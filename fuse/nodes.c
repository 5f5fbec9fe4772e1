/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Open addressing with linear probing, in shards with a lock each.
 *
 * 1. An entry exists exactly while its lookup count is above zero.
 * 2. An inode that has no links and an entry is pinned. Whoever takes the last link pins after the
 *    link is gone; whoever adds an entry looks at the links afterwards and pins too (both hold a
 *    reference meanwhile). So it does not matter which of the two comes first.
 * 3. A pin leaves the table under the lock and is put after the lock is released: the last put of
 *    an inode without links writes to the drive.
 * 4. A shard is at most three quarters full, and shrinks when less than an eighth is used.
 *
 * Lock order: one shard lock, nothing below it.
 */
#include "fuse/nodes.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum {
	SHARDS = 16,
	SLOTS_MIN = 16, /* per shard */
};

struct node {
	uint64_t lookups; /* 0: free slot */
	struct e4_inode *pin;
	uint32_t ino;
};

struct shard {
	pthread_mutex_t lock;
	struct node *slots;
	size_t mask; /* slots - 1 */
	size_t used;
};

struct nodes {
	struct shard shards[SHARDS];
};

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
	return node_hash(ino) / SHARDS & shard->mask;
}

/* The inode's slot, or the free one where it belongs; there always is a free one. */
static struct node *shard_find(const struct shard *shard, uint32_t ino)
{
	size_t i = slot_home(shard, ino);

	while (shard->slots[i].lookups > 0 && shard->slots[i].ino != ino)
		i = (i + 1) & shard->mask;
	return &shard->slots[i];
}

static int shard_resize(struct shard *shard, size_t slots)
{
	struct node *old = shard->slots, *bigger = calloc(slots, sizeof(*bigger));
	size_t old_slots = old ? shard->mask + 1 : 0;

	if (!bigger)
		return -ENOMEM;
	shard->slots = bigger;
	shard->mask = slots - 1;
	for (size_t i = 0; i < old_slots; i++)
		if (old[i].lookups > 0)
			*shard_find(shard, old[i].ino) = old[i];
	free(old);
	return 0;
}

/* Frees the slot and moves up those behind it that probing would not find any more. */
static void shard_delete(struct shard *shard, struct node *node)
{
	size_t hole = (size_t)(node - shard->slots);
	size_t slots = shard->mask + 1;

	for (size_t i = (hole + 1) & shard->mask; shard->slots[i].lookups > 0;
		i = (i + 1) & shard->mask) {
		size_t home = slot_home(shard, shard->slots[i].ino);

		if (((i - home) & shard->mask) < ((i - hole) & shard->mask))
			continue;
		shard->slots[hole] = shard->slots[i];
		hole = i;
	}
	shard->slots[hole] = (struct node){0};
	shard->used--;
	if (slots > SLOTS_MIN && shard->used < slots / 8) {
		/* without memory for the smaller one, the bigger one stays */
		if (shard_resize(shard, slots / 2) < 0)
			return;
	}
}

int nodes_new(struct nodes **ret_nodes)
{
	struct nodes *nodes = calloc(1, sizeof(*nodes));

	if (!nodes)
		return -ENOMEM;
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

		for (size_t i = 0; shard->slots && i <= shard->mask; i++)
			if (shard->slots[i].pin)
				e4_iput(shard->slots[i].pin);
		free(shard->slots);
		pthread_mutex_destroy(&shard->lock);
	}
	free(nodes);
}

static int shard_add(struct shard *shard, uint32_t ino)
{
	struct node *node = shard_find(shard, ino);

	if (node->lookups > 0) {
		node->lookups++;
		return 0;
	}
	if ((shard->used + 1) * 4 > (shard->mask + 1) * 3) {
		int err = shard_resize(shard, (shard->mask + 1) * 2);

		if (err < 0)
			return err;
		node = shard_find(shard, ino);
	}
	*node = (struct node){.ino = ino, .lookups = 1};
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
	struct e4_inode *pin = NULL;

	if (node->lookups > count) {
		node->lookups -= count;
	} else if (node->lookups > 0) {
		pin = node->pin;
		shard_delete(shard, node);
	}
	shard_unlock(shard);
	if (pin)
		e4_iput(pin);
}

void nodes_pin(struct nodes *nodes, struct e4_inode *inode)
{
	uint32_t ino = e4_ino(inode);
	struct shard *shard = shard_lock(nodes, ino);
	struct node *node = shard_find(shard, ino);

	if (node->lookups > 0 && !node->pin)
		node->pin = e4_iref(inode);
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
