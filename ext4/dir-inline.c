/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/dir-inline.h"

#include <errno.h>

enum { PARENT_BYTES = 4 };

bool dir_is_inline(struct e4_inode *dir)
{
	pthread_rwlock_rdlock(&dir->lock);
	bool is_inline = dir->flags & EXT4_INLINE_DATA_FL;
	pthread_rwlock_unlock(&dir->lock);
	return is_inline;
}

int dir_inline_load(struct e4_inode *dir, struct dir_inline *ret_content)
{
	const uint32_t in_inode = sizeof(dir->i_block);
	size_t len;
	le32 parent;

	pthread_rwlock_rdlock(&dir->lock);
	int r = inline_get(dir, ret_content->data, sizeof(ret_content->data), &len);
	pthread_rwlock_unlock(&dir->lock);
	if (r < 0)
		return r;
	if (len < in_inode)
		return fs_damaged(dir->fs, "directory %u: bad inline data", dir->ino);
	memcpy(&parent, ret_content->data, sizeof(parent));
	ret_content->parent_ino = le32_get(parent);
	ret_content->part[0].off = PARENT_BYTES;
	ret_content->part[0].bytes = in_inode - PARENT_BYTES;
	ret_content->part[1].off = in_inode;
	ret_content->part[1].bytes = (uint32_t)len - in_inode;
	ret_content->parts = len > in_inode ? 2 : 1;
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

static int find_in_part(struct dirblock_cursor *cursor, const char *name, size_t name_len)
{
	int r;

	while ((r = dirblock_next(cursor)) > 0)
		if (dirent_is_named(cursor->entry, name, name_len))
			return 0;
	return r < 0 ? r : -ENOENT;
}

int dir_inline_find(struct e4_inode *dir, const char *name, size_t name_len, uint32_t *ret_ino,
	uint8_t *ret_type)
{
	struct dir_inline content;
	int r = dir_inline_load(dir, &content);

	if (r < 0)
		return r;
	if (name_len == 2 && name[0] == '.' && name[1] == '.') {
		*ret_ino = content.parent_ino;
		*ret_type = EXT2_FT_DIR;
		return 0;
	}
	for (uint32_t part = 0; part < content.parts; part++) {
		struct dirblock_cursor cursor = dir_inline_cursor(dir, &content, part);

		r = find_in_part(&cursor, name, name_len);
		if (r == -EUCLEAN)
			return fs_damaged(dir->fs, "directory %u: bad inline data", dir->ino);
		if (r < 0)
			continue;
		*ret_ino = le32_get(cursor.entry->inode);
		*ret_type = cursor.entry->file_type;
		return 0;
	}
	return -ENOENT;
}
