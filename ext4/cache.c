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
 * On a volume with a journal cache_collect adds LOGGED: the block is in the log (or on its way there)
 * as of transaction log_tid, and its home place is older. cache_checkpoint_done() takes it away.
 *
 * Invariants:
 * 1. The lock is never held over device I/O; who finds a LOADING buffer of the role he wants waits
 *    for `loaded`. A verify function may ask for other blocks, but only of types without a verify
 *    function, and nobody waits for a block in another role: so waiting has no cycles, whatever a
 *    drive says about which block is what.
 * 2. Only a VALID buffer without references, neither DIRTY nor WRITING nor LOGGED, is on the LRU list,
 *    and only those are dropped. A GONE buffer (forgotten) is out of the hash and freed on its last put.
 * 3. One block has at most one buffer in the hash.
 * 4. What is dropped is on the drive: DIRTY, WRITING and LOGGED end only after the block was written. When
 *    writing failed, WRITING becomes DIRTY for good, so that readers go on to see one state. The
 *    exception are bitmaps of uninitialised groups, which are built anew whenever they are needed.
 * 5. pinned_count counts the buffers of invariant 4; operations wait for a commit when they fill the
 *    cache, so that it does not grow far past its limit.
 * 6. The bytes of a buffer that is LOGGED but not DIRTY are those of log_tid: whoever changes them has
 *    made it DIRTY before, under the lock, and they are copied for the checkpoint under the lock.
 */
#include "ext4/cache.h"

#include <errno.h>
#include <stdlib.h>

#include "ext4/cache-state.h"

enum {
	DEFAULT_LIMIT_BYTES = 40 * 1024 * 1024,
	BUFS_MIN = 256, /* whatever the limit: an operation must find room */
	READAHEAD_MAX = 64,
	AHEAD_PAYS = 8,	     /* one of so many is asked for: reading it alone costs as much as reading these */
	AHEAD_PROBE = 16,    /* as long as it does not pay, each 16th time shows whether that has changed */
	AHEAD_FORGET = 1024,
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
	cache->block_bytes = fs->block_bytes;
	pthread_mutex_init(&cache->lock, NULL);
	pthread_cond_init(&cache->loaded, NULL);
	list_init(&cache->lru);
	list_init(&cache->dirty);
	list_init(&cache->logged);
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

/* The older it is, the less it counts. */
static void ahead_count(struct cache *cache, unsigned *which)
{
	if (++*which < AHEAD_FORGET)
		return;
	cache->ahead_used /= 2;
	cache->ahead_wasted /= 2;
}

static void lru_trim(struct cache *cache)
{
	while (cache->count > cache->limit && !list_empty(&cache->lru)) {
		struct buf *buf = list_entry(cache->lru.prev, struct buf, lru);

		if (buf->ahead)
			ahead_count(cache, &cache->ahead_wasted);
		list_remove(&buf->lru);
		hash_remove(cache, buf);
		buf_free(buf);
	}
}

static void ref_locked(struct buf *buf)
{
	if (buf->refs++ == 0)
		list_remove(&buf->lru);
	if (buf->ahead) {
		buf->ahead = false;
		ahead_count(buf->cache, &buf->cache->ahead_used);
	}
}

void cache_buf_put(struct cache *cache, struct buf *buf)
{
	if (--buf->refs == 0)
		cache_buf_unpinned(cache, buf);
}

/* Counters and lists follow the state. */
void cache_buf_set_state(struct cache *cache, struct buf *buf, unsigned state)
{
	unsigned changed = buf->state ^ state;

	cache->pinned_count -= (buf->state & BUF_PINNED) != 0;
	cache->pinned_count += (state & BUF_PINNED) != 0;
	if (changed & BUF_DIRTY) {
		list_remove(&buf->dirty);
		if (state & BUF_DIRTY)
			list_add_tail(&cache->dirty, &buf->dirty);
		cache->dirty_count += state & BUF_DIRTY ? 1 : -1;
	}
	if (changed & BUF_LOGGED) {
		list_remove(&buf->logged);
		if (state & BUF_LOGGED)
			list_add_tail(&cache->logged, &buf->logged);
		cache->logged_count += state & BUF_LOGGED ? 1 : -1;
	}
	buf->state = state;
}

/* Nobody needs it any more, if that is so: to the LRU list, or away. */
void cache_buf_unpinned(struct cache *cache, struct buf *buf)
{
	if (buf->refs > 0 || buf->state & BUF_PINNED)
		return;
	if (buf->state & (BUF_GONE | BUF_FAILED)) {
		buf_free(buf);
		return;
	}
	list_add_head(&cache->lru, &buf->lru);
	lru_trim(cache);
}

bool cache_buf_dirty(struct cache *cache, struct buf *buf)
{
	if (buf->state & (BUF_DIRTY | BUF_GONE))
		return false;
	cache_buf_set_state(cache, buf, buf->state | BUF_DIRTY);
	return true;
}

/* Takes the buffer out of the cache; it goes away with its last reference. */
void cache_buf_drop(struct cache *cache, struct buf *buf)
{
	cache_buf_set_state(cache, buf, (buf->state & ~(BUF_DIRTY | BUF_LOGGED)) | BUF_GONE);
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
	list_init(&buf->logged);
	pthread_mutex_init(&buf->lock, NULL);
	return buf;
}

/* The buffer with a reference once nobody loads it any more; NULL when it is not in the cache. */
struct buf *cache_buf_settled(struct cache *cache, uint64_t block)
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
			if (buf->refs > 0 || buf->state & BUF_PINNED)
				return -EUCLEAN;
			cache_buf_drop(cache, buf);
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
	/* chattr -v changes it there. */
	if (!fs_has_csum(fs))
		generation = 0;
	pthread_mutex_lock(&cache->lock);
	r = find_role(cache, block, type, ino, generation, &buf);
	*ret_made = r == 0 && !buf;
	*(*ret_made ? &cache->misses : &cache->hits) += 1;
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
		cache_buf_put(cache, buf);
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

/* Invariant 6: a block of an inode table can be LOGGED when it is used anew. */
static void zero_known(struct cache *cache, struct buf *buf)
{
	pthread_mutex_lock(&cache->lock);
	if (buf->state & BUF_LOGGED)
		cache_buf_dirty(cache, buf);
	pthread_mutex_unlock(&cache->lock);
	memset(buf->data, 0, cache->block_bytes);
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
		zero_known(fs->cache, buf);
	*ret_buf = buf;
	return 0;
}

struct buf *buf_peek(struct e4_fs *fs, uint64_t block)
{
	struct cache *cache = fs->cache;
	struct buf *buf;

	pthread_mutex_lock(&cache->lock);
	buf = cache_buf_settled(cache, block);
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
	cache_buf_put(cache, buf);
	pthread_mutex_unlock(&cache->lock);
}

/* ---- reading ahead --------------------------------------------------------------------- */

/* Whoever looks at a million files in no order would read sixteen blocks for each and use one. */
static bool ahead_pays(struct cache *cache)
{
	bool pays;

	pthread_mutex_lock(&cache->lock);
	pays = cache->ahead_wasted <= AHEAD_PAYS * cache->ahead_used + AHEAD_FORGET / 4 ||
		++cache->ahead_refused % AHEAD_PROBE == 0;
	pthread_mutex_unlock(&cache->lock);
	return pays;
}

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
		buf->ahead = n > 0; /* the first is asked for anyway */
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
		cache_buf_put(cache, bufs[i]);
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
	if (type->verify || block >= fs->blocks_count || !ahead_pays(fs->cache))
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
