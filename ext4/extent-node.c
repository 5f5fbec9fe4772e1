/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/extent-node.h"

#include <errno.h>

struct extent_index extent_index_make(uint32_t lblk, uint64_t child)
{
	return (struct extent_index){
		.lblk = le32_make(lblk),
		.child_lo = le32_make((uint32_t)child),
		.child_hi = le16_make((uint16_t)(child >> 32)),
	};
}

struct extent_run extent_leaf_run(const struct extent_leaf *leaf)
{
	uint32_t len = le16_get(leaf->len);
	bool unwritten = len > EXTENT_WRITTEN_MAX;

	return (struct extent_run){
		.lblk = le32_get(leaf->lblk),
		.count = unwritten ? len - EXTENT_WRITTEN_MAX : len,
		.pblk = (uint64_t)le16_get(leaf->pblk_hi) << 32 | le32_get(leaf->pblk_lo),
		.unwritten = unwritten,
	};
}

struct extent_leaf extent_leaf_make(const struct extent_run *run)
{
	uint32_t len = run->count + (run->unwritten ? EXTENT_WRITTEN_MAX : 0);

	return (struct extent_leaf){
		.lblk = le32_make(run->lblk),
		.len = le16_make((uint16_t)len),
		.pblk_hi = le16_make((uint16_t)(run->pblk >> 32)),
		.pblk_lo = le32_make((uint32_t)run->pblk),
	};
}

bool extent_run_joins(const struct extent_run *a, const struct extent_run *b)
{
	uint32_t max = a->unwritten ? EXTENT_UNWRITTEN_MAX : EXTENT_WRITTEN_MAX;

	return a->unwritten == b->unwritten && extent_run_end(a) == b->lblk &&
		a->pblk + a->count == b->pblk && a->count <= max && b->count <= max - a->count;
}

void extent_node_init(void *node, unsigned max, unsigned depth)
{
	*extent_node_header(node) = (struct extent_header){
		.magic = le16_make(EXTENT_MAGIC),
		.max = le16_make((uint16_t)max),
		.depth = le16_make((uint16_t)depth),
	};
}

unsigned extent_block_entries(const struct e4_fs *fs)
{
	return (fs->block_bytes - sizeof(struct extent_header)) / sizeof(struct extent_leaf);
}

void extent_node_insert(void *node, unsigned pos, const void *entry)
{
	unsigned entries = extent_node_entries(node);
	struct extent_leaf *at = extent_node_leaf(node, pos);

	memmove(at + 1, at, (entries - pos) * sizeof(*at));
	memcpy(at, entry, sizeof(*at));
	extent_node_set_entries(node, entries + 1);
}

void extent_node_delete(void *node, unsigned pos)
{
	unsigned entries = extent_node_entries(node);
	struct extent_leaf *at = extent_node_leaf(node, pos);

	memmove(at, at + 1, (entries - pos - 1) * sizeof(*at));
	memset(extent_node_leaf(node, entries - 1), 0, sizeof(*at));
	extent_node_set_entries(node, entries - 1);
}

int extent_node_find(const void *node, uint32_t lblk)
{
	unsigned low = 0, high = extent_node_entries(node);

	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (extent_node_key(node, mid) <= lblk)
			low = mid + 1;
		else
			high = mid;
	}
	return (int)low - 1;
}

static int verify_leaf(struct e4_fs *fs, uint32_t ino, void *node)
{
	uint64_t end = 0;
	int r;

	for (unsigned i = 0; i < extent_node_entries(node); i++) {
		struct extent_run run = extent_leaf_run(extent_node_leaf(node, i));

		if (!run.count || run.lblk < end || extent_run_end(&run) > EXTENT_LBLK_MAX + 1ull)
			return fs_damaged(fs, "inode %u: bad extent at block %u", ino, run.lblk);
		if (run.pblk <= fs->first_data_block ||
			!range_inside(run.pblk, run.count, fs->blocks_count))
			return fs_damaged(fs, "inode %u: extent outside the volume", ino);
		r = group_check_data_blocks(fs, run.pblk, run.count);
		if (r == -EUCLEAN)
			return fs_damaged(fs, "inode %u: extent over file system metadata", ino);
		if (r < 0)
			return r;
		end = extent_run_end(&run);
	}
	return 0;
}

static int verify_index(struct e4_fs *fs, uint32_t ino, void *node)
{
	unsigned entries = extent_node_entries(node);

	if (!entries)
		return fs_damaged(fs, "inode %u: extent index without entries", ino);
	for (unsigned i = 0; i < entries; i++) {
		uint64_t child = extent_index_child(extent_node_index(node, i));

		if (i && extent_node_key(node, i) <= extent_node_key(node, i - 1))
			return fs_damaged(fs, "inode %u: extent index out of order", ino);
		if (child <= fs->first_data_block || child >= fs->blocks_count)
			return fs_damaged(fs, "inode %u: extent index outside the volume", ino);
	}
	return 0;
}

int extent_node_verify(struct e4_fs *fs, uint32_t ino, void *node, unsigned max)
{
	struct extent_header *header = extent_node_header(node);

	if (le16_get(header->magic) != EXTENT_MAGIC)
		return fs_damaged(fs, "inode %u: bad extent magic", ino);
	if (!le16_get(header->max) || le16_get(header->max) > max ||
		le16_get(header->entries) > le16_get(header->max) ||
		le16_get(header->depth) > EXTENT_DEPTH_MAX)
		return fs_damaged(fs, "inode %u: bad extent header", ino);
	if (extent_node_depth(node))
		return verify_index(fs, ino, node);
	return verify_leaf(fs, ino, node);
}

/* The checksum stands behind the last entry that could be there. */
static size_t tail_offset(const void *node)
{
	const struct extent_header *header = node;

	return sizeof(*header) + (size_t)le16_get(header->max) * sizeof(struct extent_leaf);
}

static uint32_t node_checksum(struct e4_fs *fs, const struct buf *buf, const void *data)
{
	uint32_t seed = fs_inode_seed(fs, buf->owner_ino, buf->owner_generation);

	return fs_crc32c(seed, data, tail_offset(data));
}

static int extent_block_verify(struct e4_fs *fs, struct buf *buf)
{
	int r = group_check_data_blocks(fs, buf->block, 1);
	le32 stored;

	if (r == -EUCLEAN)
		return fs_damaged(fs, "inode %u: extent block over file system metadata", buf->owner_ino);
	if (r == 0)
		r = extent_node_verify(fs, buf->owner_ino, buf->data, extent_block_entries(fs));
	if (r < 0)
		return r;
	if (!extent_node_entries(buf->data))
		return fs_damaged(fs, "inode %u: empty extent block", buf->owner_ino);
	if (!fs_has_csum(fs))
		return 0;
	memcpy(&stored, buf->data + tail_offset(buf->data), sizeof(stored));
	if (le32_get(stored) != node_checksum(fs, buf, buf->data))
		return fs_damaged(fs, "inode %u: bad extent block checksum", buf->owner_ino);
	return 0;
}

static void extent_block_seal(struct e4_fs *fs, struct buf *buf, void *data)
{
	le32 sum;

	if (!fs_has_csum(fs))
		return;
	sum = le32_make(node_checksum(fs, buf, data));
	memcpy((uint8_t *)data + tail_offset(data), &sum, sizeof(sum));
}

const struct buf_type extent_block_type = {
	.name = "extent block",
	.verify = extent_block_verify,
	.seal = extent_block_seal,
};
