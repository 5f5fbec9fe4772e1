/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The metadata block cache.
 *
 * States of a buffer (bits of buf->state, under cache->lock):
 *
 *	            buf_get                verified                 buf_modify
 *	(absent) ------------> LOADING -----------------> VALID ------------------> VALID|DIRTY
 *	                          | read or verify failed   ^  ^                         |
 *	                          v                         |  | cache_commit_done       | cache_collect
 *	                        FAILED (freed on last put)  |  +---- VALID|WRITING <-----+
 *	                                                    |           | buf_modify
 *	           cache_collect of the next commit         +---- VALID|WRITING|DIRTY
 *
 * Invariants:
 * 1. The lock is never held over device I/O; who finds a LOADING buffer of the role he wants waits
 *    for `loaded`. A verify function may ask for other blocks, but only of types without a verify
 *    function, and nobody waits for a block in another role: so waiting has no cycles, whatever a
 *    drive says about which block is what.
 * 2. Only a VALID buffer without references, not DIRTY and not WRITING, is on the LRU list, and
 *    only those are dropped. A GONE buffer (forgotten) is out of the hash and freed on its last put.
 * 3. One block has at most one buffer in the hash.
 * 4. What is dropped is on the drive: DIRTY and WRITING end only after the block was written. When
 *    writing failed, WRITING becomes DIRTY for good, so that readers go on to see one state. The
 *    exception are bitmaps of uninitialised groups, which are built anew whenever they are needed.
 * 5. pinned_count counts the buffers of invariant 4; operations wait for a commit when they fill the
 *    cache, so that it does not grow far past its limit.
 */
#include "ext4/cache.h"

#include <errno.h>
#include <stdlib.h>

#include "ext4/txn.h"

enum buf_state {
	BUF_LOADING = 1 << 0,
	BUF_VALID = 1 << 1,
	BUF_FAILED = 1 << 2,
	BUF_DIRTY = 1 << 3,
	BUF_WRITING = 1 << 4,
	BUF_GONE = 1 << 5,
};

enum {
	DEFAULT_LIMIT_BYTES = 64 * 1024 * 1024,
	BUFS_MIN = 256, /* whatever the limit: an operation must find room */
	READAHEAD_MAX = 64,
};

struct cache {
	pthread_mutex_t lock;
	pthread_cond_t loaded;
	struct buf **hash;
	size_t hash_mask;
	struct list lru; /* most recently used first */
	struct list dirty;
	size_t count, dirty_count, pinned_count, limit; /* buffers */
};

int cache_new(struct e4_fs *fs, size_t limit_bytes, struct cache **ret_cache)
{
	struct cache *cache = calloc(1, sizeof(*cache));
	size_t buckets = 1024;

	if (!cache)
		return -ENOMEM;
	if (limit_bytes == 0)
		limit_bytes = DEFAULT_LIMIT_BYTES;
	cache->limit = max_u64(BUFS_MIN, limit_bytes / (fs->block_bytes + sizeof(struct buf)));
	while (buckets < cache->limit)
		buckets *= 2;
	cache->hash = calloc(buckets, sizeof(*cache->hash));
	if (!cache->hash) {
		free(cache);
		return -ENOMEM;
	}
	cache->hash_mask = buckets - 1;
	pthread_mutex_init(&cache->lock, NULL);
	pthread_cond_init(&cache->loaded, NULL);
	list_init(&cache->lru);
	list_init(&cache->dirty);
	*ret_cache = cache;
	return 0;
}

static void buf_free(struct buf *buf)
{
	pthread_mutex_destroy(&buf->lock);
	free(buf->data);
	free(buf);
}

void cache_free(struct cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i <= cache->hash_mask; i++)
		while (cache->hash[i]) {
			struct buf *buf = cache->hash[i];

			cache->hash[i] = buf->hash_next;
			buf_free(buf);
		}
	pthread_cond_destroy(&cache->loaded);
	pthread_mutex_destroy(&cache->lock);
	free(cache->hash);
	free(cache);
}

