/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The index of a hashed directory: adding names. Removing one changes only its leaf.
 *
 * A full leaf is split in two by hash, a full index block in two halves, and when the root is full
 * its entries move to a new block below it. Each of these steps leaves a complete, valid tree,
 * so an insertion that finds no space half-way has lost nothing; and each appends its new block,
 * the only thing that can run out of space, before it changes anything else.
 */
#include <errno.h>

#include "ext4/htree.h"

#define HASH_CONTINUED 1u
#define DX_LBLK_MAX 0x0fffffffu

enum {
	MAX_SPLITS = HTREE_MAX_LEVELS + 1, /* of one insertion */
};

struct split_item {
	uint32_t hash;
	uint32_t off, bytes;
};

/* Splits of index blocks on all levels but the root (or a new level instead of the first), and
 * the leaf's; a conversion needs two. */
unsigned htree_max_appends(const struct e4_fs *fs)
{
	return htree_max_levels(fs);
}

static int damaged(struct e4_inode *dir)
{
	return fs_damaged(dir->fs, "directory %u: damaged index", dir->ino);
}

static unsigned entries_count(const struct dx_entry_disk *entries)
{
	return le16_get(entries[0].countlimit.count);
}

static unsigned entries_limit(const struct dx_entry_disk *entries)
{
	return le16_get(entries[0].countlimit.limit);
}

static void entries_set_count(struct dx_entry_disk *entries, unsigned count)
{
	entries[0].countlimit.count = le16_make((uint16_t)count);
}

static struct dx_entry_disk *node_entries(struct buf *buf)
{
	return (struct dx_entry_disk *)(buf->data + DX_NODE_ENTRIES_OFF);
}

static bool frame_is_full(const struct htree_frame *frame)
{
	return entries_count(frame->entries) >= entries_limit(frame->entries);
}

/* Adds (hash, lblk) behind the entry that the path follows. The frame is modified and not full. */
static void frame_insert(struct htree_frame *frame, uint32_t hash, uint32_t lblk)
{
	unsigned count = entries_count(frame->entries), at = frame->at + 1;

	memmove(frame->entries + at + 1, frame->entries + at,
		(count - at) * sizeof(*frame->entries));
	frame->entries[at].hash = le32_make(hash);
	frame->entries[at].block = le32_make(lblk);
	entries_set_count(frame->entries, count + 1);
}

/* Appends a block that is none of those in use here, however the drive may lie. */
static int append_distinct(struct handle *h, const struct htree_path *path, const struct buf *leaf,
	uint32_t *ret_lblk, struct buf **ret_buf)
{
	CLEANUP_BUF struct buf *buf = NULL;
	uint32_t lblk;
	uint32_t blocks;
	int r = dir_blocks(path->dir, &blocks);

	if (r < 0)
		return r;
	if (blocks > DX_LBLK_MAX)
		return -ENOSPC;
	r = dir_append(h, path->dir, &lblk, &buf);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < path->levels; i++)
		if (path->frames[i].buf == buf)
			return damaged(path->dir);
	if (leaf == buf)
		return damaged(path->dir);
	*ret_lblk = lblk;
	*ret_buf = take_ptr(buf);
	return 0;
}

/* ---- leaves ---- */

static int compare_items(const void *a, const void *b)
{
	const struct split_item *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->off < y->off ? -1 : x->off > y->off;
}

/* The leaf's entries in hash order. */
static int collect_items(const struct htree_path *path, struct buf *leaf, struct split_item *items,
	unsigned *ret_count)
{
	struct dirblock_cursor cursor = {.fs = path->dir->fs, .data = leaf->data};
	unsigned count = 0;
	int r;

	while ((r = dirblock_next(&cursor)) > 0) {
		struct split_item *item = &items[count];
		uint32_t minor;

		if (le32_get(cursor.entry->inode) == 0)
			continue;
		item->off = cursor.off;
		item->bytes = dirent_bytes(cursor.entry->name_len);
		r = htree_hash(path->dir->fs, path->version, cursor.entry->name,
			cursor.entry->name_len, &item->hash, &minor);
		if (r < 0)
			return r;
		count++;
	}
	if (r < 0 || count < 2) /* two names always fit, so fewer cannot fill a block */
		return damaged(path->dir);
	qsort(items, count, sizeof(*items), compare_items);
	*ret_count = count;
	return 0;
}

