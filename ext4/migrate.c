/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a block map to an extent tree, and back as far as the kernel goes. The whole change is one
 * transaction: the old map is what counts until the new one is stored with it, and both never are.
 *
 * To extents: the map is read into a list of runs and a list of tables; the tree's nodes are
 * filled from the list, level by level; then the tables are freed and i_block becomes the root.
 * All that can fail for want of space or memory comes before the first table is freed.
 */
#include <errno.h>
#include <stdlib.h>

#include "ext4/balloc.h"
#include "ext4/blockmap.h"
#include "ext4/extent-node.h"
#include "ext4/extent-tree.h"
#include "ext4/metablock.h"

enum {
	/* What one transaction may change; the kernel, too, refuses what its journal cannot hold. */
	CREDITS_MAX = 8192,
	TABLES_MAX = 1 << 18,
	RUNS_MAX = 1 << 20,
};

/* A growing array. */
struct runs {
	struct extent_run *list;
	size_t count, room;
};

struct tables {
	uint32_t *list; /* ascending once sorted */
	size_t count, room;
};

/* One conversion. */
struct migration {
	struct e4_inode *inode;
	struct runs runs;	/* then: one run per node of the level below, pblk its block */
	struct tables tables;
	uint64_t *nodes; /* blocks of the new tree */
	size_t node_count, nodes_wanted;
};

static void migration_free(struct migration *m)
{
	free(m->runs.list);
	free(m->tables.list);
	free(m->nodes);
}
#define CLEANUP_MIGRATION CLEANUP(migration_free)

/* ---- reading the map ----------------------------------------------------------------------- */

static int add_room(void **list, size_t count, size_t *room, size_t max, size_t each)
{
	size_t more = *room ? 2 * *room : 64;
	void *larger;

	if (count < *room)
		return 0;
	if (count >= max)
		return -ENOSPC;
	larger = realloc(*list, more * each);
	if (!larger)
		return -ENOMEM;
	*list = larger;
	*room = more;
	return 0;
}

static int add_run(struct runs *runs, const struct extent_run *run)
{
	struct extent_run part = *run;
	int r;

	if (runs->count && extent_run_joins(&runs->list[runs->count - 1], run)) {
		runs->list[runs->count - 1].count += run->count;
		return 0;
	}
	r = add_room((void **)&runs->list, runs->count, &runs->room, RUNS_MAX, sizeof(part));
	if (r == 0)
		runs->list[runs->count++] = part;
	return r;
}

static int collect_runs(struct migration *m)
{
	uint64_t lblk = 0;

	while (lblk <= EXTENT_LBLK_MAX) {
		struct extent_run run;
		int r = extent_map(m->inode, (uint32_t)lblk, &run);

		if (r == 0 && run.pblk)
			r = add_run(&m->runs, &run);
		if (r < 0)
			return r;
		lblk = extent_run_end(&run);
	}
	return 0;
}