/* ---- hash and LRU; cache->lock held ---------------------------------------------------- */

static struct buf **hash_slot(struct cache *cache, uint64_t block)
{
	return &cache->hash[(block * 0x9e3779b97f4a7c15ULL >> 32) & cache->hash_mask];
}

static struct buf *hash_find(struct cache *cache, uint64_t block)
{
	struct buf *buf = *hash_slot(cache, block);

	while (buf && buf->block != block)
		buf = buf->hash_next;
	return buf;
}

static void hash_insert(struct cache *cache, struct buf *buf)
{
	struct buf **slot = hash_slot(cache, buf->block);

	buf->hash_next = *slot;
	*slot = buf;
	cache->count++;
}

static void hash_remove(struct cache *cache, struct buf *buf)
{
	struct buf **slot = hash_slot(cache, buf->block);

	while (*slot != buf)
		slot = &(*slot)->hash_next;
	*slot = buf->hash_next;
	cache->count--;
}

static void lru_trim(struct cache *cache)
{
	while (cache->count > cache->limit && !list_empty(&cache->lru)) {
		struct buf *buf = list_entry(cache->lru.prev, struct buf, lru);

		list_remove(&buf->lru);
		hash_remove(cache, buf);
		buf_free(buf);
	}
}

static void ref_locked(struct buf *buf)
{
	if (buf->refs++ == 0)
		list_remove(&buf->lru);
}

static void put_locked(struct cache *cache, struct buf *buf)
{
	if (--buf->refs > 0)
		return;
	if (buf->state & (BUF_GONE | BUF_FAILED)) {
		if (!(buf->state & BUF_WRITING))
			buf_free(buf);
	} else if (!(buf->state & (BUF_DIRTY | BUF_WRITING))) {
		list_add_head(&cache->lru, &buf->lru);
		lru_trim(cache);
	}
}

/* Whether it was not dirty before. */
static bool dirty_locked(struct cache *cache, struct buf *buf)
{
	if (buf->state & (BUF_DIRTY | BUF_GONE))
		return false;
	cache->pinned_count += !(buf->state & BUF_WRITING);
	cache->dirty_count++;
	buf->state |= BUF_DIRTY;
	list_add_tail(&cache->dirty, &buf->dirty);
	return true;
}

/* Takes the buffer out of the cache; it goes away with its last reference. */
static void drop_locked(struct cache *cache, struct buf *buf)
{
	if (buf->state & BUF_DIRTY) {
		list_remove(&buf->dirty);
		cache->dirty_count--;
		cache->pinned_count -= !(buf->state & BUF_WRITING);
	}
	buf->state = (buf->state & ~BUF_DIRTY) | BUF_GONE;
	hash_remove(cache, buf);
	list_remove(&buf->lru);
	if (buf->refs == 0 && !(buf->state & BUF_WRITING))
		buf_free(buf);
}

static struct buf *buf_new(struct e4_fs *fs, uint64_t block, const struct buf_type *type, unsigned state)
{
	struct buf *buf = calloc(1, sizeof(*buf));

	if (!buf)
		return NULL;
	buf->data = calloc(1, fs->block_bytes);
	if (!buf->data) {
		free(buf);
		return NULL;
	}
	buf->cache = fs->cache;
	buf->block = block;
	buf->type = type;
	buf->refs = 1;
	buf->state = state;
	list_init(&buf->lru);
	list_init(&buf->dirty);
	pthread_mutex_init(&buf->lock, NULL);
	return buf;
}

/* The buffer with a reference once nobody loads it any more; NULL when it is not in the cache. */
static struct buf *find_settled(struct cache *cache, uint64_t block)
{
	struct buf *buf;

	while ((buf = hash_find(cache, block)) && buf->state & BUF_LOADING)
		pthread_cond_wait(&cache->loaded, &cache->lock);
	if (buf)
		ref_locked(buf);
	return buf;
}

