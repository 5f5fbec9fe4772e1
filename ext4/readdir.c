/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Listing directories, with positions that outlive changes and need no state between calls.
 *
 * Two orders:
 * - by offset: linear directories. The cookie is the byte offset; entries never move. (Inline
 *   ones, too: the offsets that their entries will have in a first block.)
 * - by hash: indexed directories, and those of one block or inline that would become indexed when
 *   they grow (so that they may do it in the middle of a listing). Position of an entry, 63 bits:
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

#include "ext4/dir-inline.h"
#include "ext4/dir.h"
#include "ext4/htree.h"
#include "ext4/listing.h"

/* ---- by hash ---- */

struct hash_range {
	int version;
	uint32_t low, high; /* of the block; a name that is in the wrong block is listed inside */
};

/* Adds the names of one block, or other chain, from position on. */
static int gather_block(struct e4_inode *dir, struct dirblock_cursor cursor,
	const struct hash_range *range, uint64_t position, struct listing *listing)
{
	int r;

	while ((r = dirblock_next(&cursor)) > 0) {
		const struct dirent_disk *entry = cursor.entry;
		uint32_t major, minor;

		if (le32_get(entry->inode) == 0 || dirent_is_dot(entry) || dirent_is_dotdot(entry))
			continue;
		r = htree_hash(
			dir->fs, range->version, entry->name, entry->name_len, &major, &minor);
		if (r < 0)
			return r;
		major = major < range->low ? range->low : major;
		major = major > range->high ? range->high : major;

		uint64_t at = listing_name_position(major, entry->name, entry->name_len);

		/* at has rank 0 yet: keep the whole group of position */
		if (at + LISTING_RANK_MASK < position || at >= listing->limit)
			continue;
		if (listing->count == LISTING_MAX) {
			r = listing_trim(listing);
			if (r < 0)
				return r;
			if (at >= listing->limit)
				continue;
		}
		r = listing_add(listing, at, 0, entry);
		if (r < 0)
			return r;
	}
	return r;
}

/* "." and ".." from the first block. */
static int gather_dots(
	struct e4_inode *dir, struct buf *first, uint64_t position, struct listing *listing)
{
	struct dirblock_cursor cursor = {.fs = dir->fs, .data = first->data};
	int r = 0;

	if (dirblock_next(&cursor) <= 0 || !dirent_is_dot(cursor.entry))
		return fs_damaged(dir->fs, "directory %u: no '.'", dir->ino);
	if (position == 0)
		r = listing_add(listing, 0, 0, cursor.entry);
	if (r < 0)
		return r;
	if (dirblock_next(&cursor) <= 0 || !dirent_is_dotdot(cursor.entry))
		return fs_damaged(dir->fs, "directory %u: no '..'", dir->ino);
	return listing_add(listing, 1, 0, cursor.entry);
}

static int path_range(const struct htree_path *path, struct hash_range *ret_range)
{
	uint32_t next, low = htree_leaf_hash(path) & ~1u, high = HTREE_HASH_MAX;

	if (htree_peek_next(path, &next))
		high = next & 1 ? next & ~1u : next - 2;
	if (low > high)
		return fs_damaged(
			path->dir->fs, "directory %u: index out of order", path->dir->ino);
	*ret_range = (struct hash_range){path->version, low, high};
	return 0;
}

static struct dirblock_cursor whole_block(const struct e4_inode *dir, struct buf *buf)
{
	return (struct dirblock_cursor){.fs = dir->fs, .data = buf->data};
}

static int damaged_index(struct e4_inode *dir)
{
	return fs_damaged(dir->fs, "directory %u: damaged index", dir->ino);
}

static int gather_leaf(struct htree_path *path, uint64_t position, struct listing *listing)
{
	CLEANUP_BUF struct buf *buf = NULL;
	struct hash_range range;
	int r = path_range(path, &range);

	if (r == 0)
		r = dir_block_get(path->dir, htree_leaf_lblk(path), &buf);
	if (r == 0)
		r = gather_block(path->dir, whole_block(path->dir, buf), &range, position, listing);
	return r;
}

