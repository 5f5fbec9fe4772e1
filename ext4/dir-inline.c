/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A change is made in a copy of all entries, which then replaces what the inode holds, so it
 * happens or does not. Entries keep their place when the directory moves to a block
 * (dir_inline_block_off), and so their position in a listing.
 */
#include "ext4/dir-inline.h"

#include <errno.h>

#include "ext4/dir.h"

enum { PARENT_BYTES = 4 };

bool dir_is_inline(struct e4_inode *dir)
{
	pthread_rwlock_rdlock(&dir->lock);
	bool is_inline = dir->flags & EXT4_INLINE_DATA_FL;
	pthread_rwlock_unlock(&dir->lock);
	return is_inline;
}

/* ---- reading ---- */

static void split_parts(struct dir_inline *content)
{
	content->part[0].off = PARENT_BYTES;
	content->part[0].bytes = INLINE_BLOCK_BYTES - PARENT_BYTES;
	content->part[1].off = INLINE_BLOCK_BYTES;
	content->part[1].bytes = content->len - INLINE_BLOCK_BYTES;
	content->parts = content->len > INLINE_BLOCK_BYTES ? 2 : 1;
}

int dir_inline_load(struct e4_inode *dir, struct dir_inline *ret_content)
{
	size_t len;
	le32 parent;

	pthread_rwlock_rdlock(&dir->lock);
	int r = inline_get(dir, ret_content->data, &len);
	pthread_rwlock_unlock(&dir->lock);
	if (r < 0)
		return r;
	memcpy(&parent, ret_content->data, sizeof(parent));
	ret_content->parent_ino = le32_get(parent);
	ret_content->len = (uint32_t)len;
	split_parts(ret_content);
	for (uint32_t part = 0; part < ret_content->parts; part++) {
		const char *wrong = dirblock_check(dir_inline_cursor(dir, ret_content, part));

		if (wrong)
			return fs_damaged(dir->fs, "directory %u, inline: %s", dir->ino, wrong);
	}
	return 0;
}

struct dirblock_cursor dir_inline_cursor(
	struct e4_inode *dir, struct dir_inline *content, uint32_t part)
{
	return (struct dirblock_cursor){
		.fs = dir->fs,
		.data = content->data + content->part[part].off,
		.end = content->part[part].bytes,
	};
}

static bool is_dotdot(const char *name, size_t name_len)
{
	return name_len == 2 && name[0] == '.' && name[1] == '.';
}

/* content stays loaded, and the cursor stands on the entry. */
static int locate(struct e4_inode *dir, const char *name, size_t name_len,
	struct dir_inline *content, struct dirblock_cursor *ret_cursor)
{
	int r = dir_inline_load(dir, content);

	if (r < 0)
		return r;
	for (uint32_t part = 0; part < content->parts; part++) {
		struct dirblock_cursor cursor = dir_inline_cursor(dir, content, part);

		while ((r = dirblock_next(&cursor)) > 0) {
			if (!dirent_is_named(cursor.entry, name, name_len))
				continue;
			*ret_cursor = cursor;
			return 0;
		}
		if (r < 0)
			return r;
	}
	return -ENOENT;
}

int dir_inline_find(struct e4_inode *dir, const char *name, size_t name_len, uint32_t *ret_ino,
	uint8_t *ret_type)
{
	struct dirblock_cursor cursor;
	struct dir_inline content;
	int r = locate(dir, name, name_len, &content, &cursor);

	if (r == -ENOENT && is_dotdot(name, name_len)) {
		*ret_ino = content.parent_ino;
		*ret_type = EXT2_FT_DIR;
		return 0;
	}
	if (r < 0)
		return r;
	*ret_ino = le32_get(cursor.entry->inode);
	*ret_type = cursor.entry->file_type;
	return 0;
}

int dir_inline_is_empty(struct e4_inode *dir, bool *ret_empty)
{
	struct dir_inline content;
	int r = dir_inline_load(dir, &content);
	bool empty = true;

	for (uint32_t part = 0; r == 0 && part < content.parts; part++) {
		struct dirblock_cursor cursor = dir_inline_cursor(dir, &content, part);

		while ((r = dirblock_next(&cursor)) > 0)
			if (le32_get(cursor.entry->inode))
				empty = false;
	}
	if (r == 0)
		*ret_empty = empty;
	return r;
}

/* ---- changing ---- */

static int save(struct handle *h, struct e4_inode *dir, const struct dir_inline *content)
{
	pthread_rwlock_wrlock(&dir->lock);
	int r = inode_reserve(h, dir);

	if (r == 0)
		r = inline_set(h, dir, content->data, content->len);
	if (r == 0) {
		dir->size = content->len;
		r = dir_half_done(h, inode_store(h, dir, true));
	}
	pthread_rwlock_unlock(&dir->lock);
	return r;
}

/* An unused entry over all of a part that had none, or more room for its last one. */
static int stretch_part(struct dirblock_cursor cursor, uint32_t old)
{
	struct dirent_disk *last = (struct dirent_disk *)cursor.data;
	uint32_t bytes = cursor.end;
	int r = 0;

	cursor.end = old;
	while (old && (r = dirblock_next(&cursor)) > 0)
		last = cursor.entry;
	if (r == 0)
		last->rec_len = le16_make((uint16_t)(bytes - cursor.off));
	return r;
}

