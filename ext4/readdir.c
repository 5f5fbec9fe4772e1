/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Listing directories, with positions that outlive changes and need no state between calls.
 *
 * Two orders:
 * - by offset: linear directories. The cookie is the byte offset; entries never move. (Inline
 *   ones, too: 0 and 1 stand for "." and "..", which have no entries there.)
 * - by hash: indexed directories, and those of one block that would become indexed when they
 *   grow (so that they may do it in the middle of a listing). Position of an entry, 63 bits:
 *
 *	31 bits	hash, major (the order of the tree)
 *	28 bits	keyed hash of the name; the key is random and secret, as a drive may hold names
 *		made to collide in the directory's own hash
 *	 4 bits	rank by name among those that are equal so far
 *
 *   Positions 0 and 1 are "." and "..".
 *
 * Invariants
 * 1. An entry's position depends on its name alone; only the rank depends on others, and it takes
 *    a collision of 59 bits and a change among the colliding names to notice.
 * 2. Blocks joined by one hash (HASH_CONTINUED) are sorted together.
 * 3. Every round ends at a higher position than it began, whatever the drive says.
 * 4. Names are copied out and the callback is called without any lock.
 */
#include <dirent.h>
#include <errno.h>
#include <sys/random.h>

#include "ext4/dir-inline.h"
#include "ext4/dir.h"
#include "ext4/htree.h"

#define POSITION_END UINT64_MAX
#define HASHED_FIRST 2 /* position of the lowest key */
#define RANK_BITS 4
#define RANK_MASK 0xfu

enum { BATCH_MAX = 8192 }; /* more than one block holds */

struct item {
	uint64_t position, next; /* rank bits 0 until ranked */
	uint32_t ino, name_off;
	uint8_t type, name_len;
};

/* What one round lists. */
struct batch {
	struct item *items;
	size_t count, capacity;
	char *names;
	size_t names_bytes, names_capacity;
	uint64_t next; /* position of the next round; POSITION_END: none */
	uint64_t limit; /* hashed: positions from here on are left to the next round */
};

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

static uint64_t hash_position(uint32_t major)
{
	return HASHED_FIRST + ((uint64_t)(major >> 1) << 32);
}

static uint64_t name_position(uint32_t major, const char *name, size_t len)
{
	return hash_position(major) + ((name_hash(name, len) & 0xfffffff) << RANK_BITS);
}

static void batch_free(struct batch *batch)
{
	free(batch->items);
	free(batch->names);
}

static int batch_reserve(struct batch *batch, size_t name_len)
{
	if (batch->count == batch->capacity) {
		size_t capacity = batch->capacity ? 2 * batch->capacity : 256;
		struct item *items = realloc(batch->items, capacity * sizeof(*items));

		if (!items)
			return -ENOMEM;
		batch->items = items;
		batch->capacity = capacity;
	}
	if (batch->names_capacity - batch->names_bytes < name_len) {
		size_t capacity = 2 * batch->names_capacity + 8192;
		char *names = realloc(batch->names, capacity);

		if (!names)
			return -ENOMEM;
		batch->names = names;
		batch->names_capacity = capacity;
	}
	return 0;
}

static int batch_add(struct batch *batch, uint64_t position, uint64_t next,
	const struct dirent_disk *entry)
{
	int r = batch_reserve(batch, entry->name_len);

	if (r < 0)
		return r;
	batch->items[batch->count++] = (struct item){
		.position = position,
		.next = next,
		.ino = le32_get(entry->inode),
		.name_off = (uint32_t)batch->names_bytes,
		.type = entry->file_type,
		.name_len = entry->name_len,
	};
	memcpy(batch->names + batch->names_bytes, entry->name, entry->name_len);
	batch->names_bytes += entry->name_len;
	return 0;
}

static int compare_items(const void *a, const void *b, void *names)
{
	const struct item *x = a, *y = b;
	const char *base = names;

	if (x->position != y->position)
		return x->position < y->position ? -1 : 1;

	int order = memcmp(base + x->name_off, base + y->name_off,
		x->name_len < y->name_len ? x->name_len : y->name_len);

	return order ? order : (int)x->name_len - (int)y->name_len;
}

