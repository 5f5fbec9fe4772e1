/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking up in block maps. Invariants:
 *
 *	1. Pointers of a table are inside the volume and the table is no block of the file system's
 *	   own (checked when it is read); what a run of data may be is checked when it is used.
 *	2. A walk has at most three tables, each in the role of its level: it ends, and one that
 *	   leads back to itself is damage.
 *	3. A change first gets every table and buffer it needs, then edits; the edit cannot fail.
 */
#include "ext4/blockmap.h"

#include "ext4/blockmap-table.h"

/* The hole from lblk to the end of what the empty pointer at `level` of place covers. */
static struct extent_run missing_table(const struct e4_fs *fs, const struct blockmap_place *place,
	unsigned level, uint32_t lblk)
{
	uint64_t under = blockmap_span(fs, place->levels - level);
	uint64_t base = blockmap_base(fs, place->index[0]);

	return (struct extent_run){
		.lblk = lblk,
		.count = (uint32_t)(under - (lblk - base) % under),
	};
}

int blockmap_map(struct e4_inode *inode, uint32_t lblk, struct extent_run *ret_run)
{
	struct e4_fs *fs = inode->fs;
	CLEANUP_BUF struct buf *buf = NULL;
	const le32 *slots = blockmap_root(inode);
	uint32_t entries = BLOCKMAP_DIRECT;
	struct extent_run run = {.lblk = lblk, .count = EXTENT_LBLK_MAX - lblk + 1};
	struct blockmap_place place;
	uint32_t at;
	int r = 0;

	if (!blockmap_place(fs, lblk, &place)) {
		*ret_run = run;
		return 0;
	}
	for (unsigned level = 0; level < place.levels; level++) {
		struct buf *next;
		uint32_t block = le32_get(slots[place.index[level]]);

		if (!block) {
			*ret_run = missing_table(fs, &place, level, lblk);
			return 0;
		}
		r = blockmap_table_get(inode, block, place.levels - level, &next);
		if (r < 0)
			return r;
		buf_put(buf);
		buf = next;
		slots = blockmap_slots(buf);
		entries = blockmap_entries(fs);
	}
	at = place.index[place.levels];
	run.pblk = le32_get(slots[at]);
	run.count = blockmap_count_run(slots + at, entries - at);
	if (run.pblk)
		r = blockmap_check_run(inode, &run);
	if (r == 0)
		*ret_run = run;
	return r;
}

uint32_t blockmap_room(const struct e4_fs *fs, uint32_t lblk)
{
	struct blockmap_place place;

	if (!blockmap_place(fs, lblk, &place))
		return 0;
	return (place.levels ? blockmap_entries(fs) : BLOCKMAP_DIRECT) - place.index[place.levels];
}

uint64_t blockmap_goal(struct e4_inode *inode, uint32_t lblk)
{
	struct extent_run before;

	if (!lblk || blockmap_map(inode, lblk - 1, &before) < 0 || !before.pblk)
		return inode->alloc_goal;
	/* New tables lie behind the data that they were made for. */
	if (inode->alloc_goal > before.pblk &&
		inode->alloc_goal <= before.pblk + 1 + BLOCKMAP_LEVELS)
		return inode->alloc_goal;
	return before.pblk + 1;
}

static int visit(struct e4_inode *inode, uint32_t block, unsigned levels,
	int (*fn)(void *ctx, uint32_t block), void *ctx)
{
	CLEANUP_BUF struct buf *buf = NULL;
	int r;

	if (!block)
		return 0;
	r = blockmap_table_get(inode, block, levels, &buf);
	if (r == 0)
		r = fn(ctx, block);
	for (uint32_t i = 0; r == 0 && levels > 1 && i < blockmap_entries(inode->fs); i++)
		r = visit(inode, le32_get(blockmap_slots(buf)[i]), levels - 1, fn, ctx);
	return r;
}

int blockmap_tables(struct e4_inode *inode, int (*fn)(void *ctx, uint32_t block), void *ctx)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < BLOCKMAP_LEVELS; i++)
		r = visit(inode, le32_get(blockmap_root(inode)[BLOCKMAP_DIRECT + i]), i + 1, fn,
			ctx);
	return r;
}
