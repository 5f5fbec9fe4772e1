/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One node of an extent tree as it lies on the drive: a header, then 12-byte entries sorted by
 * logical block. The root lives in the inode's i_block (4 entries), all others fill one block and
 * end with a checksum. (Kernel documentation: filesystems/ext4, "Extent Tree".)
 */
#ifndef EXT4_EXTENT_NODE_H
#define EXT4_EXTENT_NODE_H

#include "ext4/cache.h"
#include "ext4/extent.h"
#include "ext4/group.h"

enum {
	EXTENT_MAGIC = 0xf30a,
	EXTENT_DEPTH_MAX = 5,
	EXTENT_ROOT_ENTRIES = 4,
	EXTENT_WRITTEN_MAX = 32768, /* a length above this means length - 32768, unwritten */
	EXTENT_UNWRITTEN_MAX = 32767,
};

struct extent_header {
	le16 magic, entries, max, depth;
	le32 generation;
};

/* In a node of depth 0. */
struct extent_leaf {
	le32 lblk;
	le16 len, pblk_hi;
	le32 pblk_lo;
};

/* In a node of depth > 0: the child covers lblk up to the next entry's lblk. */
struct extent_index {
	le32 lblk;
	le32 child_lo;
	le16 child_hi, unused;
};

_Static_assert(sizeof(struct extent_leaf) == sizeof(struct extent_index), "one entry size");

/* Blocks of nodes other than the root; owner: inode number and generation. */
extern const struct buf_type extent_block_type;

static inline struct extent_header *extent_node_header(void *node)
{
	return node;
}

static inline unsigned extent_node_entries(const void *node)
{
	return le16_get(((const struct extent_header *)node)->entries);
}

static inline void extent_node_set_entries(void *node, unsigned count)
{
	extent_node_header(node)->entries = le16_make((uint16_t)count);
}

static inline unsigned extent_node_depth(const void *node)
{
	return le16_get(((const struct extent_header *)node)->depth);
}

static inline bool extent_node_full(const void *node)
{
	return extent_node_entries(node) >= le16_get(((const struct extent_header *)node)->max);
}

static inline struct extent_leaf *extent_node_leaf(void *node, unsigned pos)
{
	return (struct extent_leaf *)((uint8_t *)node + sizeof(struct extent_header)) + pos;
}

static inline struct extent_index *extent_node_index(void *node, unsigned pos)
{
	return (struct extent_index *)((uint8_t *)node + sizeof(struct extent_header)) + pos;
}

/* First logical block of entry pos, in nodes of any depth. */
static inline uint32_t extent_node_key(const void *node, unsigned pos)
{
	return le32_get(extent_node_leaf((void *)(uintptr_t)node, pos)->lblk);
}

static inline uint64_t extent_index_child(const struct extent_index *index)
{
	return (uint64_t)le16_get(index->child_hi) << 32 | le32_get(index->child_lo);
}

struct extent_index extent_index_make(uint32_t lblk, uint64_t child);
struct extent_run extent_leaf_run(const struct extent_leaf *leaf);
struct extent_leaf extent_leaf_make(const struct extent_run *run);

/* Whether b follows a logically and physically, is of the same kind, and both fit in one entry. */
bool extent_run_joins(const struct extent_run *a, const struct extent_run *b);

void extent_node_init(void *node, unsigned max, unsigned depth);
unsigned extent_block_entries(const struct e4_fs *fs);
/* Opens a gap at pos, or closes it again. */
void extent_node_insert(void *node, unsigned pos, const void *entry);
void extent_node_delete(void *node, unsigned pos);
/* Position of the last entry with a key <= lblk; -1: all are larger. */
int extent_node_find(const void *node, uint32_t lblk);

/* Everything that one node can show of itself: 0 or -EUCLEAN (reported). max: entries that fit. */
int extent_node_verify(struct e4_fs *fs, uint32_t ino, void *node, unsigned max) MUST_CHECK;

#endif
