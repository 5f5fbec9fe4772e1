/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Directories: one interface over inline, linear and indexed ones.
 *
 * Invariants
 * 1. A directory of one block on a volume with dir_index becomes indexed when the block is full;
 *    so a linear directory with more blocks never becomes one (readdir.c relies on it).
 * 2. Every function that changes a directory reads what it needs first; -ENOSPC leaves all
 *    entries as they were (an index block that was split before stays split, which is harmless).
 * 3. A block belongs to one directory, whose dir_lock guards its bytes: buf_get() refuses a second
 *    owner.
 */
#include "ext4/dir.h"

#include <errno.h>

#include "ext4/balloc.h"
#include "ext4/dir-inline.h"
#include "ext4/htree.h"

static bool has_index_flag(struct e4_inode *dir)
{
	pthread_rwlock_rdlock(&dir->lock);
	bool indexed = dir->flags & EXT2_INDEX_FL;
	pthread_rwlock_unlock(&dir->lock);
	return indexed;
}

bool dir_is_indexed(struct e4_inode *dir)
{
	return fs_has_compat(dir->fs, EXT2_FEATURE_COMPAT_DIR_INDEX) && has_index_flag(dir);
}

int dir_blocks(struct e4_inode *dir, uint32_t *ret_blocks)
{
	struct e4_fs *fs = dir->fs;

	pthread_rwlock_rdlock(&dir->lock);
	uint64_t size = dir->size;
	bool is_inline = dir->flags & EXT4_INLINE_DATA_FL;
	pthread_rwlock_unlock(&dir->lock);

	uint64_t blocks = size >> fs->block_bits;

	if (is_inline)
		return -EOPNOTSUPP;
	/* No holes, no block twice: what is larger than the volume would be walked for ever. */
	if (blocks == 0 || size & (fs->block_bytes - 1) || blocks > EXTENT_LBLK_MAX || blocks > fs->blocks_count)
		return fs_damaged(fs, "directory %u: impossible size", dir->ino);
	*ret_blocks = (uint32_t)blocks;
	return 0;
}

int dir_block_get(struct e4_inode *dir, uint32_t lblk, struct buf **ret_buf)
{
	pthread_rwlock_rdlock(&dir->lock);
	int r = extent_block_get(dir, lblk, &dirblock_type, ret_buf);
	pthread_rwlock_unlock(&dir->lock);
	return r;
}

int dir_half_done(struct handle *h, int r)
{
	return r < 0 ? fs_io_error(h->fs, r, "names half changed") : r;
}

/* Without large_dir the upper half of a directory's size is not stored. */
static bool may_grow(const struct e4_inode *dir)
{
	return fs_has_incompat(dir->fs, EXT4_FEATURE_INCOMPAT_LARGEDIR) ||
	       dir->size + dir->fs->block_bytes <= INT32_MAX;
}

int dir_append(struct handle *h, struct e4_inode *dir, uint32_t *ret_lblk, struct buf **ret_buf)
{
	CLEANUP_BUF struct buf *buf = NULL;
	uint32_t lblk;
	int r = -ENOSPC;

	pthread_rwlock_wrlock(&dir->lock);
	if (may_grow(dir))
		r = extent_block_append(h, dir, &dirblock_type, &lblk, &buf);
	if (r == 0)
		r = dir_half_done(h, inode_store(h, dir, true));
	pthread_rwlock_unlock(&dir->lock);
	if (r == 0)
		r = dir_half_done(h, buf_modify(h, buf));
	if (r < 0)
		return r;
	*ret_lblk = lblk;
	*ret_buf = take_ptr(buf);
	return 0;
}

int dir_set_indexed(struct handle *h, struct e4_inode *dir, bool indexed)
{
	pthread_rwlock_wrlock(&dir->lock);
	dir->flags = indexed ? dir->flags | EXT2_INDEX_FL : dir->flags & ~(uint32_t)EXT2_INDEX_FL;
	int r = inode_store(h, dir, false);
	pthread_rwlock_unlock(&dir->lock);
	return r;
}

static unsigned append_credits(struct e4_inode *dir)
{
	pthread_rwlock_rdlock(&dir->lock);
	unsigned credits = extent_credits(dir);
	pthread_rwlock_unlock(&dir->lock);
	return credits + BALLOC_CREDITS + DIR_APPEND_CREDITS;
}

