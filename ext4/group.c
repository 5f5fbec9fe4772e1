/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Block groups.
 *
 * Invariants:
 * 1. Nothing here is proportional to the volume: a record exists for groups that were touched, in
 *    pages of GROUPS_PER_PAGE; descriptors and bitmaps live in the block cache.
 * 2. Several descriptors share a block. Each group's bytes change under that group's lock only, and
 *    where its bitmaps and inode table lie never changes, so it may be read without the lock.
 * 3. A bit that is clear in a bitmap but set in pending_* was freed by a transaction that is not on
 *    the medium yet; it is given out only after group_pend()'s commit callback has cleared it.
 *
 * Source: kernel Documentation/filesystems/ext4/{group_descr,bitmaps,blockgroup}.rst
 */
#include "ext4/group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	GROUPS_PER_PAGE = 64,
	/* What a check of one run may cost is bounded, at 1024 descriptors more than the run's own. */
	FLEX_BITS_CHECKED = 10,
};

struct group_table {
	pthread_mutex_t lock; /* pages */
	struct group **pages;
	uint32_t page_count;
	_Atomic uint64_t pending; /* blocks and inodes */
};

int groups_start(struct e4_fs *fs)
{
	struct group_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->page_count = div_round_up_u64(fs->group_count, GROUPS_PER_PAGE);
	table->pages = calloc(table->page_count, sizeof(*table->pages));
	if (!table->pages) {
		free(table);
		return -ENOMEM;
	}
	pthread_mutex_init(&table->lock, NULL);
	fs->groups = table;
	return 0;
}

void groups_stop(struct e4_fs *fs)
{
	struct group_table *table = fs->groups;

	if (!table)
		return;
	for (uint32_t i = 0; i < table->page_count; i++) {
		for (uint32_t j = 0; table->pages[i] && j < GROUPS_PER_PAGE; j++) {
			free(table->pages[i][j].pending_blocks);
			free(table->pages[i][j].pending_inodes);
			pthread_mutex_destroy(&table->pages[i][j].lock);
		}
		free(table->pages[i]);
	}
	free(table->pages);
	pthread_mutex_destroy(&table->lock);
	free(table);
	fs->groups = NULL;
}

static struct group *page_new(uint32_t first)
{
	struct group *page = calloc(GROUPS_PER_PAGE, sizeof(*page));

	for (uint32_t i = 0; page && i < GROUPS_PER_PAGE; i++) {
		page[i].index = first + i;
		page[i].longest_free_hint = UINT32_MAX;
		pthread_mutex_init(&page[i].lock, NULL);
	}
	return page;
}

int group_get(struct e4_fs *fs, uint32_t index, struct group **ret_group)
{
	struct group_table *table = fs->groups;
	struct group *page;

	if (index >= fs->group_count)
		return fs_damaged(fs, "block group %u does not exist", index);
	pthread_mutex_lock(&table->lock);
	page = table->pages[index / GROUPS_PER_PAGE];
	if (!page)
		page = table->pages[index / GROUPS_PER_PAGE] = page_new(index - index % GROUPS_PER_PAGE);
	pthread_mutex_unlock(&table->lock);
	if (!page)
		return -ENOMEM;
	*ret_group = &page[index % GROUPS_PER_PAGE];
	return 0;
}

bool groups_have_pending(struct e4_fs *fs)
{
	return atomic_load(&fs->groups->pending) > 0;
}

/* ---- geometry -------------------------------------------------------------------------- */

uint64_t group_first_block(const struct e4_fs *fs, uint32_t index)
{
	return fs->first_data_block + (uint64_t)index * fs->blocks_per_group;
}

uint32_t group_blocks(const struct e4_fs *fs, uint32_t index)
{
	return min_u64(fs->blocks_per_group, fs->blocks_count - group_first_block(fs, index));
}

static bool is_power_of(uint32_t value, uint32_t base)
{
	while (value > 1 && value % base == 0)
		value /= base;
	return value == 1;
}