static void batch_sort(struct batch *batch)
{
	if (batch->count)
		qsort_r(batch->items, batch->count, sizeof(*batch->items), compare_items,
			batch->names);
}

/* Gives equal positions their rank. */
static void batch_rank(struct batch *batch)
{
	uint64_t group = POSITION_END;
	unsigned rank = 0;

	for (size_t i = 0; i < batch->count; i++) {
		struct item *item = &batch->items[i];

		rank = item->position == group ? rank + (rank < RANK_MASK) : 0;
		group = item->position;
		if (group >= HASHED_FIRST)
			item->position += rank;
		item->next = item->position + 1;
	}
}

/* Very many names of one hash: keeps the lower half, the rest is left to the next round. */
static int batch_trim(struct batch *batch)
{
	struct batch kept = {0};
	size_t keep = batch->count / 2;

	batch_sort(batch);
	while (keep > 1 && batch->items[keep - 1].position == batch->items[keep].position)
		keep--;
	kept.limit = batch->items[keep].position;
	for (size_t i = 0; i < keep; i++) {
		const struct item *item = &batch->items[i];
		int r = batch_reserve(&kept, item->name_len);

		if (r < 0) {
			batch_free(&kept);
			return r;
		}
		kept.items[kept.count] = *item;
		kept.items[kept.count++].name_off = (uint32_t)kept.names_bytes;
		memcpy(kept.names + kept.names_bytes, batch->names + item->name_off, item->name_len);
		kept.names_bytes += item->name_len;
	}
	batch_free(batch);
	*batch = kept;
	return 0;
}

/* ---- by hash ---- */

struct hash_range {
	int version;
	uint32_t low, high; /* of the block; a name that is in the wrong block is listed inside */
};

/* Adds the names of one block from position on. */
static int gather_block(struct e4_inode *dir, struct buf *buf, const struct hash_range *range,
	uint64_t position, struct batch *batch)
{
	struct dirblock_cursor cursor = {.fs = dir->fs, .data = buf->data};
	int r;

	while ((r = dirblock_next(&cursor)) > 0) {
		const struct dirent_disk *entry = cursor.entry;
		uint32_t major, minor;

		if (le32_get(entry->inode) == 0 || dirent_is_dot(entry) || dirent_is_dotdot(entry))
			continue;
		r = htree_hash(dir->fs, range->version, entry->name, entry->name_len, &major, &minor);
		if (r < 0)
			return r;
		major = major < range->low ? range->low : major;
		major = major > range->high ? range->high : major;

		uint64_t at = name_position(major, entry->name, entry->name_len);

		/* at has rank 0 yet: keep the whole group of position */
		if (at + RANK_MASK < position || at >= batch->limit)
			continue;
		if (batch->count == BATCH_MAX) {
			r = batch_trim(batch);
			if (r < 0)
				return r;
			if (at >= batch->limit)
				continue;
		}
		r = batch_add(batch, at, 0, entry);
		if (r < 0)
			return r;
	}
	return r;
}

/* "." and ".." from the first block. */
static int gather_dots(struct e4_inode *dir, struct buf *first, uint64_t position,
	struct batch *batch)
{
	struct dirblock_cursor cursor = {.fs = dir->fs, .data = first->data};
	int r = 0;

	if (dirblock_next(&cursor) <= 0 || !dirent_is_dot(cursor.entry))
		return fs_damaged(dir->fs, "directory %u: no '.'", dir->ino);
	if (position == 0)
		r = batch_add(batch, 0, 0, cursor.entry);
	if (r < 0)
		return r;
	if (dirblock_next(&cursor) <= 0 || !dirent_is_dotdot(cursor.entry))
		return fs_damaged(dir->fs, "directory %u: no '..'", dir->ino);
	return batch_add(batch, 1, 0, cursor.entry);
}

static int path_range(const struct htree_path *path, struct hash_range *ret_range)
{
	uint32_t next, low = htree_leaf_hash(path) & ~1u, high = HTREE_HASH_MAX;

	if (htree_peek_next(path, &next))
		high = next & 1 ? next & ~1u : next - 2;
	if (low > high)
		return fs_damaged(path->dir->fs, "directory %u: index out of order", path->dir->ino);
	*ret_range = (struct hash_range){path->version, low, high};
	return 0;
}

