/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One directory block: a chain of entries that fills the block, with metadata_csum up to a tail of
 * 12 bytes. Index blocks of an htree look like a chain without used entries. Private to ext4/.
 *
 * Kernel documentation: Documentation/filesystems/ext4/directory.rst.
 */
#ifndef EXT4_DIRBLOCK_H
#define EXT4_DIRBLOCK_H

#include "ext4/cache.h"

struct dirent_disk {
	le32 inode; /* 0: unused */
	le16 rec_len;
	uint8_t name_len;
	uint8_t file_type; /* EXT2_FT_*; 0 without the filetype feature */
	char name[];
};

enum {
	DIRENT_HEADER_BYTES = 8,
	DIRENT_MIN_BYTES = 12,
	DIRENT_TAIL_BYTES = 12,
};

/* Room that an entry with such a name needs. */
static inline uint32_t dirent_bytes(size_t name_len)
{
	return (DIRENT_HEADER_BYTES + (uint32_t)name_len + 3) & ~3u;
}

/* Every block of a directory, entries and index alike. */
extern const struct buf_type dirblock_type;

/* Walks over the entries of a block, unused ones included. Start with {.fs, .data}. */
struct dirblock_cursor {
	const struct e4_fs *fs;
	uint8_t *data;
	struct dirent_disk *entry; /* current */
	uint32_t off, rec_len;	   /* of entry */
	uint32_t prev_off;	   /* of the entry before; equal to off for the first */
	uint32_t next_off;
	uint32_t end; /* of the chain; 0 to begin with: a whole block's */
};
/* What is wrong with lengths and names of a chain; NULL: nothing. */
const char *dirblock_check(struct dirblock_cursor cursor);
/* 1: cursor stands on the next entry, whose lengths lie inside the block; 0: end; -EUCLEAN. */
int dirblock_next(struct dirblock_cursor *cursor) MUST_CHECK;

static inline bool dirent_is_dot(const struct dirent_disk *entry)
{
	return entry->name_len == 1 && entry->name[0] == '.';
}

static inline bool dirent_is_dotdot(const struct dirent_disk *entry)
{
	return entry->name_len == 2 && entry->name[0] == '.' && entry->name[1] == '.';
}

bool dirent_is_named(const struct dirent_disk *entry, const char *name, size_t name_len);

/* Whether the volume's checksums mark this block as an index block. Without checksums an empty
 * block of entries looks the same, so the answer is always no. */
bool dirblock_is_index(const struct e4_fs *fs, const uint8_t *data);

/* -ENOENT, -EUCLEAN; the cursor stands on the entry. */
int dirblock_find(const struct e4_fs *fs, uint8_t *data, const char *name, size_t name_len,
	struct dirblock_cursor *ret_cursor) MUST_CHECK;
/* An entry that can give up room for a name. -ENOSPC, -EUCLEAN. */
int dirblock_find_room(const struct e4_fs *fs, uint8_t *data, size_t name_len,
	struct dirblock_cursor *ret_cursor) MUST_CHECK;
/* The same from the cursor on, which then stands there. */
int dirblock_room_in(struct dirblock_cursor *cursor, size_t name_len) MUST_CHECK;
/* Takes the room that they found. */
void dirblock_insert(const struct dirblock_cursor *room, const char *name, size_t name_len,
	uint32_t ino, uint8_t type);
/* Merges the entry into the one before it; its bytes are wiped. */
void dirblock_remove(const struct dirblock_cursor *cursor);
void dirblock_set_target(const struct dirblock_cursor *cursor, uint32_t ino, uint8_t type);

/* Builds a block from entries, packed, the rest left to the last one. */
struct dirblock_builder {
	const struct e4_fs *fs;
	uint8_t *data;
	uint32_t used, last;
};
void dirblock_build_begin(struct dirblock_builder *builder, const struct e4_fs *fs, uint8_t *data);
/* -EUCLEAN: no room. */
int dirblock_build_add(struct dirblock_builder *builder, const char *name, size_t name_len,
	uint32_t ino, uint8_t type) MUST_CHECK;
/* All of a chain as it stands, unused entries included. -EUCLEAN: no room, or damaged. */
int dirblock_build_chain(struct dirblock_builder *builder, struct dirblock_cursor cursor) MUST_CHECK;
void dirblock_build_end(struct dirblock_builder *builder);

/* ---- index blocks ---- */

struct dx_countlimit_disk {
	le16 limit, count;
};

/* The first one's hash field holds the block's limit and count instead. */
struct dx_entry_disk {
	union {
		le32 hash;
		struct dx_countlimit_disk countlimit;
	};
	le32 block;
};

struct dx_root_info_disk {
	le32 reserved_zero;
	uint8_t hash_version, info_length, indirect_levels, unused_flags;
};

enum {
	DX_ROOT_INFO_OFF = 24,
	DX_ROOT_ENTRIES_OFF = 32,
	DX_NODE_ENTRIES_OFF = 8,
	DX_TAIL_BYTES = 8,
};

/* Entries that fit behind entries_off. */
unsigned dirblock_dx_limit(const struct e4_fs *fs, uint32_t entries_off);
/* An empty index node: the fake entry and the limit, count 0. */
void dirblock_init_node(const struct e4_fs *fs, uint8_t *data);
/* Turns data into the root of an htree: "." and "..", the info, limit, count 0. */
void dirblock_init_root(const struct e4_fs *fs, uint8_t *data, uint32_t ino, uint32_t parent_ino,
	uint8_t dir_type, uint8_t hash_version);

#endif
