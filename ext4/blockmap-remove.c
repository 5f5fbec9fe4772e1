/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Blocks out of a block map, from the end of the range backwards, with the tables that become
 * empty. The map is whole after every step, so whatever stops it in between has only left more of
 * the file. A table that leads to blocks of another one ends at the first block freed twice.
 */
#include "ext4/balloc.h"
#include "ext4/blockmap-table.h"

/* One call of blockmap_remove(). */
struct cut {
	struct handle *h;
	struct e4_inode *inode;
	uint64_t from, end;
	unsigned credits;    /* left for more tables and groups */
	uint32_t revokes;    /* left for more blocks of metadata */
	uint64_t last_group; /* UINT64_MAX: none yet */
	bool spent;
};

static bool pay(struct cut *c, unsigned credits)
{
	if (c->credits < credits) {
		c->spent = true;
		return false;
	}
	c->credits -= credits;
	return true;
}

static bool pay_group(struct cut *c, uint64_t group)
{
	if (c->last_group == group)
		return true;
	if (!pay(c, BALLOC_CREDITS))
		return false;
	c->last_group = group;
	return true;
}

static uint64_t group_of(const struct e4_fs *fs, uint32_t block)
{
	return block < fs->first_data_block ? 0 :
		(block - fs->first_data_block) / fs->blocks_per_group;
}

/* Frees the blocks that `count` slots, in buf (NULL: in the inode), point to: one run. */
static int cut_slots(struct cut *c, le32 *slots, uint32_t count, struct buf *buf, bool metadata)
{
	struct e4_inode *inode = c->inode;
	int r = buf ? buf_modify(c->h, buf) : 0;

	if (r == 0)
		r = balloc_free(c->h, le32_get(slots[0]), count, metadata);
	if (r < 0)
		return r;
	memset(slots, 0, count * sizeof(*slots));
	inode->blocks -= min_u64(inode->blocks, (uint64_t)count << (inode->fs->block_bits - 9));
	return 0;
}

/* Data blocks of the slots [first, end), from the last one backwards. */
static int cut_data(struct cut *c, le32 *slots, uint32_t first, uint32_t end, struct buf *buf)
{
	const struct e4_fs *fs = c->inode->fs;
	bool metadata = !inode_is_reg(c->inode);

	while (end > first) {
		uint32_t block = le32_get(slots[--end]), count = 1;
		uint64_t group = group_of(fs, block);
		int r;

		if (!block)
			continue;
		while (end > first && block > 1 && le32_get(slots[end - 1]) == block - 1 &&
			group_of(fs, block - 1) == group && !(metadata && count >= c->revokes)) {
			block--;
			end--;
			count++;
		}
		if (metadata && c->revokes == 0)
			c->spent = true;
		if (c->spent || !pay_group(c, group))
			return 0;
		r = cut_slots(c, slots + end, count, buf, metadata);
		if (r < 0)
			return r;
		c->revokes -= metadata ? count : 0;
	}
	return 0;
}

static int cut_table(struct cut *c, le32 *slot, struct buf *slot_buf, unsigned levels,
	uint64_t base);

/* The table's slots that lie in the range; each has `levels` tables below it. */
static int cut_inside(struct cut *c, struct buf *buf, unsigned levels, uint64_t base)
{
	const struct e4_fs *fs = c->inode->fs;
	uint64_t under = blockmap_span(fs, levels);
	uint64_t total = base + under * blockmap_entries(fs);
	uint32_t first = c->from > base ? (uint32_t)((c->from - base) / under) : 0;
	uint32_t end = (uint32_t)div_round_up_u64(min_u64(c->end, total) - base, under);
	int r = 0;

	if (!levels)
		return cut_data(c, blockmap_slots(buf), first, end, buf);
	while (r == 0 && !c->spent && end-- > first)
		r = cut_table(c, blockmap_slots(buf) + end, buf, levels, base + end * under);
	return r;
}

/* What lies in the range below the table that slot (in slot_buf) points to; base: the first block
 * below it. */
static int cut_table(struct cut *c, le32 *slot, struct buf *slot_buf, unsigned levels,
	uint64_t base)
{
	const struct e4_fs *fs = c->inode->fs;
	CLEANUP_BUF struct buf *buf = NULL;
	int r;

	if (!le32_get(*slot) || base >= c->end || base + blockmap_span(fs, levels) <= c->from ||
		!pay(c, 1))
		return 0;
	r = blockmap_table_get(c->inode, le32_get(*slot), levels, &buf);
	if (r == 0)
		r = cut_inside(c, buf, levels - 1, base);
	if (r < 0 || c->spent || !bytes_all_zero(buf->data, fs->block_bytes) ||
		!pay_group(c, group_of(fs, le32_get(*slot))))
		return r;
	buf_put(take_ptr(buf));
	return cut_slots(c, slot, 1, slot_buf, true);
}

int blockmap_remove(struct handle *h, struct e4_inode *inode, uint32_t from, uint32_t to,
	bool *ret_done)
{
	struct cut c = {
		.h = h,
		.inode = inode,
		.from = from,
		.end = (uint64_t)to + 1,
		.credits = EXTENT_REMOVE_CREDITS - INODE_CREDITS,
		.revokes = EXTENT_REMOVE_REVOKES,
		.last_group = UINT64_MAX,
	};
	le32 *root = blockmap_root(inode);
	int r = 0;

	for (unsigned levels = BLOCKMAP_LEVELS; r == 0 && !c.spent && levels >= 1; levels--) {
		unsigned slot = BLOCKMAP_DIRECT + levels - 1;

		r = cut_table(&c, &root[slot], NULL, levels, blockmap_base(inode->fs, slot));
	}
	if (r == 0 && !c.spent && from < BLOCKMAP_DIRECT)
		r = cut_data(&c, root, from, (uint32_t)min_u64(c.end, BLOCKMAP_DIRECT), NULL);
	if (r == 0)
		*ret_done = !c.spent;
	return r;
}