static int damaged_index(struct e4_inode *dir)
{
	return fs_damaged(dir->fs, "directory %u: damaged index", dir->ino);
}

static int gather_leaf(struct htree_path *path, uint64_t position, struct batch *batch)
{
	CLEANUP_BUF struct buf *buf = NULL;
	struct hash_range range;
	int r = path_range(path, &range);

	if (r == 0)
		r = dir_block_get(path->dir, htree_leaf_lblk(path), &buf);
	if (r == 0)
		r = gather_block(path->dir, buf, &range, position, batch);
	return r;
}

/* The leaf at position and those joined to it. path is open. */
static int gather_tree(struct htree_path *path, uint32_t blocks, uint64_t position,
	struct batch *batch)
{
	uint32_t major = position < HASHED_FIRST ? 0 : (uint32_t)((position - HASHED_FIRST) >> 32) << 1;
	uint32_t next = 0;
	bool more = false;
	int r = 0;

	if (position < HASHED_FIRST)
		r = gather_dots(path->dir, path->frames[0].buf, position, batch);
	if (r == 0)
		r = htree_descend(path, major);
	if (r == 0)
		r = gather_leaf(path, position, batch);
	if (r == HTREE_BAD)
		return damaged_index(path->dir);
	if (r < 0)
		return r;
	while ((more = htree_peek_next(path, &next)) && next & 1) {
		if (blocks-- == 0)
			return damaged_index(path->dir);
		r = htree_next_leaf(path, &next);
		if (r > 0)
			r = gather_leaf(path, position, batch);
		if (r < 0)
			return r;
	}
	batch->next = more ? hash_position(next) : POSITION_END;
	if (batch->limit < batch->next)
		batch->next = batch->limit;
	return 0;
}

static int gather_single(struct e4_inode *dir, uint64_t position, struct batch *batch)
{
	const struct hash_range range = {dir->fs->default_hash_version, 0, HTREE_HASH_MAX};
	CLEANUP_BUF struct buf *buf = NULL;
	int r = dir_block_get(dir, 0, &buf);

	if (r == 0 && position < HASHED_FIRST)
		r = gather_dots(dir, buf, position, batch);
	if (r == 0)
		r = gather_block(dir, buf, &range, position, batch);
	batch->next = batch->limit;
	return r;
}

/* ---- by offset ---- */

/* The entries of one block that begin at offset or behind it. */
static int gather_linear(struct e4_inode *dir, uint32_t blocks, uint64_t offset, struct batch *batch)
{
	const struct e4_fs *fs = dir->fs;
	uint64_t start = round_down_u64(offset, fs->block_bytes);
	CLEANUP_BUF struct buf *buf = NULL;
	int r;

	batch->next = POSITION_END;
	if (start >> fs->block_bits >= blocks)
		return 0;
	r = dir_block_get(dir, (uint32_t)(start >> fs->block_bits), &buf);
	if (r < 0)
		return r;

	struct dirblock_cursor cursor = {.fs = fs, .data = buf->data};

	while ((r = dirblock_next(&cursor)) > 0) {
		if (start + cursor.off < offset || le32_get(cursor.entry->inode) == 0)
			continue;
		r = batch_add(batch, start + cursor.off, start + cursor.next_off, cursor.entry);
		if (r < 0)
			return r;
	}
	batch->next = start + fs->block_bytes;
	return r;
}

static int batch_add_dot(struct batch *batch, uint64_t position, uint64_t next, uint32_t ino)
{
	struct {
		struct dirent_disk entry;
		char name[4];
	} dot = {
		.entry = {
			.inode = le32_make(ino),
			.name_len = (uint8_t)(position + 1),
			.file_type = EXT2_FT_DIR,
		},
		.name = "..",
	};

	return batch_add(batch, position, next, &dot.entry);
}

