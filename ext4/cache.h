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
 * sees the buffer; 0 or -EUCLEAN (it calls fs_damaged()). seal: puts the checksum into `data`, the copy
 * of the block that is about to be written (NULL: the modifier has done it in buf->data).
 * A block in use that is asked for in another role is damage (two owners). verify may ask for
 * blocks of types that have no verify function.
 */
struct buf_type {
	const char *name; /* for messages: "extent block" */
	int (*verify)(struct e4_fs *fs, struct buf *buf);
	void (*seal)(struct e4_fs *fs, struct buf *buf, void *data);
	/* Says which blocks are in use; written before what refers to them (commit.c). */
	bool allocation;
};

struct buf {
	uint64_t block;
	uint8_t *data;
	const struct buf_type *type;
	uint32_t owner_ino;	   /* 0 where there is none */
	uint32_t owner_generation; /* for checksums; 0 on volumes without */
	pthread_mutex_t lock; /* inode-table blocks; free use for one block's bytes */
	struct cache *cache;
	/* private to cache.c, under the cache's lock */
	unsigned refs;
	unsigned state;
	struct list lru; /* unreferenced and clean */
	struct list dirty, logged;
	uint64_t log_tid; /* LOGGED: transaction of the journal that holds these bytes */
	struct buf *hash_next;
	bool ahead; /* read ahead, and not asked for yet */
};

int cache_new(struct e4_fs *fs, size_t limit_bytes, struct cache **ret_cache) MUST_CHECK;
void cache_free(struct cache *cache); /* no referenced or dirty buffers may be left */

/* Reads the block unless cached. -EUCLEAN (out of range, verify failed, other type), I/O error. */
int buf_get(struct e4_fs *fs, uint64_t block, const struct buf_type *type, uint32_t owner_ino,
	uint32_t owner_generation, struct buf **ret_buf) MUST_CHECK;
/* The block without reading it, zero-filled: for blocks just allocated. Replaces what is cached,
 * unless that is in use in another role: -EUCLEAN. The caller must call buf_modify() before anybody else can reach the block. */
int buf_get_zeroed(struct e4_fs *fs, uint64_t block, const struct buf_type *type,
	uint32_t owner_ino, uint32_t owner_generation, struct buf **ret_buf) MUST_CHECK;
/* If the block is in the cache, else NULL; never reads. */
struct buf *buf_peek(struct e4_fs *fs, uint64_t block);
struct buf *buf_ref(struct buf *buf); /* one more reference to a buffer that the caller holds */
void buf_put(struct buf *buf);	      /* NULL is fine */
/* Hints that blocks will be read soon (contiguous). Does nothing while that does not pay. */
void buf_readahead(struct e4_fs *fs, uint64_t block, uint32_t count, const struct buf_type *type);

/* ---- for txn.c and commit.c ---- */

/* One changed block as it is written; buf is kept until cache_commit_done(). */
struct commit_block {
	uint64_t block;
	void *data;
	bool allocation; /* of its type */
	struct buf *buf;
};
struct commit_list {
	struct commit_block *blocks; /* sorted by block number */
	size_t count;
};
/* Marks buf as changed by the running transaction; whether it was not before. */
bool cache_mark_dirty(struct e4_fs *fs, struct buf *buf);
/* Forgets a buffer, dirty or not. The transaction in the log that holds its committed bytes, which
 * are not at home yet; 0: none. */
uint64_t cache_forget(struct e4_fs *fs, uint64_t block);
/* Copies and seals all dirty buffers, which are clean afterwards but not dropped before
 * cache_commit_done(), and, when tid is not 0 (it goes to the log), not before their checkpoint. No
 * handle is open. -ENOMEM changes nothing. */
int cache_collect(struct e4_fs *fs, uint64_t tid, struct commit_list *ret_list) MUST_CHECK;
/* written: the list is on the drive. Otherwise its blocks stay in memory until the cache is freed. */
void cache_commit_done(struct e4_fs *fs, struct commit_list *list, bool written);
size_t cache_dirty_count(struct e4_fs *fs);
/* Dirty buffers fill half the cache: a commit is due; with those being written or waiting for their
 * checkpoint all of it: operations must wait for one. */
bool cache_is_pressed(struct e4_fs *fs);
void cache_counts(struct e4_fs *fs, uint64_t *ret_hits, uint64_t *ret_misses);
bool cache_is_full(struct e4_fs *fs);

/* ---- for checkpoint.c: blocks that are in the log, on their way home. No commit runs meanwhile. ---- */

struct checkpoint_list {
	struct checkpoint_block {
		struct buf *buf;
		bool copied;
	} *blocks; /* sorted by block number */
	size_t count;
};
int cache_checkpoint_begin(struct e4_fs *fs, struct checkpoint_list *ret_list) MUST_CHECK;
/* The committed bytes, sealed; false when the running transaction has changed or freed the block. */
bool cache_checkpoint_copy(struct e4_fs *fs, struct checkpoint_block *block, uint8_t *to);
/* written: what was copied is at home, flushed. */
void cache_checkpoint_end(struct e4_fs *fs, struct checkpoint_list *list, bool written);
/* The oldest transaction of which the log holds blocks that are not at home; UINT64_MAX: none. */
uint64_t cache_oldest_logged(struct e4_fs *fs);
bool cache_wants_checkpoint(struct e4_fs *fs);

static inline void cleanup_buf(struct buf **buf)
{
	buf_put(*buf);
}
#define CLEANUP_BUF CLEANUP(cleanup_buf)

#endif
