/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Entries of one directory block, and the checksums of all kinds of directory blocks.
 *
 * Invariants
 * 1. A block from the drive is checked whole before anybody sees it: the chain of rec_len fills
 *    it exactly, every name fits its record and is a possible name, the checksum is right.
 * 2. Nothing below relies on 1 for its memory safety: a hostile drive may have given one block
 *    to two owners, so each step of the cursor checks the lengths again.
 * 3. Bytes of a removed name do not stay behind.
 *
 * With metadata_csum the content tells index blocks from entry blocks: the entries of the latter
 * end at the tail, so none reaches the end of the block.
 */
#include "ext4/dirblock.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define DIRENT_TAIL_TYPE 0xde

struct dirent_tail_disk {
	le32 zero;
	le16 rec_len;
	uint8_t name_len, file_type;
	le32 checksum;
};

struct dx_tail_disk {
	le32 reserved;
	le32 checksum;
};

static uint32_t rec_len_get(const struct e4_fs *fs, le16 raw)
{
	uint32_t len = le16_get(raw);

	if (fs->block_bytes < 65536)
		return len;
	if (len == 0 || len == 65535)
		return fs->block_bytes;
	return (len & ~3u) | (len & 3) << 16;
}

static le16 rec_len_make(uint32_t len)
{
	return le16_make(len < 65536 ? (uint16_t)len : 65535);
}

static struct dirent_disk *entry_at(uint8_t *data, uint32_t off)
{
	return (struct dirent_disk *)(data + off);
}

static bool is_node(const struct e4_fs *fs, const uint8_t *data)
{
	const struct dirent_disk *fake = (const struct dirent_disk *)data;

	return le32_get(fake->inode) == 0 && fake->name_len == 0 &&
	       rec_len_get(fs, fake->rec_len) == fs->block_bytes;
}

static bool is_root(const struct e4_fs *fs, const uint8_t *data)
{
	const struct dirent_disk *dot = (const struct dirent_disk *)data;
	const struct dirent_disk *dotdot = (const struct dirent_disk *)(data + DIRENT_MIN_BYTES);

	return rec_len_get(fs, dot->rec_len) == DIRENT_MIN_BYTES && dirent_is_dot(dot) &&
	       rec_len_get(fs, dotdot->rec_len) == fs->block_bytes - DIRENT_MIN_BYTES &&
	       dirent_is_dotdot(dotdot);
}

bool dirblock_is_index(const struct e4_fs *fs, const uint8_t *data)
{
	return fs_has_csum(fs) && (is_node(fs, data) || is_root(fs, data));
}

/* Where the chain of entries ends. */
static uint32_t chain_end(const struct e4_fs *fs, const uint8_t *data)
{
	if (!fs_has_csum(fs) || dirblock_is_index(fs, data))
		return fs->block_bytes;
	return fs->block_bytes - DIRENT_TAIL_BYTES;
}

/* How long the entry is, of which `room` bytes lie inside the chain; 0: that cannot be. Searching a block is mostly this. */
static inline uint32_t record_bytes(const struct e4_fs *fs, const struct dirent_disk *entry, uint32_t room)
{
	uint32_t rec_len;

	/* also catches a tail that a foreign owner has overwritten */
	if (room < DIRENT_MIN_BYTES)
		return 0;
	rec_len = rec_len_get(fs, entry->rec_len);
	if (rec_len < DIRENT_MIN_BYTES || rec_len & 3 || rec_len > room || rec_len < dirent_bytes(entry->name_len))
		return 0;
	return rec_len;
}

static inline int next(struct dirblock_cursor *cursor)
{
	uint32_t off = cursor->next_off, rec_len;
	struct dirent_disk *entry = entry_at(cursor->data, off);

	if (off == cursor->end)
		return 0;
	rec_len = off < cursor->end ? record_bytes(cursor->fs, entry, cursor->end - off) : 0;
	if (!rec_len)
		return -EUCLEAN;
	cursor->prev_off = cursor->entry ? cursor->off : off;
	cursor->off = off;
	cursor->next_off = off + rec_len;
	cursor->rec_len = rec_len;
	cursor->entry = entry;
	return 1;
}