/* The leaf at position and those joined to it. path is open. */
static int gather_tree(
	struct htree_path *path, uint32_t blocks, uint64_t position, struct listing *listing)
{
	uint32_t major = position < LISTING_HASHED_FIRST
				 ? 0
				 : (uint32_t)((position - LISTING_HASHED_FIRST) >> 32) << 1;
	uint32_t next = 0;
	bool more = false;
	int r = 0;

	if (position < LISTING_HASHED_FIRST)
		r = gather_dots(path->dir, path->frames[0].buf, position, listing);
	if (r == 0)
		r = htree_descend(path, major);
	if (r == 0)
		r = gather_leaf(path, position, listing);
	if (r == HTREE_BAD)
		return damaged_index(path->dir);
	if (r < 0)
		return r;
	while ((more = htree_peek_next(path, &next)) && next & 1) {
		if (blocks-- == 0)
			return damaged_index(path->dir);
		r = htree_next_leaf(path, &next);
		if (r > 0)
			r = gather_leaf(path, position, listing);
		if (r < 0)
			return r;
	}
	listing->next = more ? listing_hash_position(next) : LISTING_END;
	if (listing->limit < listing->next)
		listing->next = listing->limit;
	return 0;
}

static int gather_single(struct e4_inode *dir, uint64_t position, struct listing *listing)
{
	const struct hash_range range = {dir->fs->default_hash_version, 0, HTREE_HASH_MAX};
	CLEANUP_BUF struct buf *buf = NULL;
	int r = dir_block_get(dir, 0, &buf);

	if (r == 0 && position < LISTING_HASHED_FIRST)
		r = gather_dots(dir, buf, position, listing);
	if (r == 0)
		r = gather_block(dir, whole_block(dir, buf), &range, position, listing);
	listing->next = listing->limit;
	return r;
}

/* ---- by offset ---- */

/* The entries of one block that begin at offset or behind it. */
static int gather_linear(
	struct e4_inode *dir, uint32_t blocks, uint64_t offset, struct listing *listing)
{
	const struct e4_fs *fs = dir->fs;
	uint64_t start = round_down_u64(offset, fs->block_bytes);
	CLEANUP_BUF struct buf *buf = NULL;
	int r;

	listing->next = LISTING_END;
	if (start >> fs->block_bits >= blocks)
		return 0;
	r = dir_block_get(dir, (uint32_t)(start >> fs->block_bits), &buf);
	if (r < 0)
		return r;

	struct dirblock_cursor cursor = {.fs = fs, .data = buf->data};

	while ((r = dirblock_next(&cursor)) > 0) {
		if (start + cursor.off < offset || le32_get(cursor.entry->inode) == 0)
			continue;
		r = listing_add(listing, start + cursor.off, start + cursor.next_off, cursor.entry);
		if (r < 0)
			return r;
	}
	listing->next = start + fs->block_bytes;
	return r;
}

/* ---- inline ---- */

static int add_dots(
	struct e4_inode *dir, const struct dir_inline *content, uint64_t second, struct listing *listing)
{
	struct {
		struct dirent_disk entry;
		char name[4];
	} dot = {.entry = {.file_type = EXT2_FT_DIR}, .name = ".."};
	int r;

	dot.entry.inode = le32_make(dir->ino);
	dot.entry.name_len = 1;
	r = listing_add(listing, 0, second, &dot.entry);
	if (r < 0)
		return r;
	dot.entry.inode = le32_make(content->parent_ino);
	dot.entry.name_len = 2;
	return listing_add(listing, second, 2 * second, &dot.entry);
}

static int gather_inline_hashed(struct e4_inode *dir, uint64_t position, struct listing *listing)
{
	const struct hash_range range = {dir->fs->default_hash_version, 0, HTREE_HASH_MAX};
	struct dir_inline content;
	int r = dir_inline_load(dir, &content);

	if (r == 0 && position < LISTING_HASHED_FIRST)
		r = add_dots(dir, &content, 1, listing);
	for (uint32_t part = 0; r == 0 && part < content.parts; part++)
		r = gather_block(dir, dir_inline_cursor(dir, &content, part), &range, position,
			listing);
	listing->next = listing->limit;
	return r;
}

