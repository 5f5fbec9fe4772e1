/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/blockmap.h"

#include <errno.h>

#include "ext4/balloc.h"

enum { DIRECT = 12, LEVELS = 3 };

static const struct buf_type indirect_block_type = {.name = "indirect block"};

/* Where a block's pointer is: slot of i_block, then one index per level of indirect blocks. */
struct place {
	unsigned levels;
	uint32_t index[LEVELS + 1];
};

static uint32_t table_entries(const struct e4_inode *inode)
{
	return inode->fs->block_bytes / sizeof(le32);
}

/* Data blocks under one pointer that has `levels` indirect blocks below it. */
static uint64_t span(const struct e4_inode *inode, unsigned levels)
{
	uint64_t blocks = 1;

	while (levels-- > 0)
		blocks *= table_entries(inode);
	return blocks;
}

/* False: past what a block map can hold. */
static bool place_find(const struct e4_inode *inode, uint64_t lblk, struct place *ret_place)
{
	struct place place = {0};

	if (lblk < DIRECT) {
		place.index[0] = (uint32_t)lblk;
		*ret_place = place;
		return true;
	}
	lblk -= DIRECT;
	for (place.levels = 1; place.levels <= LEVELS; place.levels++) {
		if (lblk < span(inode, place.levels))
			break;
		lblk -= span(inode, place.levels);
	}
	if (place.levels > LEVELS)
		return false;
	place.index[0] = DIRECT + place.levels - 1;
	for (unsigned i = 1; i <= place.levels; i++)
		place.index[i] = (uint32_t)(lblk / span(inode, place.levels - i)) %
			table_entries(inode);
	*ret_place = place;
	return true;
}

static int check_run(const struct e4_inode *inode, const struct extent_run *run)
{
	struct e4_fs *fs = inode->fs;
	int r;

	if (run->pblk <= fs->first_data_block ||
		!range_inside(run->pblk, run->count, fs->blocks_count))
		return fs_damaged(fs, "inode %u: block outside the volume", inode->ino);
	r = group_check_data_blocks(fs, run->pblk, run->count);
	if (r == -EUCLEAN)
		return fs_damaged(fs, "inode %u: block over file system metadata", inode->ino);
	return r;
}

/* The run of neighbours, or of holes, that begins at entry `index` of a table. */
static struct extent_run table_run(const le32 *table, uint32_t index, uint32_t entries,
	uint32_t lblk)
{
	uint32_t first = le32_get(table[index]);
	struct extent_run run = {.lblk = lblk, .count = 1, .pblk = first};

	while (index + run.count < entries &&
		le32_get(table[index + run.count]) == (first ? first + run.count : 0))
		run.count++;
	return run;
}

/* The hole from lblk to the end of what the empty pointer at `level` of place covers. */
static struct extent_run missing_table(const struct e4_inode *inode, const struct place *place,
	unsigned level, uint32_t lblk)
{
	uint64_t under = span(inode, place->levels - level), base = DIRECT;

	for (unsigned i = 1; i < place->levels; i++)
		base += span(inode, i);
	return (struct extent_run){
		.lblk = lblk,
		.count = (uint32_t)(under - (lblk - base) % under),
	};
}

int blockmap_map(struct e4_inode *inode, uint32_t lblk, struct extent_run *ret_run)
{
	CLEANUP_BUF struct buf *buf = NULL;
	const le32 *table = (const le32 *)inode->i_block;
	uint32_t entries = DIRECT;
	struct extent_run run = {.lblk = lblk, .count = EXTENT_LBLK_MAX - lblk + 1};
	struct place place;
	int r = 0;

	if (!place_find(inode, lblk, &place)) {
		*ret_run = run;
		return 0;
	}
	for (unsigned level = 0; level < place.levels; level++) {
		uint32_t block = le32_get(table[place.index[level]]);

		if (!block) {
			*ret_run = missing_table(inode, &place, level, lblk);
			return 0;
		}
		buf_put(take_ptr(buf));
		r = buf_get(inode->fs, block, &indirect_block_type, inode->ino, inode->generation,
			&buf);
		if (r < 0)
			return r;
		table = (const le32 *)buf->data;
		entries = table_entries(inode);
	}
	run = table_run(table, place.index[place.levels], entries, lblk);
	if (run.pblk)
		r = check_run(inode, &run);
	if (r == 0)
		*ret_run = run;
	return r;
}