static void find_end(struct dirblock_cursor *cursor)
{
	if (!cursor->end)
		cursor->end = chain_end(cursor->fs, cursor->data);
}

int dirblock_next(struct dirblock_cursor *cursor)
{
	find_end(cursor);
	return next(cursor);
}

bool dirent_is_named(const struct dirent_disk *entry, const char *name, size_t name_len)
{
	/* names of one folder rather begin alike than end alike */
	return entry->name_len == name_len && entry->name[name_len - 1] == name[name_len - 1] &&
	       le32_get(entry->inode) != 0 && !memcmp(entry->name, name, name_len);
}

int dirblock_find(const struct e4_fs *fs, uint8_t *data, const char *name, size_t name_len,
	struct dirblock_cursor *ret_cursor)
{
	struct dirblock_cursor cursor = {.fs = fs, .data = data, .end = chain_end(fs, data)};
	int r;

	while ((r = next(&cursor)) > 0) {
		if (!dirent_is_named(cursor.entry, name, name_len))
			continue;
		*ret_cursor = cursor;
		return 0;
	}
	return r < 0 ? r : -ENOENT;
}

static uint32_t entry_used_bytes(const struct dirent_disk *entry)
{
	return le32_get(entry->inode) ? dirent_bytes(entry->name_len) : 0;
}

int dirblock_room_in(struct dirblock_cursor *cursor, size_t name_len)
{
	const uint32_t wanted = dirent_bytes(name_len);
	struct dirblock_cursor at;
	int r;

	find_end(cursor);
	at = *cursor;
	while ((r = next(&at)) > 0)
		if (at.rec_len - entry_used_bytes(at.entry) >= wanted)
			break;
	*cursor = at;
	return r > 0 ? 0 : r < 0 ? r : -ENOSPC;
}

int dirblock_find_room(
	const struct e4_fs *fs, uint8_t *data, size_t name_len, struct dirblock_cursor *ret_cursor)
{
	*ret_cursor = (struct dirblock_cursor){.fs = fs, .data = data};
	return dirblock_is_index(fs, data) ? -ENOSPC : dirblock_room_in(ret_cursor, name_len);
}

static void entry_fill(struct dirent_disk *entry, uint32_t rec_len, const char *name,
	size_t name_len, uint32_t ino, uint8_t type)
{
	uint32_t bytes = dirent_bytes(name_len);

	entry->inode = le32_make(ino);
	entry->rec_len = rec_len_make(rec_len);
	entry->name_len = (uint8_t)name_len;
	entry->file_type = type;
	memcpy(entry->name, name, name_len);
	memset(entry->name + name_len, 0, bytes - DIRENT_HEADER_BYTES - name_len);
}

static uint8_t stored_type(const struct e4_fs *fs, uint8_t type)
{
	return fs_has_incompat(fs, EXT2_FEATURE_INCOMPAT_FILETYPE) ? type : 0;
}

void dirblock_insert(const struct dirblock_cursor *room, const char *name, size_t name_len,
	uint32_t ino, uint8_t type)
{
	uint32_t used = entry_used_bytes(room->entry);

	if (used)
		room->entry->rec_len = rec_len_make(used);
	entry_fill(entry_at(room->data, room->off + used), room->rec_len - used, name, name_len,
		ino, stored_type(room->fs, type));
}

void dirblock_remove(const struct dirblock_cursor *cursor)
{
	uint32_t merged = cursor->next_off - cursor->prev_off;

	memset(cursor->entry, 0, cursor->rec_len);
	entry_at(cursor->data, cursor->prev_off)->rec_len = rec_len_make(merged);
}

void dirblock_set_target(const struct dirblock_cursor *cursor, uint32_t ino, uint8_t type)
{
	cursor->entry->inode = le32_make(ino);
	cursor->entry->file_type = stored_type(cursor->fs, type);
}