bool group_has_super(const struct e4_fs *fs, uint32_t index)
{
	if (index == 0)
		return true;
	if (fs_has_compat(fs, EXT4_FEATURE_COMPAT_SPARSE_SUPER2))
		return index == le32toh(fs->super.s_backup_bgs[0]) ||
		       index == le32toh(fs->super.s_backup_bgs[1]);
	if (!fs_has_ro_compat(fs, EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER))
		return true;
	return is_power_of(index, 3) || is_power_of(index, 5) || is_power_of(index, 7);
}

bool group_has_desc_csum(const struct e4_fs *fs)
{
	return fs_has_csum(fs) || fs_has_ro_compat(fs, EXT4_FEATURE_RO_COMPAT_GDT_CSUM);
}

static bool in_meta_bg(const struct e4_fs *fs, uint32_t index)
{
	return fs_has_incompat(fs, EXT2_FEATURE_INCOMPAT_META_BG) &&
	       index / fs->descs_per_block >= le32toh(fs->super.s_first_meta_bg);
}

/* The first block behind the super block. With clusters and 1 KiB blocks group 0 begins before it. */
static uint64_t behind_super(const struct e4_fs *fs)
{
	return 1024 / fs->block_bytes + 1;
}

/* The block that holds the group's descriptor (the first copy). */
static uint64_t desc_block(const struct e4_fs *fs, uint32_t index)
{
	uint32_t first;

	if (!in_meta_bg(fs, index))
		return behind_super(fs) + index / fs->descs_per_block;
	first = index - index % fs->descs_per_block;
	if (first == 0)
		return behind_super(fs);
	return group_first_block(fs, first) + group_has_super(fs, first);
}

/* Descriptor blocks that lie in one piece behind the super block, not in meta groups. */
static uint32_t joined_desc_blocks(const struct e4_fs *fs)
{
	uint32_t blocks = div_round_up_u64(fs->group_count, fs->descs_per_block);

	if (fs_has_incompat(fs, EXT2_FEATURE_INCOMPAT_META_BG))
		blocks = min_u64(blocks, le32toh(fs->super.s_first_meta_bg));
	return blocks;
}

/* Blocks at the start of a group taken by its copies of super block and descriptors. */
static uint32_t base_meta_blocks(const struct e4_fs *fs, uint32_t index)
{
	uint32_t blocks = group_has_super(fs, index);

	if (in_meta_bg(fs, index)) {
		uint32_t at = index % fs->descs_per_block;

		return blocks + (at == 0 || at == 1 || at == fs->descs_per_block - 1);
	}
	if (!blocks)
		return 0;
	return 1 + joined_desc_blocks(fs) + le16toh(fs->super.s_reserved_gdt_blocks);
}

/* ---- descriptors ----------------------------------------------------------------------- */

static const struct buf_type desc_type = {.name = "group descriptors", .allocation = true};

/* CRC-16 with the polynomial 0x8005, reflected, as uninit_bg uses it. */
static uint16_t crc16(uint16_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0xa001 : crc >> 1;
	}
	return crc;
}

static uint16_t desc_csum(const struct e4_fs *fs, uint32_t index, const uint8_t *raw)
{
	const size_t at = offsetof(struct ext4_group_desc, bg_checksum);
	uint32_t le_index = htole32(index);
	uint16_t zero = 0;

	if (fs_has_csum(fs)) {
		uint32_t crc = fs_crc32c(fs->csum_seed, &le_index, sizeof(le_index));

		crc = fs_crc32c(crc, raw, at);
		crc = fs_crc32c(crc, &zero, sizeof(zero));
		if (at + 2 < fs->desc_bytes)
			crc = fs_crc32c(crc, raw + at + 2, fs->desc_bytes - at - 2);
		return crc;
	}
	uint16_t crc = crc16(~0, fs->super.s_uuid, sizeof(fs->super.s_uuid));

	crc = crc16(crc, &le_index, sizeof(le_index));
	crc = crc16(crc, raw, at);
	if (at + 2 < fs->desc_bytes)
		crc = crc16(crc, raw + at + 2, fs->desc_bytes - at - 2);
	return crc;
}

static int desc_buf(struct e4_fs *fs, uint32_t index, struct buf **ret_buf)
{
	if (index >= fs->group_count)
		return fs_damaged(fs, "block group %u does not exist", index);
	return buf_get(fs, desc_block(fs, index), &desc_type, 0, 0, ret_buf);
}

