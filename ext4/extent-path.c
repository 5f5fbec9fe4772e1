/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/extent-path.h"

#include <errno.h>

/* What only parent and child together show; cheap enough for every descent. */
static int check_child(const struct extent_path *path, unsigned level)
{
	const struct e4_inode *inode = path->inode;
	uint8_t *node = path->level[level].node;
	const uint8_t *parent = path->level[level - 1].node;
	unsigned last = extent_node_entries(node) - 1;
	uint64_t end;

	if (extent_node_depth(node) != path->depth - level)
		return fs_damaged(inode->fs, "inode %u: extent tree depth", inode->ino);
	if (extent_node_key(node, 0) !=
		extent_node_key(parent, (unsigned)path->level[level - 1].pos))
		return fs_damaged(inode->fs, "inode %u: extent block at a wrong key", inode->ino);
	if (level == path->depth) {
		struct extent_run run = extent_leaf_run(extent_node_leaf(node, last));

		end = extent_run_end(&run);
	} else {
		end = extent_node_key(node, last) + 1ull;
	}
	if (end > extent_path_next(path, level - 1))
		return fs_damaged(inode->fs, "inode %u: overlapping extent blocks", inode->ino);
	return 0;
}

static int descend(struct extent_path *path, unsigned level, uint32_t lblk)
{
	struct e4_inode *inode = path->inode;
	uint8_t *node = path->level[level].node;
	struct buf *buf;
	int pos = extent_node_find(node, lblk);
	int r;

	path->level[level].pos = pos;
	if (level == path->depth)
		return 0;
	if (pos < 0)
		path->level[level].pos = pos = 0;
	r = buf_get(inode->fs, extent_index_child(extent_node_index(node, (unsigned)pos)),
		&extent_block_type, inode->ino, inode->generation, &buf);
	if (r < 0)
		return r;
	path->level[level + 1].buf = buf;
	path->level[level + 1].node = buf->data;
	return check_child(path, level + 1);
}

int extent_path_find(struct e4_inode *inode, uint32_t lblk, struct extent_path *ret_path)
{
	struct extent_path path = {.inode = inode, .depth = extent_node_depth(inode->i_block)};

	path.level[0].node = inode->i_block;
	for (unsigned level = 0; level <= path.depth; level++) {
		int r = descend(&path, level, lblk);

		if (r < 0) {
			extent_path_drop(&path);
			return r;
		}
	}
	*ret_path = path;
	return 0;
}

void extent_path_drop(struct extent_path *path)
{
	for (unsigned i = 0; i < ARRAY_SIZE(path->level); i++) {
		buf_put(path->level[i].buf);
		path->level[i].buf = NULL;
	}
}

uint64_t extent_path_next(const struct extent_path *path, unsigned level)
{
	for (unsigned i = level + 1; i-- > 0;) {
		unsigned next = (unsigned)(path->level[i].pos + 1);

		if (next < extent_node_entries(path->level[i].node))
			return extent_node_key(path->level[i].node, next);
	}
	return EXTENT_LBLK_MAX + 1ull;
}

int extent_path_modify(struct handle *h, struct extent_path *path, unsigned from)
{
	for (unsigned i = from; i <= path->depth; i++) {
		if (!path->level[i].buf)
			continue;
		int r = buf_modify(h, path->level[i].buf);

		if (r < 0)
			return r;
	}
	return 0;
}

unsigned extent_path_key_level(const struct extent_path *path, unsigned level)
{
	while (level > 0 && path->level[--level].pos == 0)
		;
	return level;
}

void extent_path_fix_keys(struct extent_path *path, unsigned level)
{
	le32 key = extent_node_leaf(path->level[level].node, 0)->lblk;

	while (level-- > 0) {
		unsigned pos = (unsigned)path->level[level].pos;

		extent_node_leaf(path->level[level].node, pos)->lblk = key;
		if (pos > 0)
			break;
	}
}