void dirblock_build_begin(struct dirblock_builder *builder, const struct e4_fs *fs, uint8_t *data)
{
	*builder = (struct dirblock_builder){.fs = fs, .data = data};
	memset(data, 0, fs->block_bytes);
}

static uint32_t entries_bytes(const struct e4_fs *fs)
{
	return fs->block_bytes - (fs_has_csum(fs) ? DIRENT_TAIL_BYTES : 0);
}

int dirblock_build_add(struct dirblock_builder *builder, const char *name, size_t name_len,
	uint32_t ino, uint8_t type)
{
	uint32_t bytes = dirent_bytes(name_len);

	if (bytes > entries_bytes(builder->fs) - builder->used)
		return -EUCLEAN;
	entry_fill(entry_at(builder->data, builder->used), bytes, name, name_len, ino,
		stored_type(builder->fs, type));
	builder->last = builder->used;
	builder->used += bytes;
	return 0;
}

int dirblock_build_chain(struct dirblock_builder *builder, struct dirblock_cursor cursor)
{
	const uint32_t bytes = cursor.end;
	int r;

	if (bytes > entries_bytes(builder->fs) - builder->used)
		return -EUCLEAN;
	memcpy(builder->data + builder->used, cursor.data, bytes);
	while ((r = dirblock_next(&cursor)) > 0)
		builder->last = builder->used + cursor.off;
	builder->used += bytes;
	return r;
}

void dirblock_build_end(struct dirblock_builder *builder)
{
	uint32_t end = entries_bytes(builder->fs);

	entry_at(builder->data, builder->last)->rec_len = rec_len_make(end - builder->last);
	if (!fs_has_csum(builder->fs))
		return;
	*(struct dirent_tail_disk *)(builder->data + end) = (struct dirent_tail_disk){
		.rec_len = rec_len_make(DIRENT_TAIL_BYTES),
		.file_type = DIRENT_TAIL_TYPE,
	};
}

unsigned dirblock_dx_limit(const struct e4_fs *fs, uint32_t entries_off)
{
	uint32_t room = fs->block_bytes - entries_off - (fs_has_csum(fs) ? DX_TAIL_BYTES : 0);

	return room / sizeof(struct dx_entry_disk);
}

static void init_countlimit(const struct e4_fs *fs, uint8_t *data, uint32_t entries_off)
{
	struct dx_entry_disk *first = (struct dx_entry_disk *)(data + entries_off);

	first->countlimit.limit = le16_make((uint16_t)dirblock_dx_limit(fs, entries_off));
	first->countlimit.count = le16_make(0);
}

void dirblock_init_node(const struct e4_fs *fs, uint8_t *data)
{
	memset(data, 0, fs->block_bytes);
	entry_at(data, 0)->rec_len = rec_len_make(fs->block_bytes);
	init_countlimit(fs, data, DX_NODE_ENTRIES_OFF);
}

void dirblock_init_root(const struct e4_fs *fs, uint8_t *data, uint32_t ino, uint32_t parent_ino,
	uint8_t dir_type, uint8_t hash_version)
{
	struct dx_root_info_disk *info = (struct dx_root_info_disk *)(data + DX_ROOT_INFO_OFF);
	uint8_t type = stored_type(fs, dir_type);

	memset(data, 0, fs->block_bytes);
	entry_fill(entry_at(data, 0), DIRENT_MIN_BYTES, ".", 1, ino, type);
	entry_fill(entry_at(data, DIRENT_MIN_BYTES), fs->block_bytes - DIRENT_MIN_BYTES, "..", 2,
		parent_ino, type);
	info->hash_version = hash_version;
	info->info_length = sizeof(*info);
	init_countlimit(fs, data, DX_ROOT_ENTRIES_OFF);
}

/* ---- checksums and verification ---- */

static uint32_t leaf_checksum(struct e4_fs *fs, const struct buf *buf, const uint8_t *data)
{
	uint32_t seed = fs_inode_seed(fs, buf->owner_ino, buf->owner_generation);

	return fs_crc32c(seed, data, fs->block_bytes - DIRENT_TAIL_BYTES);
}

