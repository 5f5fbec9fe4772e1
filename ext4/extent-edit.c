/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Insertion with splits. First count the full nodes from the leaf upwards: each needs one new
 * block (the root: for its copy, when the tree grows by a level). Get these blocks and declare all
 * buffers; then edit from the leaf upwards, which cannot fail.
 */
#include "ext4/extent-edit.h"

#include <errno.h>

#include "ext4/extent-tree.h"
#include "ext4/metablock.h"

struct reserve {
	unsigned count, used;
	struct buf *bufs[EXTENT_DEPTH_MAX + 1];
};

static int reserve_release(struct handle *h, struct reserve *reserve)
{
	int r = 0;

	for (unsigned i = reserve->used; i < reserve->count; i++) {
		int undo = metablock_undo(h, reserve->bufs[i], 0);

		if (undo < 0)
			r = undo;
	}
	for (unsigned i = 0; i < reserve->used; i++)
		buf_put(reserve->bufs[i]);
	return r;
}

static int reserve_get(struct handle *h, struct e4_inode *inode, unsigned count,
	struct reserve *ret_reserve)
{
	struct reserve reserve = {0};

	for (; reserve.count < count; reserve.count++) {
		int r = metablock_new_node(h, inode, &extent_block_type, 0,
			&reserve.bufs[reserve.count]);

		if (r < 0) {
			int undo = reserve_release(h, &reserve);

			return undo < 0 ? undo : r;
		}
	}
	*ret_reserve = reserve;
	return 0;
}

/* The root's entries move to a block of their own; the path gets one level longer. */
static void grow(struct extent_path *path, struct buf *buf)
{
	struct e4_inode *inode = path->inode;
	uint8_t *root = inode->i_block;
	unsigned entries = extent_node_entries(root), depth = extent_node_depth(root);
	struct extent_index index = extent_index_make(extent_node_key(root, 0), buf->block);

	extent_node_init(buf->data, extent_block_entries(inode->fs), depth);
	memcpy(extent_node_leaf(buf->data, 0), extent_node_leaf(root, 0),
		entries * sizeof(struct extent_leaf));
	extent_node_set_entries(buf->data, entries);

	extent_tree_init(inode);
	extent_node_header(root)->depth = le16_make((uint16_t)(depth + 1));
	extent_node_insert(root, 0, &index);

	memmove(&path->level[1], &path->level[0], (path->depth + 1) * sizeof(path->level[0]));
	path->depth++;
	path->level[0].node = root;
	path->level[0].buf = NULL;
	path->level[0].pos = 0;
	path->level[1].node = buf->data;
}

/* Inserts entry into a full node by moving its upper part to buf. */
static struct extent_index split(uint8_t *node, struct buf *buf, unsigned max, unsigned pos,
	const void *entry)
{
	unsigned entries = extent_node_entries(node);
	/* Appending leaves the left node full: files mostly grow at their end. */
	unsigned keep = pos == entries ? entries : entries / 2;

	extent_node_init(buf->data, max, extent_node_depth(node));
	memcpy(extent_node_leaf(buf->data, 0), extent_node_leaf(node, keep),
		(entries - keep) * sizeof(struct extent_leaf));
	extent_node_set_entries(buf->data, entries - keep);
	memset(extent_node_leaf(node, keep), 0, (entries - keep) * sizeof(struct extent_leaf));
	extent_node_set_entries(node, keep);
	if (pos > keep || keep == entries)
		extent_node_insert(buf->data, pos - keep, entry);
	else
		extent_node_insert(node, pos, entry);
	return extent_index_make(extent_node_key(buf->data, 0), buf->block);
}

static void insert_upwards(struct extent_path *path, unsigned pos,
	const struct extent_leaf *entry, struct reserve *reserve)
{
	unsigned max = extent_block_entries(path->inode->fs);
	struct extent_index index;
	const void *carry = entry;

	for (unsigned level = path->depth;; level--) {
		uint8_t *node = path->level[level].node;

		if (!extent_node_full(node)) {
			extent_node_insert(node, pos, carry);
			return;
		}
		index = split(node, reserve->bufs[reserve->used++], max, pos, carry);
		carry = &index;
		pos = (unsigned)path->level[level - 1].pos + 1;
	}
}

int extent_edit_insert(struct handle *h, struct extent_path *path, unsigned pos,
	const struct extent_leaf *entry)
{
	struct e4_inode *inode = path->inode;
	unsigned top = path->depth; /* topmost level that changes */
	struct reserve reserve;
	unsigned full = 0;
	bool grows;
	int r;

	while (full <= path->depth && extent_node_full(path->level[path->depth - full].node))
		full++;
	grows = full > path->depth;
	if (grows && path->depth == EXTENT_DEPTH_MAX)
		return -EFBIG;
	top = grows ? 0 : path->depth - full;
	if (pos == 0 && extent_path_key_level(path, path->depth) < top)
		top = extent_path_key_level(path, path->depth);
	r = extent_path_modify(h, path, top);
	if (r == 0)
		r = reserve_get(h, inode, full, &reserve);
	if (r < 0)
		return r;

	if (grows)
		grow(path, reserve.bufs[reserve.used++]);
	if (pos == 0) {
		/* The parents' keys first: the split below copies the leaf's new first key. */
		struct extent_leaf *first = extent_node_leaf(extent_path_leaf(path), 0);
		le32 old = first->lblk;

		if (extent_node_entries(extent_path_leaf(path)) > 0) {
			first->lblk = entry->lblk;
			extent_path_fix_keys(path, path->depth);
			first->lblk = old;
		}
	}
	insert_upwards(path, pos, entry, &reserve);
	inode->blocks += (uint64_t)full << (inode->fs->block_bits - 9);
	return reserve_release(h, &reserve);
}

int extent_edit_split(struct handle *h, struct extent_path *path, unsigned pos, uint32_t lblk)
{
	struct extent_run run = extent_path_run(path, (int)pos);
	uint32_t keep = lblk - run.lblk;
	struct extent_run rest = {
		.lblk = lblk,
		.count = run.count - keep,
		.pblk = run.pblk + keep,
		.unwritten = run.unwritten,
	};
	struct extent_leaf *leaf = extent_node_leaf(extent_path_leaf(path), pos);
	struct extent_leaf old = *leaf, entry = extent_leaf_make(&rest);
	int r = extent_path_modify(h, path, path->depth);

	if (r < 0)
		return r;
	run.count = keep;
	*leaf = extent_leaf_make(&run);
	r = extent_edit_insert(h, path, pos + 1, &entry);
	if (r < 0)
		*leaf = old;
	return r;
}

void extent_edit_join(uint8_t *leaf, int pos)
{
	struct extent_run a, b;
	struct extent_leaf joined;

	if (pos < 0 || (unsigned)pos + 1 >= extent_node_entries(leaf))
		return;
	a = extent_leaf_run(extent_node_leaf(leaf, (unsigned)pos));
	b = extent_leaf_run(extent_node_leaf(leaf, (unsigned)pos + 1));
	if (!extent_run_joins(&a, &b))
		return;
	a.count += b.count;
	joined = extent_leaf_make(&a);
	memcpy(extent_node_leaf(leaf, (unsigned)pos), &joined, sizeof(joined));
	extent_node_delete(leaf, (unsigned)pos + 1);
}