unsigned dir_insert_credits(struct e4_inode *dir)
{
	unsigned appends = htree_max_appends(dir->fs);

	if (fs_has_incompat(dir->fs, EXT4_FEATURE_INCOMPAT_INLINE_DATA))
		appends++;
	return appends * append_credits(dir) + HTREE_CHANGE_CREDITS + INODE_CREDITS;
}

unsigned dir_init_credits(struct e4_inode *dir)
{
	return append_credits(dir);
}

static int linear_find(struct e4_inode *dir, const char *name, size_t name_len, uint32_t blocks,
	struct dir_place *ret_place)
{
	for (uint32_t lblk = 0; lblk < blocks; lblk++) {
		CLEANUP_BUF struct buf *buf = NULL;
		int r = dir_block_get(dir, lblk, &buf);

		if (r == 0)
			r = dirblock_find(dir->fs, buf->data, name, name_len, &ret_place->cursor);
		if (r == -ENOENT)
			continue;
		if (r == 0)
			ret_place->buf = take_ptr(buf);
		return r;
	}
	return -ENOENT;
}

static bool is_dot_or_dotdot(const char *name, size_t name_len)
{
	return name_len <= 2 && name[0] == '.' && name[name_len - 1] == '.';
}

static int dir_locate(
	struct e4_inode *dir, const char *name, size_t name_len, struct dir_place *ret_place)
{
	uint32_t blocks;
	int r = dir_blocks(dir, &blocks);

	if (r < 0)
		return r;
	if (is_dot_or_dotdot(name, name_len))
		return linear_find(dir, name, name_len, 1, ret_place);
	if (dir_is_indexed(dir)) {
		r = htree_find(dir, name, name_len, ret_place);
		if (r != HTREE_BAD)
			return r;
	}
	return linear_find(dir, name, name_len, blocks, ret_place);
}

int dir_find(struct e4_inode *dir, const char *name, size_t name_len, uint32_t *ret_ino,
	uint8_t *ret_type)
{
	CLEANUP_DIR_PLACE struct dir_place place = {0};

	if (dir_is_inline(dir))
		return dir_inline_find(dir, name, name_len, ret_ino, ret_type);

	int r = dir_locate(dir, name, name_len, &place);

	if (r < 0)
		return r;
	*ret_ino = le32_get(place.cursor.entry->inode);
	*ret_type = place.cursor.entry->file_type;
	return 0;
}

/* Fills a block just appended with nothing but room. */
static void init_empty(const struct e4_fs *fs, struct buf *buf)
{
	struct dirblock_builder builder;

	dirblock_build_begin(&builder, fs, buf->data);
	dirblock_build_end(&builder);
}

static int insert_into(struct handle *h, struct e4_inode *dir, struct buf *buf, const char *name,
	size_t name_len, uint32_t ino, uint8_t type)
{
	struct dirblock_cursor room;
	int r = dirblock_find_room(dir->fs, buf->data, name_len, &room);

	if (r == 0)
		r = buf_modify(h, buf);
	if (r < 0)
		return r;
	dirblock_insert(&room, name, name_len, ino, type);
	return 0;
}

static int linear_insert(struct handle *h, struct e4_inode *dir, uint32_t blocks, const char *name,
	size_t name_len, uint32_t ino, uint8_t type)
{
	CLEANUP_BUF struct buf *added = NULL;
	uint32_t lblk;

	for (lblk = 0; lblk < blocks; lblk++) {
		CLEANUP_BUF struct buf *buf = NULL;
		int r = dir_block_get(dir, lblk, &buf);

		if (r == 0)
			r = insert_into(h, dir, buf, name, name_len, ino, type);
		if (r != -ENOSPC)
			return r;
	}
	if (blocks == 1 && fs_has_compat(dir->fs, EXT2_FEATURE_COMPAT_DIR_INDEX)) {
		int r = htree_convert(h, dir);

		if (r == 0)
			return htree_insert(h, dir, name, name_len, ino, type);
		if (r != -EOPNOTSUPP)
			return r;
	}

	int r = dir_append(h, dir, &lblk, &added);

	if (r < 0)
		return r;
	init_empty(dir->fs, added);
	return insert_into(h, dir, added, name, name_len, ino, type);
}

