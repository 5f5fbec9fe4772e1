/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The index of a hashed directory: walking it. Changing it is in htree-grow.c.
 *
 *	root (block 0): ".", "..", info, entries (hash -> block)
 *	  node: entries (hash -> block)		up to HTREE_MAX_LEVELS levels with the root
 *	    leaf: names, in no order
 *
 * Invariants
 * 1. An entry's hash is the lowest hash of its subtree; the first entry of a block has none (0, or
 *    what its parent says). Bit 0 marks a subtree whose first hash also ends the one before.
 * 2. Limit, count and block numbers come from the drive: limits are checked against the geometry
 *    when a frame is entered, a block never appears twice on a path, and no walk over leaves
 *    takes more steps than the directory has blocks.
 */
#include "ext4/htree.h"

#include <errno.h>
#include <ext2fs/ext2fs.h>

#define DX_BLOCK_MASK 0x0fffffffu
#define HASH_CONTINUED 1u

int htree_hash(const struct e4_fs *fs, int version, const char *name, size_t name_len,
	uint32_t *ret_major, uint32_t *ret_minor)
{
	ext2_dirhash_t major, minor = 0;

	if (version < EXT2_HASH_LEGACY || version > EXT2_HASH_TEA_UNSIGNED)
		return -EUCLEAN;
	if (ext2fs_dirhash(version, name, (int)name_len, fs->hash_seed, &major, &minor))
		return -EUCLEAN;
	major &= ~HASH_CONTINUED;
	*ret_major = major > HTREE_HASH_MAX ? HTREE_HASH_MAX : major;
	*ret_minor = minor;
	return 0;
}

/* The version in the root says nothing of the sign of characters; the super block does. */
static int effective_version(const struct e4_fs *fs, uint8_t version)
{
	if (version > EXT2_HASH_TEA)
		return -1;
	if (fs->default_hash_version >= EXT2_HASH_LEGACY_UNSIGNED &&
		fs->default_hash_version <= EXT2_HASH_TEA_UNSIGNED)
		return version + EXT2_HASH_LEGACY_UNSIGNED;
	return version;
}

unsigned htree_max_levels(const struct e4_fs *fs)
{
	return fs_has_incompat(fs, EXT4_FEATURE_INCOMPAT_LARGEDIR) ? HTREE_MAX_LEVELS
								   : HTREE_MAX_LEVELS - 1;
}

static unsigned frame_count(const struct htree_frame *frame)
{
	return le16_get(frame->entries[0].countlimit.count);
}

static uint32_t frame_hash(const struct htree_frame *frame, unsigned i)
{
	return le32_get(frame->entries[i].hash);
}

static uint32_t frame_block(const struct htree_frame *frame, unsigned i)
{
	return le32_get(frame->entries[i].block) & DX_BLOCK_MASK;
}

void htree_close(struct htree_path *path)
{
	for (unsigned i = 0; i < HTREE_MAX_LEVELS; i++)
		buf_put(take_ptr(path->frames[i].buf));
}

/* Reads an index block into frame i. HTREE_BAD when its limit or count is wrong. */
static int frame_enter(struct htree_path *path, unsigned i, uint32_t lblk)
{
	const struct e4_fs *fs = path->dir->fs;
	uint32_t entries_off = i == 0 ? DX_ROOT_ENTRIES_OFF : DX_NODE_ENTRIES_OFF;
	struct htree_frame *frame = &path->frames[i];

	buf_put(take_ptr(frame->buf));
	for (unsigned above = 0; above < i; above++)
		if (path->frames[above].lblk == lblk)
			return HTREE_BAD;

	int r = dir_block_get(path->dir, lblk, &frame->buf);

	if (r < 0)
		return r;
	frame->lblk = lblk;
	frame->at = 0;
	frame->entries = (struct dx_entry_disk *)(frame->buf->data + entries_off);
	if (fs_has_csum(fs) && !dirblock_is_index(fs, frame->buf->data))
		return HTREE_BAD;

	unsigned limit = dirblock_dx_limit(fs, entries_off);

	if (le16_get(frame->entries[0].countlimit.limit) != limit || frame_count(frame) == 0 ||
		frame_count(frame) > limit)
		return HTREE_BAD;
	return 0;
}

