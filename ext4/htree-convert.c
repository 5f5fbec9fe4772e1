/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a directory of one full block to an indexed one: the block's entries move to a new leaf, the
 * block becomes the root. */
#include <errno.h>

#include "ext4/htree.h"

/* "." and ".." of a first block, and its other entries packed into to. */
static int take_entries(struct e4_inode *dir, struct buf *first, uint8_t *to, uint32_t *ret_parent,
	uint8_t *ret_type)
{
	struct dirblock_cursor cursor = {.fs = dir->fs, .data = first->data};
	struct dirblock_builder builder;

	if (dirblock_next(&cursor) <= 0 || !dirent_is_dot(cursor.entry))
		return fs_damaged(dir->fs, "directory %u: no '.'", dir->ino);
	if (dirblock_next(&cursor) <= 0 || !dirent_is_dotdot(cursor.entry))
		return fs_damaged(dir->fs, "directory %u: no '..'", dir->ino);
	*ret_parent = le32_get(cursor.entry->inode);
	*ret_type = cursor.entry->file_type;

	int r;

	dirblock_build_begin(&builder, dir->fs, to);
	while ((r = dirblock_next(&cursor)) > 0) {
		const struct dirent_disk *entry = cursor.entry;

		if (le32_get(entry->inode) == 0)
			continue;
		r = dirblock_build_add(&builder, entry->name, entry->name_len,
			le32_get(entry->inode), entry->file_type);
		if (r < 0)
			break;
	}
	dirblock_build_end(&builder);
	return r;
}

int htree_convert(struct handle *h, struct e4_inode *dir)
{
	struct e4_fs *fs = dir->fs;
	CLEANUP_FREE uint8_t *entries = malloc(fs->block_bytes);
	CLEANUP_BUF struct buf *root = NULL, *leaf = NULL;
	uint32_t parent_ino = 0, lblk;
	uint8_t type = 0;

	if (fs->default_hash_version < 0 || fs->default_hash_version > EXT2_HASH_TEA_UNSIGNED)
		return -EOPNOTSUPP;
	if (!entries)
		return -ENOMEM;

	int r = dir_block_get(dir, 0, &root);

	if (r == 0)
		r = take_entries(dir, root, entries, &parent_ino, &type);
	if (r == 0)
		r = buf_modify(h, root);
	if (r == 0)
		r = dir_append(h, dir, &lblk, &leaf);
	if (r == 0 && (leaf == root || lblk != 1))
		r = fs_damaged(fs, "directory %u: block in use twice", dir->ino);
	if (r < 0)
		return r;
	memcpy(leaf->data, entries, fs->block_bytes);
	dirblock_init_root(fs, root->data, dir->ino, parent_ino, type,
		(uint8_t)(fs->default_hash_version % EXT2_HASH_LEGACY_UNSIGNED));

	struct dx_entry_disk *index = (struct dx_entry_disk *)(root->data + DX_ROOT_ENTRIES_OFF);

	index[0].block = le32_make(lblk);
	index[0].countlimit.count = le16_make(1);
	return dir_half_done(h, dir_set_indexed(h, dir, true));
}