static struct ext4_group_desc *desc_in(const struct e4_fs *fs, struct buf *buf, uint32_t index)
{
	return (void *)(buf->data + index % fs->descs_per_block * fs->desc_bytes);
}

static bool desc_is_64(const struct e4_fs *fs)
{
	return fs->desc_bytes >= EXT2_MIN_DESC_SIZE_64BIT;
}

static void desc_locations(const struct e4_fs *fs, const struct ext4_group_desc *raw, struct group_desc *d)
{
	d->block_bitmap = le32toh(raw->bg_block_bitmap);
	d->inode_bitmap = le32toh(raw->bg_inode_bitmap);
	d->inode_table = le32toh(raw->bg_inode_table);
	if (!desc_is_64(fs))
		return;
	d->block_bitmap |= (uint64_t)le32toh(raw->bg_block_bitmap_hi) << 32;
	d->inode_bitmap |= (uint64_t)le32toh(raw->bg_inode_bitmap_hi) << 32;
	d->inode_table |= (uint64_t)le32toh(raw->bg_inode_table_hi) << 32;
}

static void desc_decode(const struct e4_fs *fs, const struct ext4_group_desc *raw, struct group_desc *d)
{
	*d = (struct group_desc){
		.free_blocks = le16toh(raw->bg_free_blocks_count),
		.free_inodes = le16toh(raw->bg_free_inodes_count),
		.used_dirs = le16toh(raw->bg_used_dirs_count),
		.itable_unused = le16toh(raw->bg_itable_unused),
		.block_bitmap_csum = le16toh(raw->bg_block_bitmap_csum_lo),
		.inode_bitmap_csum = le16toh(raw->bg_inode_bitmap_csum_lo),
		.flags = le16toh(raw->bg_flags),
	};
	desc_locations(fs, raw, d);
	if (!desc_is_64(fs))
		return;
	d->free_blocks |= (uint32_t)le16toh(raw->bg_free_blocks_count_hi) << 16;
	d->free_inodes |= (uint32_t)le16toh(raw->bg_free_inodes_count_hi) << 16;
	d->used_dirs |= (uint32_t)le16toh(raw->bg_used_dirs_count_hi) << 16;
	d->itable_unused |= (uint32_t)le16toh(raw->bg_itable_unused_hi) << 16;
	d->block_bitmap_csum |= (uint32_t)le16toh(raw->bg_block_bitmap_csum_hi) << 16;
	d->inode_bitmap_csum |= (uint32_t)le16toh(raw->bg_inode_bitmap_csum_hi) << 16;
}

/* Where a group's metadata may be: behind the super block and the descriptors, inside the volume. */
static bool location_ok(const struct e4_fs *fs, uint64_t block, uint64_t count)
{
	return block >= behind_super(fs) + joined_desc_blocks(fs) &&
	       range_inside(block, count, fs->blocks_count);
}

int group_desc_load(struct e4_fs *fs, uint32_t index, struct group_desc *ret_desc)
{
	CLEANUP_BUF struct buf *buf = NULL;
	struct ext4_group_desc *raw;
	struct group_desc d;
	int r = desc_buf(fs, index, &buf);

	if (r < 0)
		return r;
	raw = desc_in(fs, buf, index);
	if (group_has_desc_csum(fs) &&
		le16toh(raw->bg_checksum) != desc_csum(fs, index, (const uint8_t *)raw))
		return fs_damaged(fs, "group %u: wrong descriptor checksum", index);
	desc_decode(fs, raw, &d);
	if (!group_has_desc_csum(fs)) {
		d.flags &= ~(EXT2_BG_INODE_UNINIT | EXT2_BG_BLOCK_UNINIT);
		d.itable_unused = 0;
	}
	if (!location_ok(fs, d.block_bitmap, 1) || !location_ok(fs, d.inode_bitmap, 1) ||
		!location_ok(fs, d.inode_table, fs->inode_blocks_per_group))
		return fs_damaged(fs, "group %u: bitmap or inode table outside the volume", index);
	if (d.free_blocks > group_blocks(fs, index) || d.free_inodes > fs->inodes_per_group ||
		d.itable_unused > fs->inodes_per_group || d.used_dirs > fs->inodes_per_group)
		return fs_damaged(fs, "group %u: impossible counts", index);
	*ret_desc = d;
	return 0;
}