int htree_open(struct e4_inode *dir, struct htree_path *path)
{
	*path = (struct htree_path){.dir = dir};

	int r = frame_enter(path, 0, 0);

	if (r)
		return r;

	const struct dx_root_info_disk *info =
		(const struct dx_root_info_disk *)(path->frames[0].buf->data + DX_ROOT_INFO_OFF);

	path->version = effective_version(dir->fs, info->hash_version);
	path->levels = info->indirect_levels + 1u;
	if (le32_get(info->reserved_zero) || info->info_length != sizeof(*info) ||
		info->unused_flags & 1 || path->version < 0 ||
		path->levels > htree_max_levels(dir->fs))
		return HTREE_BAD;
	return 0;
}

/* Index of the last entry whose hash is not above major; the first entry's counts as 0. */
static unsigned frame_search(const struct htree_frame *frame, uint32_t major)
{
	unsigned low = 1, high = frame_count(frame);

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (frame_hash(frame, middle) > major)
			high = middle;
		else
			low = middle + 1;
	}
	return low - 1;
}

uint32_t htree_leaf_lblk(const struct htree_path *path)
{
	const struct htree_frame *frame = &path->frames[path->levels - 1];

	return frame_block(frame, frame->at);
}

uint32_t htree_leaf_hash(const struct htree_path *path)
{
	for (unsigned i = path->levels; i-- > 0;)
		if (path->frames[i].at > 0)
			return frame_hash(&path->frames[i], path->frames[i].at);
	return 0;
}

/* A leaf that is an index block on its own path. */
static bool leaf_is_bad(const struct htree_path *path)
{
	for (unsigned i = 0; i < path->levels; i++)
		if (path->frames[i].lblk == htree_leaf_lblk(path))
			return true;
	return false;
}

int htree_descend(struct htree_path *path, uint32_t major)
{
	for (unsigned i = 0; i < path->levels; i++) {
		if (i > 0) {
			const struct htree_frame *up = &path->frames[i - 1];
			int r = frame_enter(path, i, frame_block(up, up->at));

			if (r)
				return r;
		}
		path->frames[i].at = frame_search(&path->frames[i], major);
	}
	return leaf_is_bad(path) ? HTREE_BAD : 0;
}

/* The lowest level on which there is an entry behind the current one; -1: none. */
static int level_with_next(const struct htree_path *path)
{
	for (int i = (int)path->levels - 1; i >= 0; i--)
		if (path->frames[i].at + 1 < frame_count(&path->frames[i]))
			return i;
	return -1;
}

bool htree_peek_next(const struct htree_path *path, uint32_t *ret_first_hash)
{
	int level = level_with_next(path);

	if (level < 0)
		return false;
	*ret_first_hash = frame_hash(&path->frames[level], path->frames[level].at + 1);
	return true;
}

int htree_next_leaf(struct htree_path *path, uint32_t *ret_first_hash)
{
	int level = level_with_next(path);

	if (level < 0)
		return 0;

	uint32_t first_hash = frame_hash(&path->frames[level], ++path->frames[level].at);

	for (unsigned i = (unsigned)level + 1; i < path->levels; i++) {
		const struct htree_frame *up = &path->frames[i - 1];
		int r = frame_enter(path, i, frame_block(up, up->at));

		if (r)
			return r < 0 ? r : -EUCLEAN;
	}
	if (leaf_is_bad(path))
		return fs_damaged(path->dir->fs, "directory %u: damaged index", path->dir->ino);
	*ret_first_hash = first_hash;
	return 1;
}

/* Steps to the next leaf if the names with this hash go on there. */
static int next_of_same_hash(struct htree_path *path, uint32_t major)
{
	uint32_t first_hash;

	if (!htree_peek_next(path, &first_hash) || first_hash != (major | HASH_CONTINUED))
		return 0;
	return htree_next_leaf(path, &first_hash);
}

int htree_find(struct e4_inode *dir, const char *name, size_t name_len, struct dir_place *ret_place)
{
	CLEANUP_HTREE struct htree_path path = {0};
	uint32_t blocks, major, minor;
	int r = dir_blocks(dir, &blocks);

	if (r == 0)
		r = htree_open(dir, &path);
	if (r == 0)
		r = htree_hash(dir->fs, path.version, name, name_len, &major, &minor);
	if (r == 0)
		r = htree_descend(&path, major);
	if (r)
		return r;
	do {
		CLEANUP_BUF struct buf *buf = NULL;

		r = dir_block_get(dir, htree_leaf_lblk(&path), &buf);
		if (r == 0)
			r = dirblock_find(dir->fs, buf->data, name, name_len, &ret_place->cursor);
		if (r == 0)
			ret_place->buf = take_ptr(buf);
		if (r != -ENOENT)
			return r;
		r = next_of_same_hash(&path, major);
	} while (r > 0 && --blocks > 0);
	return r < 0 ? r : -ENOENT;
}