static int gather_inline(struct e4_inode *dir, struct batch *batch)
{
	struct dir_inline content;
	int r = dir_inline_load(dir, &content);

	batch->next = POSITION_END;
	if (r == 0)
		r = batch_add_dot(batch, 0, 1, dir->ino);
	if (r == 0)
		r = batch_add_dot(batch, 1, content.part[0].off, content.parent_ino);
	for (uint32_t part = 0; r == 0 && part < content.parts; part++) {
		struct dirblock_cursor cursor = dir_inline_cursor(dir, &content, part);
		uint32_t off = content.part[part].off;

		while (r == 0 && (r = dirblock_next(&cursor)) > 0)
			r = le32_get(cursor.entry->inode) ? batch_add(batch, off + cursor.off,
				off + cursor.next_off, cursor.entry) : 0;
	}
	return r;
}

/* ---- */

static bool is_known_hash(int version)
{
	return version >= EXT2_HASH_LEGACY && version <= EXT2_HASH_TEA_UNSIGNED;
}

/* Fills batch with what follows position; dir_lock held. */
static int gather(struct e4_inode *dir, uint64_t position, struct batch *batch)
{
	CLEANUP_HTREE struct htree_path path = {0};
	uint32_t blocks;
	int r;

	if (dir->deleted)
		return -ENOENT;
	if (dir_is_inline(dir))
		return gather_inline(dir, batch);
	r = dir_blocks(dir, &blocks);
	if (r < 0)
		return r;
	if (dir_is_indexed(dir)) {
		r = htree_open(dir, &path);
		if (r == 0)
			r = gather_tree(&path, blocks, position, batch);
		else if (r == HTREE_BAD)
			return gather_linear(dir, blocks, position, batch);
	} else if (blocks == 1 && fs_has_compat(dir->fs, EXT2_FEATURE_COMPAT_DIR_INDEX) &&
		   is_known_hash(dir->fs->default_hash_version)) {
		r = gather_single(dir, position, batch);
	} else {
		return gather_linear(dir, blocks, position, batch);
	}
	if (r < 0)
		return r;
	if (batch->next <= position)
		return fs_damaged(dir->fs, "directory %u: index out of order", dir->ino);
	batch_sort(batch);
	batch_rank(batch);
	return 0;
}

static uint8_t dirent_type(uint8_t type)
{
	static const uint8_t types[] = {
		[EXT2_FT_UNKNOWN] = DT_UNKNOWN,
		[EXT2_FT_REG_FILE] = DT_REG,
		[EXT2_FT_DIR] = DT_DIR,
		[EXT2_FT_CHRDEV] = DT_CHR,
		[EXT2_FT_BLKDEV] = DT_BLK,
		[EXT2_FT_FIFO] = DT_FIFO,
		[EXT2_FT_SOCK] = DT_SOCK,
		[EXT2_FT_SYMLINK] = DT_LNK,
	};

	return type < ARRAY_SIZE(types) ? types[type] : DT_UNKNOWN;
}

/* True: the caller has enough. */
static bool batch_emit(const struct batch *batch, uint64_t position, e4_readdir_fn fn, void *ctx)
{
	for (size_t i = 0; i < batch->count; i++) {
		const struct item *item = &batch->items[i];

		if (item->position < position)
			continue;
		if (fn(ctx, &(struct e4_dirent){
				    .ino = item->ino,
				    .type = dirent_type(item->type),
				    .name_len = item->name_len,
				    .name = batch->names + item->name_off,
				    .next_cookie = item->next,
			    }))
			return true;
	}
	return false;
}

int e4_readdir(struct e4_inode *dir, uint64_t cookie, e4_readdir_fn fn, void *ctx)
{
	struct batch batch CLEANUP(batch_free) = {0};
	uint64_t position = cookie;

	if (!inode_is_dir(dir))
		return -ENOTDIR;
	pthread_once(&name_key_once, name_key_init);
	while (position != POSITION_END && position <= INT64_MAX) {
		batch.count = batch.names_bytes = 0;
		batch.limit = POSITION_END;

		pthread_rwlock_rdlock(&dir->dir_lock);
		int r = gather(dir, position, &batch);
		pthread_rwlock_unlock(&dir->dir_lock);
		if (r < 0)
			return r;
		if (batch_emit(&batch, position, fn, ctx))
			return 0;
		position = batch.next;
	}
	return 0;
}