/* The first item of the upper half: the halves are about equal in bytes. */
static unsigned split_point(const struct e4_fs *fs, const struct split_item *items, unsigned count)
{
	uint32_t bytes = 0, half = fs->block_bytes / 2;
	unsigned i = count;

	while (i > 1 && bytes + items[i - 1].bytes / 2 <= half)
		bytes += items[--i].bytes;
	/* about half a block in all: it was full only because its room is scattered */
	if (i == 1 && bytes + items[0].bytes / 2 <= half)
		return count / 2;
	return i;
}

static int build_half(const struct e4_fs *fs, const uint8_t *from, const struct split_item *items,
	unsigned count, uint8_t *to)
{
	struct dirblock_builder builder;
	int r = 0;

	dirblock_build_begin(&builder, fs, to);
	for (unsigned i = 0; r == 0 && i < count; i++) {
		const struct dirent_disk *entry = (const struct dirent_disk *)(from + items[i].off);

		r = dirblock_build_add(&builder, entry->name, entry->name_len,
			le32_get(entry->inode), entry->file_type);
	}
	dirblock_build_end(&builder);
	return r;
}

/* Moves the upper half of a leaf to a new block behind it. The lowest frame has room. */
static int split_leaf(struct handle *h, struct htree_path *path, struct buf *leaf)
{
	struct e4_fs *fs = path->dir->fs;
	struct htree_frame *frame = &path->frames[path->levels - 1];
	CLEANUP_FREE struct split_item *items =
		calloc(fs->block_bytes / DIRENT_MIN_BYTES, sizeof(*items));
	CLEANUP_FREE uint8_t *halves = malloc(2 * (size_t)fs->block_bytes);
	CLEANUP_BUF struct buf *added = NULL;
	uint32_t lblk;
	unsigned count = 0;

	if (!items || !halves)
		return -ENOMEM;

	int r = collect_items(path, leaf, items, &count);

	if (r < 0)
		return r;

	unsigned split = split_point(fs, items, count);
	uint32_t hash = items[split].hash;

	if (hash == items[split - 1].hash)
		hash |= HASH_CONTINUED;
	r = build_half(fs, leaf->data, items, split, halves);
	if (r == 0)
		r = build_half(
			fs, leaf->data, items + split, count - split, halves + fs->block_bytes);
	if (r == 0)
		r = buf_modify(h, leaf);
	if (r == 0)
		r = buf_modify(h, frame->buf);
	if (r == 0)
		r = append_distinct(h, path, leaf, &lblk, &added);
	if (r < 0)
		return r;
	memcpy(leaf->data, halves, fs->block_bytes);
	memcpy(added->data, halves + fs->block_bytes, fs->block_bytes);
	frame_insert(frame, hash, lblk);
	return 0;
}

/* ---- index blocks ---- */

/* Moves the root's entries to a new block, the root's only child. */
static int add_level(struct handle *h, struct htree_path *path)
{
	struct htree_frame *root = &path->frames[0];
	CLEANUP_BUF struct buf *added = NULL;
	unsigned count = entries_count(root->entries);
	uint32_t lblk;

	if (path->levels >= htree_max_levels(path->dir->fs))
		return -ENOSPC;

	int r = buf_modify(h, root->buf);

	if (r == 0)
		r = append_distinct(h, path, NULL, &lblk, &added);
	if (r < 0)
		return r;
	dirblock_init_node(path->dir->fs, added->data);

	struct dx_entry_disk *to = node_entries(added);
	struct dx_root_info_disk *info =
		(struct dx_root_info_disk *)(root->buf->data + DX_ROOT_INFO_OFF);

	to[0].block = root->entries[0].block;
	memcpy(to + 1, root->entries + 1, (count - 1) * sizeof(*to));
	entries_set_count(to, count);
	memset(root->entries + 1, 0, (count - 1) * sizeof(*to));
	root->entries[0].block = le32_make(lblk);
	entries_set_count(root->entries, 1);
	info->indirect_levels++;
	return 0;
}

