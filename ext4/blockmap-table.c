/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/blockmap-table.h"

#include <errno.h>

static int table_verify(struct e4_fs *fs, struct buf *buf)
{
	const le32 *slots = blockmap_slots(buf);
	int r = group_check_data_blocks(fs, buf->block, 1);

	if (r == -EUCLEAN)
		return fs_damaged(fs, "inode %u: indirect block over file system metadata",
			buf->owner_ino);
	for (uint32_t i = 0; r == 0 && i < blockmap_entries(fs); i++) {
		uint32_t block = le32_get(slots[i]);

		if (block && (block <= fs->first_data_block || block >= fs->blocks_count))
			return fs_damaged(fs, "inode %u: block outside the volume", buf->owner_ino);
	}
	return r;
}

static const struct buf_type table_types[BLOCKMAP_LEVELS] = {
	{.name = "indirect block", .verify = table_verify},
	{.name = "double indirect block", .verify = table_verify},
	{.name = "triple indirect block", .verify = table_verify},
};

int blockmap_table_get(struct e4_inode *inode, uint32_t block, unsigned levels,
	struct buf **ret_buf)
{
	return buf_get(inode->fs, block, &table_types[levels - 1], inode->ino, inode->generation,
		ret_buf);
}

int blockmap_table_new(struct handle *h, struct e4_inode *inode, unsigned levels, uint64_t goal,
	struct buf **ret_buf)
{
	return metablock_new_node(h, inode, &table_types[levels - 1], goal, ret_buf);
}

uint64_t blockmap_span(const struct e4_fs *fs, unsigned levels)
{
	uint64_t blocks = 1;

	while (levels-- > 0)
		blocks *= blockmap_entries(fs);
	return blocks;
}

uint64_t blockmap_base(const struct e4_fs *fs, unsigned slot)
{
	uint64_t base = slot;

	if (slot <= BLOCKMAP_DIRECT)
		return base;
	base = BLOCKMAP_DIRECT;
	for (unsigned levels = 1; levels <= slot - BLOCKMAP_DIRECT; levels++)
		base += blockmap_span(fs, levels);
	return base;
}

bool blockmap_place(const struct e4_fs *fs, uint64_t lblk, struct blockmap_place *ret_place)
{
	struct blockmap_place place = {0};

	if (lblk < BLOCKMAP_DIRECT) {
		place.index[0] = (uint32_t)lblk;
		*ret_place = place;
		return true;
	}
	lblk -= BLOCKMAP_DIRECT;
	for (place.levels = 1; place.levels <= BLOCKMAP_LEVELS; place.levels++) {
		if (lblk < blockmap_span(fs, place.levels))
			break;
		lblk -= blockmap_span(fs, place.levels);
	}
	if (place.levels > BLOCKMAP_LEVELS)
		return false;
	place.index[0] = BLOCKMAP_DIRECT + place.levels - 1;
	for (unsigned i = 1; i <= place.levels; i++)
		place.index[i] = (uint32_t)(lblk / blockmap_span(fs, place.levels - i)) %
			blockmap_entries(fs);
	*ret_place = place;
	return true;
}

uint32_t blockmap_count_run(const le32 *slots, uint32_t max)
{
	uint32_t first = le32_get(slots[0]), count = 1;

	while (count < max && le32_get(slots[count]) == (first ? first + count : 0))
		count++;
	return count;
}

int blockmap_check_run(const struct e4_inode *inode, const struct extent_run *run)
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

/* Tables that a file of so many blocks has. */
static uint64_t tables_of(const struct e4_fs *fs, uint64_t blocks)
{
	uint64_t tables = 0, base = BLOCKMAP_DIRECT;

	for (unsigned levels = 1; levels <= BLOCKMAP_LEVELS && blocks > base; levels++) {
		uint64_t here = min_u64(blocks - base, blockmap_span(fs, levels));

		for (unsigned below = 1; below <= levels; below++)
			tables += div_round_up_u64(here, blockmap_span(fs, below));
		base += blockmap_span(fs, levels);
	}
	return tables;
}

uint64_t blockmap_max_bytes(const struct e4_fs *fs)
{
	bool huge = fs_has_ro_compat(fs, EXT4_FEATURE_RO_COMPAT_HUGE_FILE);
	uint64_t countable = huge ? (1ull << 48) - 1 : UINT32_MAX >> (fs->block_bits - 9);
	uint64_t blocks = blockmap_base(fs, BLOCKMAP_DIRECT + BLOCKMAP_LEVELS);

	/* As the kernel: tables of a file as large as if it had none. */
	if (blocks + tables_of(fs, blocks) > countable)
		blocks = countable - tables_of(fs, countable);
	return fs_blocks_to_bytes(fs, blocks);
}