static int add_table(void *ctx, uint32_t block)
{
	struct tables *tables = ctx;
	int r = add_room((void **)&tables->list, tables->count, &tables->room, TABLES_MAX,
		sizeof(*tables->list));

	if (r == 0)
		tables->list[tables->count++] = block;
	return r;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int collect_tables(struct migration *m)
{
	struct tables *tables = &m->tables;
	int r = blockmap_tables(m->inode, add_table, tables);

	if (r < 0 || !tables->count)
		return r;
	qsort(tables->list, tables->count, sizeof(*tables->list), by_number);
	for (size_t i = 1; i < tables->count; i++)
		if (tables->list[i] == tables->list[i - 1])
			return fs_damaged(m->inode->fs, "inode %u: indirect block %u used twice",
				m->inode->ino, tables->list[i]);
	return 0;
}

static int plan_nodes(struct migration *m, unsigned *ret_credits)
{
	struct e4_fs *fs = m->inode->fs;
	size_t entries = m->runs.count, groups = min_u64(m->tables.count, fs->group_count);
	uint64_t credits;

	while (entries > EXTENT_ROOT_ENTRIES) {
		entries = div_round_up_u64(entries, extent_block_entries(fs));
		m->nodes_wanted += entries;
	}
	credits = m->nodes_wanted * METABLOCK_CREDITS + groups * BALLOC_CREDITS + INODE_CREDITS;
	if (credits > min_u64(CREDITS_MAX, handle_credits_max(fs)))
		return -ENOSPC;
	m->nodes = calloc(m->nodes_wanted + 1, sizeof(*m->nodes));
	if (!m->nodes)
		return -ENOMEM;
	*ret_credits = (unsigned)credits;
	return 0;
}

/* ---- building the tree --------------------------------------------------------------------- */

/* The entries [from, from + count) of the list into a node. */
static void fill_node(void *node, unsigned depth, const struct extent_run *from, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct extent_leaf leaf = extent_leaf_make(&from[i]);
		struct extent_index index = extent_index_make(from[i].lblk, from[i].pblk);

		if (depth)
			memcpy(extent_node_index(node, (unsigned)i), &index, sizeof(index));
		else
			memcpy(extent_node_leaf(node, (unsigned)i), &leaf, sizeof(leaf));
	}
	extent_node_set_entries(node, (unsigned)count);
}

/* Nodes for all of m->runs, which becomes the list of these nodes. */
static int build_level(struct handle *h, struct migration *m, unsigned depth)
{
	unsigned max = extent_block_entries(m->inode->fs);
	struct extent_run *list = m->runs.list;
	uint64_t goal = m->node_count ? m->nodes[m->node_count - 1] + 1 : m->inode->alloc_goal;
	size_t made = 0;

	for (size_t i = 0; i < m->runs.count; i += max, made++) {
		CLEANUP_BUF struct buf *buf = NULL;
		int r = metablock_new_node(h, m->inode, &extent_block_type, goal, &buf);

		if (r < 0)
			return r;
		m->nodes[m->node_count++] = buf->block;
		goal = buf->block + 1;
		extent_node_init(buf->data, max, depth);
		fill_node(buf->data, depth, list + i, (size_t)min_u64(max, m->runs.count - i));
		list[made] = (struct extent_run){.lblk = list[i].lblk, .pblk = buf->block};
	}
	m->runs.count = made;
	return 0;
}

/* Everything below the root; *ret_depth is the root's. */
static int build_tree(struct handle *h, struct migration *m, unsigned *ret_depth)
{
	unsigned depth = 0;

	while (m->runs.count > EXTENT_ROOT_ENTRIES) {
		int r = build_level(h, m, depth++);

		if (r < 0)
			return r;
	}
	*ret_depth = depth;
	return 0;
}

static int undo_nodes(struct handle *h, struct migration *m, int err)
{
	for (size_t i = 0; i < m->node_count; i++)
		err = balloc_undo(h, m->nodes[i], 1, true, err);
	return err;
}

/* ---- the change ---------------------------------------------------------------------------- */

static int free_tables(struct handle *h, struct migration *m)
{
	const struct tables *tables = &m->tables;
	int r = 0;

	for (size_t i = 0, n; i < tables->count; i += n) {
		for (n = 1; i + n < tables->count; n++)
			if (tables->list[i + n] != tables->list[i] + n)
				break;
		r = balloc_free(h, tables->list[i], n, true);
		if (r < 0)
			return i ? fs_io_error(h->fs, r, "map half freed") : undo_nodes(h, m, r);
	}
	return r;
}

/* Nothing can fail any more but the volume. */
static int switch_to_tree(struct handle *h, struct migration *m, unsigned depth)
{
	struct e4_inode *inode = m->inode;
	uint64_t unit = 1ull << (inode->fs->block_bits - 9);

	inode->flags |= EXT4_EXTENTS_FL;
	extent_tree_init(inode);
	extent_node_header(inode->i_block)->depth = le16_make((uint16_t)depth);
	fill_node(inode->i_block, depth, m->runs.list, m->runs.count);
	inode->blocks -= min_u64(inode->blocks, m->tables.count * unit);
	inode->blocks += m->node_count * unit;
	return inode_store(h, inode, true);
}

