/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The metadata block cache. File data never goes through it.
 *
 * A `struct buf` is one block in memory, counted by references. Unreferenced clean buffers are
 * kept up to the cache's limit (LRU); buffers that belong to a transaction not yet on the medium
 * are never dropped. The bytes are guarded by the lock of whatever owns the block (inode->lock,
 * dir_lock, group->lock; inode-table blocks: buf->lock).
 *
 * Changing a buffer: txn.h. Never write to buf->data outside buf_modify() .. handle_end().
 */
#ifndef EXT4_CACHE_H
#define EXT4_CACHE_H

#include "ext4/fs.h"

struct buf;

/*
 * What role a block plays. verify: called once after each read from the device, before anybody
 * sees the buffer; 0 or -EUCLEAN (it calls fs_damaged()). seal: computes the checksum, called with
 * the block's final content each time before it is written (NULL: the modifier has done it).
 * A cached block asked for under another type is damage (two owners).
 */
struct buf_type {
	const char *name; /* for messages: "extent block" */
	int (*verify)(struct e4_fs *fs, struct buf *buf);
	void (*seal)(struct e4_fs *fs, struct buf *buf, void *data);
};

struct buf {
	uint64_t block;
	uint8_t *data;
	const struct buf_type *type;
	uint32_t owner_ino, owner_generation; /* for checksums; 0 where there is no owner */
	pthread_mutex_t lock; /* inode-table blocks; free use for one block's bytes */
	/* private to cache.c and txn.c */
	unsigned refs;
	unsigned state;
	uint64_t txn_id; /* last transaction that changed it */
	struct list lru, txn_link;
	struct buf *hash_next;
};

int cache_new(struct e4_fs *fs, size_t limit_bytes, struct cache **ret_cache) MUST_CHECK;
void cache_free(struct cache *cache); /* no referenced or dirty buffers may be left */

/* Reads the block unless cached. -EUCLEAN (out of range, verify failed, other type), I/O error. */
int buf_get(struct e4_fs *fs, uint64_t block, const struct buf_type *type, uint32_t owner_ino,
	uint32_t owner_generation, struct buf **ret_buf) MUST_CHECK;
/* The block without reading it, zero-filled: for blocks just allocated. Replaces what is cached.
 * The caller must call buf_modify() before anybody else can reach the block. */
int buf_get_zeroed(struct e4_fs *fs, uint64_t block, const struct buf_type *type,
	uint32_t owner_ino, uint32_t owner_generation, struct buf **ret_buf) MUST_CHECK;
/* If the block is in the cache, else NULL; never reads. */
struct buf *buf_peek(struct e4_fs *fs, uint64_t block);
void buf_put(struct buf *buf); /* NULL is fine */
/* Hints that blocks will be read soon (contiguous). May do nothing. */
void buf_readahead(struct e4_fs *fs, uint64_t block, uint32_t count, const struct buf_type *type);

static inline void cleanup_buf(struct buf **buf)
{
	buf_put(*buf);
}
#define CLEANUP_BUF CLEANUP(cleanup_buf)

#endif
