/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hashed directories: an index of up to three levels over blocks of entries, in hash order.
 * Private to ext4/. Locks as in dir.h.
 *
 * An index that makes no sense gives HTREE_BAD instead of -EUCLEAN: names are still found by
 * reading all blocks, but nothing may be added by it.
 */
#ifndef EXT4_HTREE_H
#define EXT4_HTREE_H

#include "ext4/dir.h"

enum {
	HTREE_BAD = 1,
	HTREE_MAX_LEVELS = 3, /* 2 without large_dir */
};
#define HTREE_HASH_MAX 0xfffffffcu /* readers of the kernel use what is above as end mark */

unsigned htree_max_levels(const struct e4_fs *fs);

struct htree_frame {
	struct buf *buf;
	uint32_t lblk;
	struct dx_entry_disk *entries;
	unsigned at; /* index of the entry that was followed */
};

/* From the root to the index block that names the leaf. */
struct htree_path {
	struct e4_inode *dir;
	int version;	 /* EXT2_HASH_*, signedness included */
	unsigned levels; /* frames in use when descended */
	struct htree_frame frames[HTREE_MAX_LEVELS];
};

/* major as in the index: even, up to HTREE_HASH_MAX. -EUCLEAN for an unknown version. */
int htree_hash(const struct e4_fs *fs, int version, const char *name, size_t name_len,
	uint32_t *ret_major, uint32_t *ret_minor) MUST_CHECK;

/* Reads and checks the root. 0, HTREE_BAD or a failure. path is to be closed in any case. */
int htree_open(struct e4_inode *dir, struct htree_path *path) MUST_CHECK;
/* From the root to the first leaf that may hold major. 0, HTREE_BAD or a failure. */
int htree_descend(struct htree_path *path, uint32_t major) MUST_CHECK;
/* To the next leaf: 1, and its lowest hash (bit 0: continues the one before); 0: there is none. */
int htree_next_leaf(struct htree_path *path, uint32_t *ret_first_hash) MUST_CHECK;
/* The hash at which the next leaf starts; false: this is the last one. */
bool htree_peek_next(const struct htree_path *path, uint32_t *ret_first_hash);
/* The lowest hash that belongs into the leaf, as htree_next_leaf() gives it. */
uint32_t htree_leaf_hash(const struct htree_path *path);
uint32_t htree_leaf_lblk(const struct htree_path *path);
void htree_close(struct htree_path *path);

static inline void cleanup_htree_path(struct htree_path *path)
{
	htree_close(path);
}
#define CLEANUP_HTREE CLEANUP(cleanup_htree_path)

/* 0, -ENOENT, HTREE_BAD or a failure. */
int htree_find(struct e4_inode *dir, const char *name, size_t name_len,
	struct dir_place *ret_place) MUST_CHECK;
/* 0, -ENOSPC, HTREE_BAD (nothing changed) or a failure. */
int htree_insert(struct handle *h, struct e4_inode *dir, const char *name, size_t name_len,
	uint32_t ino, uint8_t type) MUST_CHECK;
/* Makes a directory of one full block an indexed one; -EOPNOTSUPP: its hash is unknown. */
int htree_convert(struct handle *h, struct e4_inode *dir) MUST_CHECK;
/* Blocks that one insertion may append, and blocks it may change besides. */
unsigned htree_max_appends(const struct e4_fs *fs);
enum { HTREE_CHANGE_CREDITS = HTREE_MAX_LEVELS + 1 };

#endif