/* Takes all the room there is in the inode. */
static int grow(struct e4_inode *dir, struct dir_inline *content)
{
	uint32_t old = content->part[1].bytes;
	size_t capacity;

	pthread_rwlock_rdlock(&dir->lock);
	int r = inline_capacity(dir, &capacity);
	pthread_rwlock_unlock(&dir->lock);
	if (r < 0)
		return r;
	if (capacity < content->len + DIRENT_MIN_BYTES)
		return -ENOSPC;
	memset(content->data + content->len, 0, capacity - content->len);
	content->len = (uint32_t)capacity;
	split_parts(content);
	return stretch_part(dir_inline_cursor(dir, content, 1), old);
}

static int find_room(struct e4_inode *dir, struct dir_inline *content, size_t name_len,
	struct dirblock_cursor *ret_cursor)
{
	int r = -ENOSPC;

	for (uint32_t part = 0; r == -ENOSPC && part < content->parts; part++) {
		*ret_cursor = dir_inline_cursor(dir, content, part);
		r = dirblock_room_in(ret_cursor, name_len);
	}
	return r;
}

int dir_inline_insert(struct handle *h, struct e4_inode *dir, const char *name, size_t name_len,
	uint32_t ino, uint8_t type)
{
	struct dirblock_cursor room;
	struct dir_inline content;
	int r = dir_inline_load(dir, &content);

	if (r == 0)
		r = find_room(dir, &content, name_len, &room);
	if (r == -ENOSPC) {
		r = grow(dir, &content);
		if (r == 0)
			r = find_room(dir, &content, name_len, &room);
	}
	if (r < 0)
		return r;
	dirblock_insert(&room, name, name_len, ino, type);
	return save(h, dir, &content);
}

int dir_inline_remove(struct handle *h, struct e4_inode *dir, const char *name, size_t name_len)
{
	struct dirblock_cursor cursor;
	struct dir_inline content;
	int r = locate(dir, name, name_len, &content, &cursor);

	if (r < 0)
		return r;
	dirblock_remove(&cursor);
	return save(h, dir, &content);
}

int dir_inline_replace(struct handle *h, struct e4_inode *dir, const char *name, size_t name_len,
	uint32_t ino, uint8_t type)
{
	struct dirblock_cursor cursor;
	struct dir_inline content;
	int r = locate(dir, name, name_len, &content, &cursor);

	if (r == -ENOENT && is_dotdot(name, name_len))
		memcpy(content.data, &(le32){htole32(ino)}, PARENT_BYTES);
	else if (r < 0)
		return r;
	else
		dirblock_set_target(&cursor, ino, type);
	return save(h, dir, &content);
}

int dir_inline_init(struct handle *h, struct e4_inode *dir, uint32_t parent_ino)
{
	struct dir_inline content = {.len = INLINE_BLOCK_BYTES};
	size_t capacity;

	pthread_rwlock_rdlock(&dir->lock);
	int r = inline_capacity(dir, &capacity);
	pthread_rwlock_unlock(&dir->lock);
	if (r < 0)
		return r;
	if (capacity < content.len)
		return -ENOSPC;
	split_parts(&content);
	memcpy(content.data, &(le32){htole32(parent_ino)}, PARENT_BYTES);
	r = stretch_part(dir_inline_cursor(dir, &content, 0), 0);
	return r < 0 ? r : save(h, dir, &content);
}

/* ---- to a block ---- */

static int build_block(struct e4_inode *dir, uint8_t *to)
{
	struct dirblock_builder builder;
	struct dir_inline content;
	int r = dir_inline_load(dir, &content);

	if (r < 0)
		return r;
	dirblock_build_begin(&builder, dir->fs, to);
	r = dirblock_build_add(&builder, ".", 1, dir->ino, EXT2_FT_DIR);
	if (r == 0)
		r = dirblock_build_add(&builder, "..", 2, content.parent_ino, EXT2_FT_DIR);
	/* Both parts are one chain. */
	if (r == 0)
		r = dirblock_build_chain(&builder,
			(struct dirblock_cursor){
				.fs = dir->fs,
				.data = content.data + PARENT_BYTES,
				.end = content.len - PARENT_BYTES,
			});
	if (r < 0)
		return fs_damaged(dir->fs, "directory %u: bad inline data", dir->ino);
	dirblock_build_end(&builder);
	return 0;
}

static int switch_under(struct handle *h, struct e4_inode *dir, struct buf **ret_buf)
{
	struct inline_state saved;
	uint32_t lblk;
	int r = inode_reserve(h, dir);

	if (r < 0)
		return r;
	inline_map_begin(dir, &saved);
	dir->flags &= ~(uint32_t)EXT2_INDEX_FL;
	r = extent_block_append(h, dir, &dirblock_type, &lblk, ret_buf);
	if (r < 0) {
		inline_map_undo(dir, &saved);
		return r;
	}
	r = inline_forget(h, dir);
	if (r == 0)
		r = inode_store(h, dir, true);
	if (r == 0)
		r = buf_modify(h, *ret_buf);
	return dir_half_done(h, r);
}

int dir_inline_convert(struct handle *h, struct e4_inode *dir)
{
	CLEANUP_FREE uint8_t *block = malloc(dir->fs->block_bytes);
	CLEANUP_BUF struct buf *buf = NULL;

	if (!block)
		return -ENOMEM;

	int r = build_block(dir, block);

	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&dir->lock);
	r = switch_under(h, dir, &buf);
	pthread_rwlock_unlock(&dir->lock);
	if (r == 0)
		memcpy(buf->data, block, dir->fs->block_bytes);
	return r;
}