static int gather_inline_linear(struct e4_inode *dir, struct listing *listing)
{
	struct dir_inline content;
	int r = dir_inline_load(dir, &content);

	listing->next = LISTING_END;
	if (r == 0)
		r = add_dots(dir, &content, DIRENT_MIN_BYTES, listing);
	for (uint32_t part = 0; r == 0 && part < content.parts; part++) {
		struct dirblock_cursor cursor = dir_inline_cursor(dir, &content, part);
		uint32_t off = dir_inline_block_off(content.part[part].off);

		while (r == 0 && (r = dirblock_next(&cursor)) > 0)
			r = le32_get(cursor.entry->inode)
				    ? listing_add(listing, off + cursor.off, off + cursor.next_off,
					      cursor.entry)
				    : 0;
	}
	return r;
}

/* ---- */

static bool is_known_hash(int version)
{
	return version >= EXT2_HASH_LEGACY && version <= EXT2_HASH_TEA_UNSIGNED;
}

/* Whether a directory that is not indexed yet becomes it when it grows beyond one block. */
static bool will_be_indexed(const struct e4_inode *dir)
{
	return fs_has_compat(dir->fs, EXT2_FEATURE_COMPAT_DIR_INDEX) &&
	       is_known_hash(dir->fs->default_hash_version);
}

/* Fills listing with what follows position; dir_lock held. */
static int gather(struct e4_inode *dir, uint64_t position, struct listing *listing)
{
	CLEANUP_HTREE struct htree_path path = {0};
	bool is_inline = dir_is_inline(dir);
	uint32_t blocks = 0;
	int r = 0;

	if (dir->deleted)
		return -ENOENT;
	if (!is_inline)
		r = dir_blocks(dir, &blocks);
	if (r < 0)
		return r;
	if (is_inline && !will_be_indexed(dir)) {
		return gather_inline_linear(dir, listing);
	} else if (is_inline) {
		r = gather_inline_hashed(dir, position, listing);
	} else if (dir_is_indexed(dir)) {
		r = htree_open(dir, &path);
		if (r == 0)
			r = gather_tree(&path, blocks, position, listing);
		else if (r == HTREE_BAD)
			return gather_linear(dir, blocks, position, listing);
	} else if (blocks == 1 && will_be_indexed(dir)) {
		r = gather_single(dir, position, listing);
	} else {
		return gather_linear(dir, blocks, position, listing);
	}
	if (r < 0)
		return r;
	if (listing->next <= position)
		return fs_damaged(dir->fs, "directory %u: index out of order", dir->ino);
	listing_sort(listing);
	listing_rank(listing);
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
static bool emit(const struct listing *listing, uint64_t position, e4_readdir_fn fn, void *ctx)
{
	for (size_t i = 0; i < listing->count; i++) {
		const struct listing_item *item = &listing->items[i];

		if (item->position < position)
			continue;
		if (fn(ctx, &(struct e4_dirent){
				    .ino = item->ino,
				    .type = dirent_type(item->type),
				    .name_len = item->name_len,
				    .name = listing->names + item->name_off,
				    .next_cookie = item->next,
			    }))
			return true;
	}
	return false;
}

int e4_readdir(struct e4_inode *dir, uint64_t cookie, e4_readdir_fn fn, void *ctx)
{
	struct listing listing CLEANUP(listing_free) = {0};
	uint64_t position = cookie;

	if (!inode_is_dir(dir))
		return -ENOTDIR;
	while (position != LISTING_END && position <= INT64_MAX) {
		listing.count = listing.names_bytes = 0;
		listing.limit = LISTING_END;

		pthread_rwlock_rdlock(&dir->dir_lock);
		int r = gather(dir, position, &listing);
		pthread_rwlock_unlock(&dir->dir_lock);
		if (r < 0)
			return r;
		if (emit(&listing, position, fn, ctx))
			return 0;
		position = listing.next;
	}
	return 0;
}