int group_desc_pin(struct e4_fs *fs, uint32_t index, struct buf **ret_buf)
{
	return desc_buf(fs, index, ret_buf);
}

int group_desc_store(struct handle *h, uint32_t index, const struct group_desc *d)
{
	struct e4_fs *fs = h->fs;
	CLEANUP_BUF struct buf *buf = NULL;
	struct ext4_group_desc *raw;
	int r = desc_buf(fs, index, &buf);

	if (r < 0)
		return r;
	raw = desc_in(fs, buf, index);
	r = buf_modify(h, buf);
	if (r < 0)
		return r;
	raw->bg_free_blocks_count = htole16(d->free_blocks);
	raw->bg_free_inodes_count = htole16(d->free_inodes);
	raw->bg_used_dirs_count = htole16(d->used_dirs);
	if (group_has_desc_csum(fs))
		raw->bg_itable_unused = htole16(d->itable_unused);
	raw->bg_block_bitmap_csum_lo = htole16(d->block_bitmap_csum);
	raw->bg_inode_bitmap_csum_lo = htole16(d->inode_bitmap_csum);
	raw->bg_flags = htole16(d->flags);
	if (desc_is_64(fs)) {
		raw->bg_free_blocks_count_hi = htole16(d->free_blocks >> 16);
		raw->bg_free_inodes_count_hi = htole16(d->free_inodes >> 16);
		raw->bg_used_dirs_count_hi = htole16(d->used_dirs >> 16);
		raw->bg_itable_unused_hi = htole16(d->itable_unused >> 16);
		raw->bg_block_bitmap_csum_hi = htole16(d->block_bitmap_csum >> 16);
		raw->bg_inode_bitmap_csum_hi = htole16(d->inode_bitmap_csum >> 16);
	}
	if (group_has_desc_csum(fs))
		raw->bg_checksum = htole16(desc_csum(fs, index, (const uint8_t *)raw));
	return 0;
}

/* ---- bitmaps --------------------------------------------------------------------------- */

static uint32_t bitmap_csum(const struct e4_fs *fs, const struct buf *bitmap, uint32_t bits)
{
	uint32_t crc = fs_crc32c(fs->csum_seed, bitmap->data, bits / 8);

	return desc_is_64(fs) ? crc : crc & 0xffff;
}

void group_block_bitmap_seal(struct e4_fs *fs, const struct buf *bitmap, struct group_desc *desc)
{
	if (fs_has_csum(fs))
		desc->block_bitmap_csum = bitmap_csum(fs, bitmap, fs->blocks_per_group);
}

void group_inode_bitmap_seal(struct e4_fs *fs, const struct buf *bitmap, struct group_desc *desc)
{
	if (fs_has_csum(fs))
		desc->inode_bitmap_csum = bitmap_csum(fs, bitmap, fs->inodes_per_group);
}

/* Sets the bits of [block, block+count) that lie in the group. */
static void mark_if_inside(const struct e4_fs *fs, uint32_t index, uint8_t *bits, uint64_t block, uint64_t count)
{
	uint64_t first = group_first_block(fs, index), end = first + group_blocks(fs, index);

	for (uint64_t b = max_u64(block, first); b < min_u64(block + count, end); b++)
		bitmap_set(bits, b - first);
}

static bool marked_if_inside(const struct e4_fs *fs, uint32_t index, const uint8_t *bits,
	uint64_t block, uint64_t count)
{
	uint64_t first = group_first_block(fs, index), end = first + group_blocks(fs, index);

	for (uint64_t b = max_u64(block, first); b < min_u64(block + count, end); b++)
		if (!bitmap_test(bits, b - first))
			return false;
	return true;
}