int dir_insert(struct handle *h, struct e4_inode *dir, const char *name, size_t name_len,
	uint32_t ino, uint8_t type)
{
	uint32_t blocks;
	int r = 0;

	if (dir_is_inline(dir)) {
		r = dir_inline_insert(h, dir, name, name_len, ino, type);
		if (r != -ENOSPC)
			return r;
		r = dir_inline_convert(h, dir);
	}
	if (r == 0)
		r = dir_blocks(dir, &blocks);
	if (r < 0)
		return r;
	if (dir_is_indexed(dir)) {
		r = htree_insert(h, dir, name, name_len, ino, type);
		if (r == HTREE_BAD)
			return fs_damaged(dir->fs, "directory %u: damaged index", dir->ino);
		return r;
	}
	/* Entries that other blocks do not know of would make an old index wrong. */
	if (has_index_flag(dir)) {
		r = dir_set_indexed(h, dir, false);
		if (r < 0)
			return r;
	}
	return linear_insert(h, dir, blocks, name, name_len, ino, type);
}

int dir_remove(struct handle *h, struct e4_inode *dir, const char *name, size_t name_len)
{
	CLEANUP_DIR_PLACE struct dir_place place = {0};

	if (dir_is_inline(dir))
		return dir_inline_remove(h, dir, name, name_len);

	int r = dir_locate(dir, name, name_len, &place);

	if (r == 0)
		r = buf_modify(h, place.buf);
	if (r < 0)
		return r;
	dirblock_remove(&place.cursor);
	return 0;
}

int dir_replace(struct handle *h, struct e4_inode *dir, const char *name, size_t name_len,
	uint32_t ino, uint8_t type)
{
	CLEANUP_DIR_PLACE struct dir_place place = {0};

	if (dir_is_inline(dir))
		return dir_inline_replace(h, dir, name, name_len, ino, type);

	int r = dir_locate(dir, name, name_len, &place);

	if (r == 0)
		r = buf_modify(h, place.buf);
	if (r < 0)
		return r;
	dirblock_set_target(&place.cursor, ino, type);
	return 0;
}

int dir_init(struct handle *h, struct e4_inode *dir, uint32_t parent_ino)
{
	CLEANUP_BUF struct buf *buf = NULL;
	struct dirblock_builder builder;
	uint32_t lblk;
	int r = -ENOSPC;

	if (fs_has_incompat(dir->fs, EXT4_FEATURE_INCOMPAT_INLINE_DATA))
		r = dir_inline_init(h, dir, parent_ino);
	if (r != -ENOSPC)
		return r;
	r = dir_append(h, dir, &lblk, &buf);
	if (r < 0)
		return r;
	dirblock_build_begin(&builder, dir->fs, buf->data);
	r = dirblock_build_add(&builder, ".", 1, dir->ino, EXT2_FT_DIR);
	if (r == 0)
		r = dirblock_build_add(&builder, "..", 2, parent_ino, EXT2_FT_DIR);
	dirblock_build_end(&builder);
	return r;
}

static int block_is_empty(struct e4_inode *dir, uint32_t lblk, bool *ret_empty)
{
	CLEANUP_BUF struct buf *buf = NULL;
	int r = dir_block_get(dir, lblk, &buf);

	if (r < 0)
		return r;

	struct dirblock_cursor cursor = {.fs = dir->fs, .data = buf->data};

	while ((r = dirblock_next(&cursor)) > 0) {
		if (le32_get(cursor.entry->inode) == 0)
			continue;
		if (lblk == 0 && (dirent_is_dot(cursor.entry) || dirent_is_dotdot(cursor.entry)))
			continue;
		*ret_empty = false;
		return 0;
	}
	if (r == 0)
		*ret_empty = true;
	return r;
}

int dir_is_empty(struct e4_inode *dir, bool *ret_empty)
{
	uint32_t blocks;
	bool empty = true;

	if (dir_is_inline(dir))
		return dir_inline_is_empty(dir, ret_empty);

	int r = dir_blocks(dir, &blocks);

	for (uint32_t lblk = 0; r == 0 && empty && lblk < blocks; lblk++)
		r = block_is_empty(dir, lblk, &empty);
	if (r == 0)
		*ret_empty = empty;
	return r;
}