/* The tail stands behind `limit` entries; the checksum covers what `count` entries use, and the
 * tail with its own field as zero. NULL when limit or count is impossible. */
static struct dx_tail_disk *index_checksum(
	struct e4_fs *fs, const struct buf *buf, uint8_t *data, uint32_t *ret_checksum)
{
	uint32_t entries_off = is_node(fs, data) ? DX_NODE_ENTRIES_OFF : DX_ROOT_ENTRIES_OFF;
	const struct dx_entry_disk *first = (const struct dx_entry_disk *)(data + entries_off);
	unsigned limit = le16_get(first->countlimit.limit);
	unsigned count = le16_get(first->countlimit.count);
	const le32 zero = le32_make(0);

	if (limit > dirblock_dx_limit(fs, entries_off) || count > limit)
		return NULL;

	struct dx_tail_disk *tail = (struct dx_tail_disk *)(first + limit);
	uint32_t crc = fs_inode_seed(fs, buf->owner_ino, buf->owner_generation);

	crc = fs_crc32c(crc, data, entries_off + count * sizeof(*first));
	crc = fs_crc32c(crc, tail, offsetof(struct dx_tail_disk, checksum));
	*ret_checksum = fs_crc32c(crc, &zero, sizeof(zero));
	return tail;
}

static void dirblock_seal(struct e4_fs *fs, struct buf *buf, void *data)
{
	uint32_t checksum;

	if (!fs_has_csum(fs))
		return;
	if (dirblock_is_index(fs, data)) {
		struct dx_tail_disk *tail = index_checksum(fs, buf, data, &checksum);

		if (tail)
			tail->checksum = le32_make(checksum);
		return;
	}
	struct dirent_tail_disk *tail =
		(struct dirent_tail_disk *)((uint8_t *)data + fs->block_bytes - DIRENT_TAIL_BYTES);
	tail->checksum = le32_make(leaf_checksum(fs, buf, data));
}

static const char *verify_checksum(struct e4_fs *fs, struct buf *buf)
{
	if (dirblock_is_index(fs, buf->data)) {
		uint32_t checksum;
		const struct dx_tail_disk *tail = index_checksum(fs, buf, buf->data, &checksum);

		if (!tail)
			return "impossible index";
		return le32_get(tail->checksum) == checksum ? NULL : "wrong index checksum";
	}
	const struct dirent_tail_disk *tail =
		(const struct dirent_tail_disk *)(buf->data + fs->block_bytes - DIRENT_TAIL_BYTES);

	if (le32_get(tail->zero) || le16_get(tail->rec_len) != DIRENT_TAIL_BYTES ||
		tail->name_len || tail->file_type != DIRENT_TAIL_TYPE)
		return "no room for a checksum";
	if (le32_get(tail->checksum) != leaf_checksum(fs, buf, buf->data))
		return "wrong checksum";
	return NULL;
}

const char *dirblock_check(struct dirblock_cursor cursor)
{
	int r;

	while ((r = dirblock_next(&cursor)) > 0) {
		const struct dirent_disk *entry = cursor.entry;
		uint32_t ino = le32_get(entry->inode);

		if (ino == 0)
			continue;
		if (ino > cursor.fs->inodes_count)
			return "inode number out of range";
		if (entry->name_len == 0 || memchr(entry->name, '/', entry->name_len) ||
			memchr(entry->name, 0, entry->name_len))
			return "impossible name";
	}
	return r < 0 ? "bad record length" : NULL;
}

static int dirblock_verify(struct e4_fs *fs, struct buf *buf)
{
	const char *wrong = fs_has_csum(fs) ? verify_checksum(fs, buf) : NULL;

	if (!wrong)
		wrong = dirblock_check((struct dirblock_cursor){.fs = fs, .data = buf->data});
	if (!wrong)
		return 0;
	return fs_damaged(fs, "directory %u, block %llu: %s", buf->owner_ino,
		(unsigned long long)buf->block, wrong);
}

const struct buf_type dirblock_type = {
	.name = "directory block",
	.verify = dirblock_verify,
	.seal = dirblock_seal,
};