/* Called by buf_get() below, so with the group's lock held; owner_ino is the group's number. */
static int block_bitmap_verify(struct e4_fs *fs, struct buf *buf)
{
	uint32_t index = buf->owner_ino;
	struct group_desc d;
	int r = group_desc_load(fs, index, &d);

	if (r < 0)
		return r;
	if (fs_has_csum(fs) && bitmap_csum(fs, buf, fs->blocks_per_group) != d.block_bitmap_csum)
		return fs_damaged(fs, "group %u: wrong block bitmap checksum", index);
	if (!marked_if_inside(fs, index, buf->data, d.block_bitmap, 1) ||
		!marked_if_inside(fs, index, buf->data, d.inode_bitmap, 1) ||
		!marked_if_inside(fs, index, buf->data, d.inode_table, fs->inode_blocks_per_group) ||
		!marked_if_inside(fs, index, buf->data, group_first_block(fs, index),
			base_meta_blocks(fs, index)))
		return fs_damaged(fs, "group %u: block bitmap shows metadata as free", index);
	return 0;
}

static int inode_bitmap_verify(struct e4_fs *fs, struct buf *buf)
{
	uint32_t index = buf->owner_ino;
	struct group_desc d;
	int r = group_desc_load(fs, index, &d);

	if (r < 0)
		return r;
	if (fs_has_csum(fs) && bitmap_csum(fs, buf, fs->inodes_per_group) != d.inode_bitmap_csum)
		return fs_damaged(fs, "group %u: wrong inode bitmap checksum", index);
	return 0;
}

static const struct buf_type block_bitmap_type = {
	.name = "block bitmap", .verify = block_bitmap_verify, .allocation = true};
static const struct buf_type inode_bitmap_type = {
	.name = "inode bitmap", .verify = inode_bitmap_verify, .allocation = true};

static void set_padding(const struct e4_fs *fs, uint8_t *bits, uint32_t from)
{
	uint32_t bit = from, end = fs->block_bytes * 8;

	while (bit < end && bit % 8)
		bitmap_set(bits, bit++);
	if (bit < end)
		memset(bits + bit / 8, 0xff, (end - bit) / 8);
}

int group_block_bitmap(struct e4_fs *fs, struct group *group, const struct group_desc *desc,
	struct buf **ret_buf)
{
	uint32_t index = group->index;
	struct buf *buf;
	int r;

	if (!(desc->flags & EXT2_BG_BLOCK_UNINIT))
		return buf_get(fs, desc->block_bitmap, &block_bitmap_type, index, 0, ret_buf);
	r = buf_get_zeroed(fs, desc->block_bitmap, &block_bitmap_type, index, 0, &buf);
	if (r < 0)
		return r;
	mark_if_inside(fs, index, buf->data, group_first_block(fs, index), base_meta_blocks(fs, index));
	mark_if_inside(fs, index, buf->data, desc->block_bitmap, 1);
	mark_if_inside(fs, index, buf->data, desc->inode_bitmap, 1);
	mark_if_inside(fs, index, buf->data, desc->inode_table, fs->inode_blocks_per_group);
	set_padding(fs, buf->data, group_blocks(fs, index));
	*ret_buf = buf;
	return 0;
}

int group_inode_bitmap(struct e4_fs *fs, struct group *group, const struct group_desc *desc,
	struct buf **ret_buf)
{
	struct buf *buf;
	int r;

	if (!(desc->flags & EXT2_BG_INODE_UNINIT))
		return buf_get(fs, desc->inode_bitmap, &inode_bitmap_type, group->index, 0, ret_buf);
	r = buf_get_zeroed(fs, desc->inode_bitmap, &inode_bitmap_type, group->index, 0, &buf);
	if (r < 0)
		return r;
	set_padding(fs, buf->data, fs->inodes_per_group);
	*ret_buf = buf;
	return 0;
}

/* ---- pending frees --------------------------------------------------------------------- */

struct pend {
	struct e4_fs *fs;
	struct group *group;
	bool inodes;
	uint32_t start, count;
};

static int pend_bits(struct e4_fs *fs, struct group *group, bool inodes, uint32_t start, uint32_t count)
{
	uint8_t **bits = inodes ? &group->pending_inodes : &group->pending_blocks;

	if (!*bits)
		*bits = calloc(1, fs->block_bytes);
	if (!*bits)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		bitmap_set(*bits, start + i);
	if (inodes)
		group->pending_inode_count += count;
	else
		group->pending_block_count += count;
	return 0;
}