/* Moves the upper half of index block i to a new one; the frame above has room. */
static int split_index(struct handle *h, struct htree_path *path, unsigned i)
{
	struct htree_frame *frame = &path->frames[i], *up = &path->frames[i - 1];
	unsigned count = entries_count(frame->entries), keep = count / 2;
	CLEANUP_BUF struct buf *added = NULL;
	uint32_t lblk, hash = le32_get(frame->entries[keep].hash);
	int r = buf_modify(h, frame->buf);

	if (r == 0)
		r = buf_modify(h, up->buf);
	if (r == 0)
		r = append_distinct(h, path, NULL, &lblk, &added);
	if (r < 0)
		return r;
	dirblock_init_node(path->dir->fs, added->data);

	struct dx_entry_disk *to = node_entries(added);

	to[0].block = frame->entries[keep].block;
	memcpy(to + 1, frame->entries + keep + 1, (count - keep - 1) * sizeof(*to));
	entries_set_count(to, count - keep);
	memset(frame->entries + keep, 0, (count - keep) * sizeof(*to));
	entries_set_count(frame->entries, keep);
	frame_insert(up, hash, lblk);
	return 0;
}

/* Makes room in the index, one step of it; the caller walks down again. */
static int grow_index(struct handle *h, struct htree_path *path)
{
	for (unsigned i = path->levels - 1; i > 0; i--)
		if (!frame_is_full(&path->frames[i - 1]))
			return split_index(h, path, i);
	return add_level(h, path);
}

/* A path that is safe to change: no buffer on it twice, even if the drive maps one block twice. */
static bool path_is_distinct(const struct htree_path *path, const struct buf *leaf)
{
	for (unsigned i = 0; i < path->levels; i++) {
		if (path->frames[i].buf == leaf)
			return false;
		for (unsigned j = 0; j < i; j++)
			if (path->frames[i].buf == path->frames[j].buf)
				return false;
	}
	return true;
}

/* 0: inserted. -ENOSPC and *ret_grown: walk down again. */
static int insert_once(struct handle *h, struct e4_inode *dir, const char *name, size_t name_len,
	uint32_t ino, uint8_t type, bool *ret_grown)
{
	CLEANUP_HTREE struct htree_path path = {0};
	CLEANUP_BUF struct buf *leaf = NULL;
	struct dirblock_cursor room;
	uint32_t major, minor;
	int r = htree_open(dir, &path);

	if (r == 0)
		r = htree_hash(dir->fs, path.version, name, name_len, &major, &minor);
	if (r == 0)
		r = htree_descend(&path, major);
	if (r == 0)
		r = dir_block_get(dir, htree_leaf_lblk(&path), &leaf);
	if (r)
		return r;
	if (!path_is_distinct(&path, leaf))
		return HTREE_BAD;
	r = dirblock_find_room(dir->fs, leaf->data, name_len, &room);
	if (r == 0) {
		r = buf_modify(h, leaf);
		if (r == 0)
			dirblock_insert(&room, name, name_len, ino, type);
		return r;
	}
	if (r != -ENOSPC)
		return r;
	r = frame_is_full(&path.frames[path.levels - 1]) ? grow_index(h, &path)
							 : split_leaf(h, &path, leaf);
	if (r < 0)
		return r;
	*ret_grown = true;
	return -ENOSPC;
}

int htree_insert(struct handle *h, struct e4_inode *dir, const char *name, size_t name_len,
	uint32_t ino, uint8_t type)
{
	for (unsigned i = 0; i <= MAX_SPLITS; i++) {
		bool grown = false;
		int r = insert_once(h, dir, name, name_len, ino, type, &grown);

		if (r != -ENOSPC || !grown)
			return r;
	}
	return damaged(dir);
}
