/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs into a block map. */
#include <errno.h>

#include "ext4/blockmap-table.h"

/* The tables from i_block down to the one that holds the pointers of a run. */
struct chain {
	struct e4_inode *inode;
	struct blockmap_place place;
	unsigned have; /* tables that exist; those behind are new */
	struct buf *tables[BLOCKMAP_LEVELS];
};

static void chain_drop(struct chain *chain)
{
	for (unsigned i = 0; i < BLOCKMAP_LEVELS; i++)
		buf_put(take_ptr(chain->tables[i]));
}
#define CLEANUP_CHAIN CLEANUP(chain_drop)

/* The table with the pointer of level `level`: i_block for 0. */
static le32 *chain_slots(const struct chain *chain, unsigned level)
{
	return level ? blockmap_slots(chain->tables[level - 1]) : blockmap_root(chain->inode);
}

static int chain_read(struct chain *chain)
{
	const struct blockmap_place *place = &chain->place;

	while (chain->have < place->levels) {
		uint32_t block = le32_get(chain_slots(chain, chain->have)[place->index[chain->have]]);
		int r;

		if (!block)
			break;
		r = blockmap_table_get(chain->inode, block, place->levels - chain->have,
			&chain->tables[chain->have]);
		if (r < 0)
			return r;
		chain->have++;
	}
	return 0;
}

/* Gives back the new tables up to `end`; returns err, or what is worse. */
static int chain_undo(struct handle *h, struct chain *chain, unsigned end, int err)
{
	while (end > chain->have) {
		end--;
		err = metablock_undo(h, take_ptr(chain->tables[end]), err);
	}
	return err;
}

/* Missing tables, near goal; and the last one that exists is declared. */
static int chain_extend(struct handle *h, struct chain *chain, uint64_t goal)
{
	int r = 0;

	if (chain->have)
		r = buf_modify(h, chain->tables[chain->have - 1]);
	for (unsigned i = chain->have; r == 0 && i < chain->place.levels; i++) {
		r = blockmap_table_new(h, chain->inode, chain->place.levels - i, goal,
			&chain->tables[i]);
		if (r < 0)
			return chain_undo(h, chain, i, r);
		goal = chain->tables[i]->block + 1;
	}
	return r;
}

/* Whether the run's pointers, which lie in one table, are empty. */
static int check_room(const struct chain *chain, const struct extent_run *run)
{
	unsigned levels = chain->place.levels;
	uint32_t at = chain->place.index[levels];

	if (chain->have < levels)
		return 0;
	for (uint32_t i = 0; i < run->count; i++)
		if (le32_get(chain_slots(chain, levels)[at + i]))
			return -EEXIST;
	return 0;
}

static void link_all(struct chain *chain, const struct extent_run *run)
{
	const struct blockmap_place *place = &chain->place;
	le32 *slots;

	for (unsigned i = chain->have; i < place->levels; i++)
		chain_slots(chain, i)[place->index[i]] =
			le32_make((uint32_t)chain->tables[i]->block);
	slots = chain_slots(chain, place->levels) + place->index[place->levels];
	for (uint32_t i = 0; i < run->count; i++)
		slots[i] = le32_make((uint32_t)run->pblk + i);
}

int blockmap_insert(struct handle *h, struct e4_inode *inode, const struct extent_run *run)
{
	CLEANUP_CHAIN struct chain chain = {.inode = inode};
	uint64_t end = run->pblk + run->count;
	unsigned made;
	int r;

	if (run->unwritten || end > 1ull << 32)
		return -EINVAL;
	if (!blockmap_place(inode->fs, run->lblk, &chain.place))
		return -EFBIG;
	r = chain_read(&chain);
	if (r == 0)
		r = check_room(&chain, run);
	if (r == 0)
		r = chain_extend(h, &chain, end);
	if (r < 0)
		return r;
	link_all(&chain, run);
	made = chain.place.levels - chain.have;
	inode->blocks += ((uint64_t)run->count + made) << (inode->fs->block_bits - 9);
	inode->alloc_goal = end;
	if (made && chain.tables[chain.place.levels - 1]->block == end + made - 1)
		inode->alloc_goal = end + made;
	return 0;
}