/* ---- getting --------------------------------------------------------------------------- */

static bool same_role(const struct buf *buf, const struct buf_type *type, uint32_t ino, uint32_t generation)
{
	return buf->type == type && buf->owner_ino == ino && buf->owner_generation == generation;
}

/*
 * The buffer of this role with a reference, or NULL when there is none. A buffer of another role
 * that nobody uses is dropped: left over from an owner we never saw let go of it. One in use is
 * -EUCLEAN.
 */
static int find_role(struct cache *cache, uint64_t block, const struct buf_type *type, uint32_t ino,
	uint32_t generation, struct buf **ret_buf)
{
	struct buf *buf;

	while ((buf = hash_find(cache, block))) {
		if (!same_role(buf, type, ino, generation)) {
			if (buf->refs > 0 || buf->state & (BUF_DIRTY | BUF_WRITING))
				return -EUCLEAN;
			drop_locked(cache, buf);
			continue;
		}
		if (!(buf->state & BUF_LOADING)) {
			ref_locked(buf);
			break;
		}
		pthread_cond_wait(&cache->loaded, &cache->lock);
	}
	*ret_buf = buf;
	return 0;
}

static int two_owners(struct e4_fs *fs, uint64_t block, const struct buf_type *type)
{
	return fs_damaged(fs, "block %llu has two owners, one as %s", (unsigned long long)block,
		type->name);
}

/* As buf_get(); a new buffer has the state `state` and no content yet. */
static int find_or_make(struct e4_fs *fs, uint64_t block, const struct buf_type *type, uint32_t ino,
	uint32_t generation, unsigned state, struct buf **ret_buf, bool *ret_made)
{
	struct cache *cache = fs->cache;
	struct buf *buf;
	int r;

	if (block >= fs->blocks_count)
		return fs_damaged(fs, "%s at block %llu is outside the volume", type->name,
			(unsigned long long)block);
	pthread_mutex_lock(&cache->lock);
	r = find_role(cache, block, type, ino, generation, &buf);
	*ret_made = r == 0 && !buf;
	if (*ret_made) {
		buf = buf_new(fs, block, type, state);
		if (buf) {
			buf->owner_ino = ino;
			buf->owner_generation = generation;
			hash_insert(cache, buf);
			lru_trim(cache);
		} else {
			r = -ENOMEM;
		}
	}
	pthread_mutex_unlock(&cache->lock);
	if (r == 0)
		*ret_buf = buf;
	return r == -EUCLEAN ? two_owners(fs, block, type) : r;
}

/* Reads and verifies; the buffer is LOADING, in the hash, and ours alone. */
static int load(struct e4_fs *fs, struct buf *buf)
{
	struct cache *cache = fs->cache;
	int r = blkdev_read(fs->dev, buf->data, fs->block_bytes, fs_blocks_to_bytes(fs, buf->block));

	if (r == 0 && buf->type->verify)
		r = buf->type->verify(fs, buf);
	pthread_mutex_lock(&cache->lock);
	buf->state = r == 0 ? BUF_VALID : BUF_FAILED;
	if (r < 0) {
		hash_remove(cache, buf);
		put_locked(cache, buf);
	}
	pthread_cond_broadcast(&cache->loaded);
	pthread_mutex_unlock(&cache->lock);
	return r;
}

int buf_get(struct e4_fs *fs, uint64_t block, const struct buf_type *type, uint32_t owner_ino,
	uint32_t owner_generation, struct buf **ret_buf)
{
	struct buf *buf = NULL;
	bool made = false;
	int r = find_or_make(fs, block, type, owner_ino, owner_generation, BUF_LOADING, &buf, &made);

	if (r == 0 && made)
		r = load(fs, buf);
	if (r == 0)
		*ret_buf = buf;
	return r;
}

