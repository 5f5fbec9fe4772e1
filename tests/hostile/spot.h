/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the metadata of an image lies. Found by libext2fs in the good image; nothing of it is looked
 * up again in one that has been changed.
 */
#ifndef TESTS_HOSTILE_SPOT_H
#define TESTS_HOSTILE_SPOT_H

#include <stddef.h>
#include <stdint.h>

enum spot_kind {
	SPOT_SUPER,
	SPOT_GROUP,
	SPOT_BLOCK_BITMAP,
	SPOT_INODE_BITMAP,
	SPOT_INODE,
	SPOT_EXTENTS,
	SPOT_POINTERS,	 /* an indirect block */
	SPOT_NAMES,	 /* a block of a folder: names */
	SPOT_INDEX_ROOT, /* ... the root of its index */
	SPOT_INDEX_NODE,
	SPOT_XATTRS,
	SPOT_ORPHANS,	 /* a block of the orphan file */
	SPOT_MMP,
	SPOT_LOG_SUPER,
	SPOT_LOG_DESCRIPTOR,
	SPOT_LOG_REVOKE,
	SPOT_LOG_COMMIT,
	SPOT_LOG_COPY, /* a block that a descriptor names; sum_at: its tag's checksum */
	SPOT_KINDS,
};

struct spot {
	enum spot_kind kind;
	uint64_t at; /* bytes from the image's beginning */
	uint32_t len;
	uint32_t number; /* inode (whose block it is), or group */
	uint32_t generation;
	uint32_t sequence; /* SPOT_LOG_COPY */
	uint64_t sum_at;
};

struct spots {
	struct spot *all;
	size_t count;
	size_t of_kind[SPOT_KINDS];
	uint32_t *dirs; /* numbers of folders, to make circles of */
	size_t dir_count;

	uint32_t block_bytes, inode_bytes, desc_bytes, blocks_per_group, inodes_per_group, csum_seed, journal_seed;
	uint32_t inodes_count, journal_ino, first_data_block;
	uint64_t blocks_count;
	uint8_t uuid[16];
	int has_sums, has_group_sums; /* metadata_csum; uninit_bg */
	int log_sums; /* 0, 2 or 3 */
};

struct spots *spots_find(const char *path, const uint8_t *image);
void spots_free(struct spots *spots);
/* Makes the checksum right that covers this; image is all of it. Group descriptors and the super
 * block last: bitmaps' are in them. */
void spot_repair(const struct spots *spots, const struct spot *spot, uint8_t *image);

#endif
