/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inside of the block cache, shared by cache.c and cache-commit.c; its invariants are in cache.c. */
#ifndef EXT4_CACHE_STATE_H
#define EXT4_CACHE_STATE_H

#include "ext4/cache.h"

enum buf_state {
	BUF_LOADING = 1 << 0,
	BUF_VALID = 1 << 1,
	BUF_FAILED = 1 << 2,
	BUF_DIRTY = 1 << 3,
	BUF_WRITING = 1 << 4,
	BUF_GONE = 1 << 5,
	BUF_LOGGED = 1 << 6,
};

/* What keeps a buffer in memory besides references. */
enum { BUF_PINNED = BUF_DIRTY | BUF_WRITING | BUF_LOGGED };

struct cache {
	pthread_mutex_t lock;
	pthread_cond_t loaded;
	struct buf **hash;
	size_t hash_mask;
	struct list lru; /* most recently used first */
	struct list dirty;
	struct list logged; /* oldest transaction first */
	uint32_t block_bytes;
	uint64_t hits, misses;
	/* Of late, of buffers read ahead: asked for, dropped before that; calls since it did not pay. */
	unsigned ahead_used, ahead_wasted, ahead_refused;
	size_t count, dirty_count, logged_count, pinned_count, limit; /* buffers */
};

/* All with cache->lock held. */
void cache_buf_set_state(struct cache *cache, struct buf *buf, unsigned state);
/* Marks as changed by the running transaction; whether it was not before. */
bool cache_buf_dirty(struct cache *cache, struct buf *buf);
void cache_buf_put(struct cache *cache, struct buf *buf);
void cache_buf_unpinned(struct cache *cache, struct buf *buf); /* perhaps: to the LRU list, or freed */
void cache_buf_drop(struct cache *cache, struct buf *buf);
struct buf *cache_buf_settled(struct cache *cache, uint64_t block);

#endif