int buf_get_zeroed(struct e4_fs *fs, uint64_t block, const struct buf_type *type, uint32_t owner_ino,
	uint32_t owner_generation, struct buf **ret_buf)
{
	struct buf *buf = NULL;
	bool made = false;
	int r = find_or_make(fs, block, type, owner_ino, owner_generation, BUF_VALID, &buf, &made);

	if (r < 0)
		return r;
	if (!made)
		memset(buf->data, 0, fs->block_bytes);
	*ret_buf = buf;
	return 0;
}

struct buf *buf_peek(struct e4_fs *fs, uint64_t block)
{
	struct cache *cache = fs->cache;
	struct buf *buf;

	pthread_mutex_lock(&cache->lock);
	buf = find_settled(cache, block);
	pthread_mutex_unlock(&cache->lock);
	return buf;
}

struct buf *buf_ref(struct buf *buf)
{
	pthread_mutex_lock(&buf->cache->lock);
	ref_locked(buf);
	pthread_mutex_unlock(&buf->cache->lock);
	return buf;
}

void buf_put(struct buf *buf)
{
	struct cache *cache;

	if (!buf)
		return;
	cache = buf->cache;
	pthread_mutex_lock(&cache->lock);
	put_locked(cache, buf);
	pthread_mutex_unlock(&cache->lock);
}

/* ---- reading ahead --------------------------------------------------------------------- */

/* Makes LOADING buffers for as many of the blocks as are not cached, in one run. */
static uint32_t readahead_claim(struct e4_fs *fs, uint64_t block, uint32_t count,
	const struct buf_type *type, struct buf **bufs)
{
	struct cache *cache = fs->cache;
	uint32_t n = 0;

	pthread_mutex_lock(&cache->lock);
	while (n < count && !hash_find(cache, block + n)) {
		struct buf *buf = buf_new(fs, block + n, type, BUF_LOADING);

		if (!buf)
			break;
		hash_insert(cache, buf);
		bufs[n++] = buf;
	}
	pthread_mutex_unlock(&cache->lock);
	return n;
}

static void readahead_finish(struct e4_fs *fs, struct buf **bufs, uint32_t n, int err)
{
	struct cache *cache = fs->cache;

	pthread_mutex_lock(&cache->lock);
	for (uint32_t i = 0; i < n; i++) {
		bufs[i]->state = err == 0 ? BUF_VALID : BUF_FAILED;
		if (err < 0)
			hash_remove(cache, bufs[i]);
		put_locked(cache, bufs[i]);
	}
	pthread_cond_broadcast(&cache->loaded);
	pthread_mutex_unlock(&cache->lock);
}

void buf_readahead(struct e4_fs *fs, uint64_t block, uint32_t count, const struct buf_type *type)
{
	struct buf *bufs[READAHEAD_MAX];
	uint8_t *data;
	uint32_t n;
	int r;

	/* A type that must be verified needs its owner; it is read when it is asked for. */
	if (type->verify || block >= fs->blocks_count)
		return;
	count = min_u64(min_u64(count, READAHEAD_MAX), fs->blocks_count - block);
	data = malloc((size_t)count << fs->block_bits);
	if (!data)
		return;
	n = readahead_claim(fs, block, count, type, bufs);
	if (n) {
		r = blkdev_read(fs->dev, data, (size_t)n << fs->block_bits, fs_blocks_to_bytes(fs, block));
		for (uint32_t i = 0; r == 0 && i < n; i++)
			memcpy(bufs[i]->data, data + ((size_t)i << fs->block_bits), fs->block_bytes);
		readahead_finish(fs, bufs, n, r);
	}
	free(data);
}

/* ---- transactions ---------------------------------------------------------------------- */

bool cache_mark_dirty(struct e4_fs *fs, struct buf *buf)
{
	struct cache *cache = fs->cache;
	bool fresh;

	pthread_mutex_lock(&cache->lock);
	fresh = dirty_locked(cache, buf);
	pthread_mutex_unlock(&cache->lock);
	return fresh;
}

