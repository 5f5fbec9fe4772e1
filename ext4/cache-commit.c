/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What transactions and checkpoints do with the block cache. Invariants in cache.c. */
#include <errno.h>
#include <stdlib.h>

#include "ext4/cache-state.h"

bool cache_mark_dirty(struct e4_fs *fs, struct buf *buf)
{
	struct cache *cache = fs->cache;
	bool fresh;

	pthread_mutex_lock(&cache->lock);
	fresh = cache_buf_dirty(cache, buf);
	pthread_mutex_unlock(&cache->lock);
	return fresh;
}

uint64_t cache_forget(struct e4_fs *fs, uint64_t block)
{
	struct cache *cache = fs->cache;
	struct buf *buf;
	uint64_t tid = 0;

	pthread_mutex_lock(&cache->lock);
	buf = cache_buf_settled(cache, block);
	if (buf) {
		tid = buf->state & BUF_LOGGED ? buf->log_tid : 0;
		cache_buf_drop(cache, buf);
		cache_buf_put(cache, buf);
	}
	pthread_mutex_unlock(&cache->lock);
	return tid;
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

static void seal_all(struct e4_fs *fs, struct commit_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct buf *buf = list->blocks[i].buf;

		if (buf->type->seal)
			buf->type->seal(fs, buf, list->blocks[i].data);
	}
	if (list->count)
		qsort(list->blocks, list->count, sizeof(*list->blocks), by_block);
}

/* An entry for buf with memory for its bytes, which are not copied yet. */
static int list_append(struct e4_fs *fs, struct commit_list *list, struct buf *buf)
{
	void *data = malloc(fs->block_bytes);

	if (!data)
		return -ENOMEM;
	list->blocks[list->count++] =
		(struct commit_block){buf->block, data, buf->type->allocation, buf};
	return 0;
}

/* ---- commit ---------------------------------------------------------------------------- */

static void collected(struct cache *cache, struct buf *buf, uint64_t tid)
{
	unsigned state = (buf->state & ~(BUF_DIRTY | BUF_LOGGED)) | BUF_WRITING;

	/* To the end of the list: the copies of older transactions are of no use any more once this
	 * one is in the log, and the tail does not move before. */
	cache_buf_set_state(cache, buf, state);
	if (tid) {
		buf->log_tid = tid;
		cache_buf_set_state(cache, buf, state | BUF_LOGGED);
	}
}

int cache_collect(struct e4_fs *fs, uint64_t tid, struct commit_list *ret_list)
{
	struct cache *cache = fs->cache;
	struct commit_list list = {0};
	struct list *at;

	pthread_mutex_lock(&cache->lock);
	list.blocks = calloc(cache->dirty_count + 1, sizeof(*list.blocks));
	for (at = cache->dirty.next; list.blocks && at != &cache->dirty; at = at->next)
		if (list_append(fs, &list, list_entry(at, struct buf, dirty)) < 0)
			break;
	if (!list.blocks || list.count < cache->dirty_count) {
		pthread_mutex_unlock(&cache->lock);
		list_free_data(&list);
		return -ENOMEM;
	}
	for (size_t i = 0; i < list.count; i++)
		collected(cache, list.blocks[i].buf, tid);
	pthread_mutex_unlock(&cache->lock);
	/* No handle is open, so nobody changes the bytes; WRITING keeps the buffers. */
	for (size_t i = 0; i < list.count; i++)
		memcpy(list.blocks[i].data, list.blocks[i].buf->data, fs->block_bytes);
	seal_all(fs, &list);
	*ret_list = list;
	return 0;
}

void cache_commit_done(struct e4_fs *fs, struct commit_list *list, bool written)
{
	struct cache *cache = fs->cache;

	pthread_mutex_lock(&cache->lock);
	for (size_t i = 0; i < list->count; i++) {
		struct buf *buf = list->blocks[i].buf;

		cache_buf_set_state(cache, buf, buf->state & ~BUF_WRITING);
		if (!written)
			cache_buf_dirty(cache, buf);
		cache_buf_unpinned(cache, buf);
	}
	pthread_mutex_unlock(&cache->lock);
	list_free_data(list);
}

/* ---- checkpoint ------------------------------------------------------------------------ */

static int buf_by_block(const void *a, const void *b)
{
	const struct checkpoint_block *x = a, *y = b;

	return x->buf->block < y->buf->block ? -1 : x->buf->block > y->buf->block;
}

int cache_checkpoint_begin(struct e4_fs *fs, struct checkpoint_list *ret_list)
{
	struct cache *cache = fs->cache;
	struct checkpoint_list list = {0};
	struct list *at;

	pthread_mutex_lock(&cache->lock);
	list.blocks = calloc(cache->logged_count + 1, sizeof(*list.blocks));
	list_for_each(at, &cache->logged) {
		struct buf *buf = list_entry(at, struct buf, logged);

		if (!list.blocks)
			break;
		if (buf->state & BUF_DIRTY)
			continue;
		buf->refs++;
		list.blocks[list.count++].buf = buf;
	}
	pthread_mutex_unlock(&cache->lock);
	if (!list.blocks)
		return -ENOMEM;
	if (list.count)
		qsort(list.blocks, list.count, sizeof(*list.blocks), buf_by_block);
	*ret_list = list;
	return 0;
}

bool cache_checkpoint_copy(struct e4_fs *fs, struct checkpoint_block *block, uint8_t *to)
{
	struct cache *cache = fs->cache;
	struct buf *buf = block->buf;

	pthread_mutex_lock(&cache->lock);
	block->copied = (buf->state & (BUF_LOGGED | BUF_DIRTY)) == BUF_LOGGED;
	if (block->copied)
		memcpy(to, buf->data, fs->block_bytes);
	pthread_mutex_unlock(&cache->lock);
	if (block->copied && buf->type->seal)
		buf->type->seal(fs, buf, to);
	return block->copied;
}

void cache_checkpoint_end(struct e4_fs *fs, struct checkpoint_list *list, bool written)
{
	struct cache *cache = fs->cache;

	pthread_mutex_lock(&cache->lock);
	for (size_t i = 0; i < list->count; i++) {
		struct buf *buf = list->blocks[i].buf;

		if (written && list->blocks[i].copied)
			cache_buf_set_state(cache, buf, buf->state & ~BUF_LOGGED);
		cache_buf_put(cache, buf);
	}
	pthread_mutex_unlock(&cache->lock);
	free(list->blocks);
	*list = (struct checkpoint_list){0};
}

uint64_t cache_oldest_logged(struct e4_fs *fs)
{
	struct cache *cache = fs->cache;
	uint64_t tid = UINT64_MAX;

	pthread_mutex_lock(&cache->lock);
	if (!list_empty(&cache->logged))
		tid = list_first(&cache->logged, struct buf, logged)->log_tid;
	pthread_mutex_unlock(&cache->lock);
	return tid;
}

/* ---- how full it is -------------------------------------------------------------------- */

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

bool cache_wants_checkpoint(struct e4_fs *fs)
{
	return locked_count(fs->cache, &fs->cache->logged_count) > fs->cache->limit / 4;
}

bool cache_is_full(struct e4_fs *fs)
{
	return locked_count(fs->cache, &fs->cache->pinned_count) >= fs->cache->limit;
}

void cache_counts(struct e4_fs *fs, uint64_t *ret_hits, uint64_t *ret_misses)
{
	struct cache *cache = fs->cache;

	pthread_mutex_lock(&cache->lock);
	*ret_hits = cache->hits;
	*ret_misses = cache->misses;
	pthread_mutex_unlock(&cache->lock);
}