static int migrate_under(struct handle *h, struct migration *m)
{
	unsigned depth;
	int r = inode_reserve(h, m->inode);

	if (r < 0)
		return r;
	r = build_tree(h, m, &depth);
	if (r < 0)
		return undo_nodes(h, m, r);
	r = free_tables(h, m);
	return r < 0 ? r : switch_to_tree(h, m, depth);
}

/* The locks of a change of the map are held, so nobody else changes it. */
static int to_extents(struct e4_inode *inode)
{
	CLEANUP_MIGRATION struct migration m = {.inode = inode};
	unsigned credits;
	struct handle h;
	int r;

	pthread_rwlock_rdlock(&inode->lock);
	r = collect_runs(&m);
	if (r == 0)
		r = collect_tables(&m);
	pthread_rwlock_unlock(&inode->lock);
	if (r == 0)
		r = plan_nodes(&m, &credits);
	if (r == 0)
		r = handle_begin(inode->fs, credits, &h);
	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&inode->lock);
	r = migrate_under(&h, &m);
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	return r;
}

/* At most one extent, written, within the direct pointers. */
static int check_simple(struct e4_inode *inode, struct extent_run *ret_run)
{
	struct extent_run run = {0};

	if (inode->fs->blocks_count > UINT32_MAX || extent_node_depth(inode->i_block) ||
		extent_node_entries(inode->i_block) > 1)
		return -EOPNOTSUPP;
	if (extent_node_entries(inode->i_block))
		run = extent_leaf_run(extent_node_leaf(inode->i_block, 0));
	if (run.unwritten || extent_run_end(&run) > BLOCKMAP_DIRECT)
		return -EOPNOTSUPP;
	*ret_run = run;
	return 0;
}

static int to_map(struct e4_inode *inode)
{
	struct extent_run run;
	struct handle h;
	int r = handle_begin(inode->fs, INODE_CREDITS, &h);

	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&inode->lock);
	r = check_simple(inode, &run);
	if (r == 0)
		r = inode_reserve(&h, inode);
	if (r == 0) {
		inode->flags &= ~(uint32_t)EXT4_EXTENTS_FL;
		extent_init(inode);
		for (uint32_t i = 0; i < run.count; i++)
			inode->i_block32[run.lblk + i] = htole32((uint32_t)run.pblk + i);
		r = inode_store(&h, inode, true);
	}
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	return r;
}

static int migrate_locked(struct e4_inode *inode, bool extents)
{
	uint64_t blocks;
	uint32_t flags;

	pthread_rwlock_rdlock(&inode->lock);
	flags = inode->flags;
	blocks = inode->blocks;
	pthread_rwlock_unlock(&inode->lock);
	if (!fs_has_incompat(inode->fs, EXT3_FEATURE_INCOMPAT_EXTENTS) ||
		(flags & EXT4_INLINE_DATA_FL) || extents == !!(flags & EXT4_EXTENTS_FL))
		return -EINVAL;
	/* A short link's target is in i_block. */
	if (inode_is_symlink(inode) && !blocks)
		return 0;
	return extents ? to_extents(inode) : to_map(inode);
}

int e4_set_extents(struct e4_inode *inode, bool extents)
{
	pthread_rwlock_t *lock = inode_is_dir(inode) ? &inode->dir_lock : &inode->io_lock;
	unsigned tries = 0;
	int r = fs_check_writable(inode->fs);

	if (r < 0)
		return r;
	if (!inode_is_reg(inode) && !inode_is_dir(inode) && !inode_is_symlink(inode))
		return -EOPNOTSUPP;
	do {
		pthread_rwlock_wrlock(lock);
		r = migrate_locked(inode, extents);
		pthread_rwlock_unlock(lock);
	} while (r == -ENOSPC && balloc_retry(inode->fs, &tries));
	return r;
}