void cache_forget(struct e4_fs *fs, uint64_t block)
{
	struct cache *cache = fs->cache;
	struct buf *buf;

	pthread_mutex_lock(&cache->lock);
	buf = find_settled(cache, block);
	if (buf) {
		drop_locked(cache, buf);
		put_locked(cache, buf);
	}
	pthread_mutex_unlock(&cache->lock);
}

static int by_block(const void *a, const void *b)
{
	const struct commit_block *x = a, *y = b;

	return x->block < y->block ? -1 : x->block > y->block;
}

static void list_free_data(struct commit_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->blocks[i].data);
	free(list->blocks);
	*list = (struct commit_list){0};
}

int cache_collect(struct e4_fs *fs, struct commit_list *ret_list)
{
	struct cache *cache = fs->cache;
	struct commit_list list = {0};
	struct list *at;

	pthread_mutex_lock(&cache->lock);
	list.blocks = calloc(cache->dirty_count + 1, sizeof(*list.blocks));
	for (at = cache->dirty.next; list.blocks && at != &cache->dirty; at = at->next) {
		struct buf *buf = list_entry(at, struct buf, dirty);
		void *data = malloc(fs->block_bytes);

		if (!data)
			break;
		list.blocks[list.count++] = (struct commit_block){
			buf->block, data, buf->type->allocation, buf};
	}
	if (!list.blocks || list.count < cache->dirty_count) {
		pthread_mutex_unlock(&cache->lock);
		list_free_data(&list);
		return -ENOMEM;
	}
	for (size_t i = 0; i < list.count; i++) {
		struct buf *buf = list.blocks[i].buf;

		list_remove(&buf->dirty);
		buf->state = (buf->state & ~BUF_DIRTY) | BUF_WRITING;
	}
	cache->dirty_count = 0;
	pthread_mutex_unlock(&cache->lock);
	/* No handle is open, so nobody changes the bytes; WRITING keeps the buffers. */
	for (size_t i = 0; i < list.count; i++) {
		struct buf *buf = list.blocks[i].buf;

		memcpy(list.blocks[i].data, buf->data, fs->block_bytes);
		if (buf->type->seal)
			buf->type->seal(fs, buf, list.blocks[i].data);
	}
	qsort(list.blocks, list.count, sizeof(*list.blocks), by_block);
	*ret_list = list;
	return 0;
}

void cache_commit_done(struct e4_fs *fs, struct commit_list *list, bool written)
{
	struct cache *cache = fs->cache;

	pthread_mutex_lock(&cache->lock);
	for (size_t i = 0; i < list->count; i++) {
		struct buf *buf = list->blocks[i].buf;

		buf->state &= ~BUF_WRITING;
		cache->pinned_count -= !(buf->state & BUF_DIRTY);
		if (!written)
			dirty_locked(cache, buf);
		if (buf->refs > 0)
			continue;
		if (buf->state & BUF_GONE)
			buf_free(buf);
		else if (!(buf->state & BUF_DIRTY))
			list_add_head(&cache->lru, &buf->lru);
	}
	lru_trim(cache);
	pthread_mutex_unlock(&cache->lock);
	list_free_data(list);
}

static size_t locked_count(struct cache *cache, const size_t *count)
{
	size_t n;

	pthread_mutex_lock(&cache->lock);
	n = *count;
	pthread_mutex_unlock(&cache->lock);
	return n;
}

size_t cache_dirty_count(struct e4_fs *fs)
{
	return locked_count(fs->cache, &fs->cache->dirty_count);
}

bool cache_is_pressed(struct e4_fs *fs)
{
	return cache_dirty_count(fs) > fs->cache->limit / 2;
}

bool cache_is_full(struct e4_fs *fs)
{
	return locked_count(fs->cache, &fs->cache->pinned_count) >= fs->cache->limit;
}