/* One call of blockmap_remove(). */
struct trim {
	struct handle *h;
	struct e4_inode *inode;
	uint32_t from;
	unsigned credits;
	uint64_t last_group; /* UINT64_MAX: none yet */
	bool spent;
};

/* Frees the block that slot (in buf; NULL: in the inode) points to. */
static int trim_slot(struct trim *t, le32 *slot, struct buf *buf, bool metadata)
{
	struct e4_fs *fs = t->inode->fs;
	uint32_t block = le32_get(*slot);
	uint64_t group = ((uint64_t)block - fs->first_data_block) / fs->blocks_per_group;
	int r;

	if (t->last_group != group) {
		if (t->credits < BALLOC_CREDITS) {
			t->spent = true;
			return 0;
		}
		t->credits -= BALLOC_CREDITS;
		t->last_group = group;
	}
	if (buf) {
		r = buf_modify(t->h, buf);
		if (r < 0)
			return r;
	}
	r = balloc_free(t->h, block, 1, metadata);
	if (r < 0)
		return r;
	*slot = le32_make(0);
	t->inode->blocks -= min_u64(t->inode->blocks, 1ull << (fs->block_bits - 9));
	return 0;
}

/* Removes what lies at or behind t->from under slot, whose first data block is base. */
static int trim_tree(struct trim *t, le32 *slot, struct buf *slot_buf, unsigned levels,
	uint64_t base)
{
	CLEANUP_BUF struct buf *buf = NULL;
	uint64_t under = levels ? span(t->inode, levels - 1) : 0;
	int r;

	if (!le32_get(*slot) || t->spent)
		return 0;
	if (!levels)
		return base >= t->from ?
			trim_slot(t, slot, slot_buf, !inode_is_reg(t->inode)) : 0;
	if (t->credits < 1 + BALLOC_CREDITS) {
		t->spent = true;
		return 0;
	}
	t->credits--;
	r = buf_get(t->inode->fs, le32_get(*slot), &indirect_block_type, t->inode->ino,
		t->inode->generation, &buf);
	if (r < 0)
		return r;
	for (uint32_t i = table_entries(t->inode); i-- > 0 && !t->spent;) {
		if (base + (i + 1) * under <= t->from)
			break;
		r = trim_tree(t, (le32 *)buf->data + i, buf, levels - 1, base + i * under);
		if (r < 0)
			return r;
	}
	if (t->spent || base < t->from)
		return 0;
	buf_put(take_ptr(buf));
	return trim_slot(t, slot, slot_buf, true);
}

int blockmap_remove(struct handle *h, struct e4_inode *inode, uint32_t from, uint32_t to,
	bool *ret_done)
{
	struct trim t = {
		.h = h,
		.inode = inode,
		.from = from,
		.credits = EXTENT_REMOVE_CREDITS - 1,
		.last_group = UINT64_MAX,
	};
	le32 *slots = (le32 *)inode->i_block;
	uint64_t base = DIRECT + span(inode, 1) + span(inode, 2);
	int r;

	if (to != EXTENT_LBLK_MAX)
		return -EOPNOTSUPP;
	for (unsigned levels = LEVELS; levels >= 1; levels--) {
		r = trim_tree(&t, &slots[DIRECT + levels - 1], NULL, levels, base);
		if (r < 0)
			return r;
		base -= levels > 1 ? span(inode, levels - 1) : 0;
	}
	for (unsigned i = DIRECT; i-- > 0 && !t.spent;) {
		r = trim_tree(&t, &slots[i], NULL, 0, i);
		if (r < 0)
			return r;
	}
	*ret_done = !t.spent;
	return 0;
}