static void unpend_bits(struct group *group, bool inodes, uint32_t start, uint32_t count)
{
	uint8_t **bits = inodes ? &group->pending_inodes : &group->pending_blocks;
	uint32_t *left = inodes ? &group->pending_inode_count : &group->pending_block_count;

	for (uint32_t i = 0; i < count; i++)
		bitmap_clear(*bits, start + i);
	*left -= count;
	if (*left == 0) {
		free(*bits);
		*bits = NULL;
	}
	if (!inodes)
		group->longest_free_hint = UINT32_MAX;
}

/* The transaction is on the medium. When it failed the volume is read-only, and nothing that was
 * freed is given out ever again. */
static void pend_done(void *ctx, int err)
{
	struct pend *p = ctx;
	struct group *g = p->group;

	pthread_mutex_lock(&g->lock);
	if (err == 0) {
		unpend_bits(g, p->inodes, p->start, p->count);
		atomic_fetch_sub(&p->fs->groups->pending, p->count);
	}
	pthread_mutex_unlock(&g->lock);
	free(p);
}

int group_pend(struct handle *h, struct group *group, bool inodes, uint32_t start, uint32_t count)
{
	struct pend *p = malloc(sizeof(*p));
	int r = -ENOMEM;

	if (p) {
		*p = (struct pend){h->fs, group, inodes, start, count};
		r = pend_bits(h->fs, group, inodes, start, count);
		if (r == 0) {
			r = txn_on_commit(h, pend_done, p);
			if (r < 0)
				unpend_bits(group, inodes, start, count);
		}
	}
	if (r < 0) {
		free(p);
		return r;
	}
	atomic_fetch_add(&h->fs->groups->pending, count);
	return 0;
}

int group_hold(struct e4_fs *fs, struct group *group, uint32_t start, uint32_t count)
{
	return pend_bits(fs, group, false, start, count);
}

void group_release(struct group *group, uint32_t start, uint32_t count)
{
	unpend_bits(group, false, start, count);
}

/* ---- whose block is it ----------------------------------------------------------------- */

static bool overlaps(uint64_t a, uint64_t a_count, uint64_t b, uint64_t b_count)
{
	return a_count && b_count && a < b + b_count && b < a + a_count;
}

/* Bitmaps and inode tables of the groups [first, end). */
static int check_tables(struct e4_fs *fs, uint32_t first, uint32_t end, uint64_t block, uint64_t count)
{
	CLEANUP_BUF struct buf *buf = NULL;

	for (uint32_t g = first; g < end; g++) {
		struct group_desc d;
		int r;

		if (!buf || g % fs->descs_per_block == 0) {
			buf_put(take_ptr(buf));
			r = desc_buf(fs, g, &buf);
			if (r < 0)
				return r;
		}
		desc_locations(fs, desc_in(fs, buf, g), &d);
		if (overlaps(block, count, d.block_bitmap, 1) || overlaps(block, count, d.inode_bitmap, 1) ||
			overlaps(block, count, d.inode_table, fs->inode_blocks_per_group))
			return -EUCLEAN;
	}
	return 0;
}

int group_check_data_blocks(struct e4_fs *fs, uint64_t block, uint64_t count)
{
	uint32_t first, last, flex = 1;

	if (count == 0 || !range_inside(block, count, fs->blocks_count) ||
		block < behind_super(fs) + joined_desc_blocks(fs))
		return -EUCLEAN;
	first = (block - fs->first_data_block) / fs->blocks_per_group;
	last = (block + count - 1 - fs->first_data_block) / fs->blocks_per_group;
	for (uint32_t g = first; g <= last; g++)
		if (overlaps(block, count, group_first_block(fs, g), base_meta_blocks(fs, g)))
			return -EUCLEAN;
	/* A flex group's first groups hold the tables of all of them. */
	if (fs_has_incompat(fs, EXT4_FEATURE_INCOMPAT_FLEX_BG))
		flex = 1u << min_u64(fs->super.s_log_groups_per_flex, FLEX_BITS_CHECKED);
	return check_tables(fs, first - first % flex,
		min_u64(fs->group_count, (uint64_t)last - last % flex + flex), block, count);
}
