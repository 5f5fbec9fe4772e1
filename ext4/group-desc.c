/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Group descriptors: where they lie, what is in them, and which blocks are no file's. */
#include "ext4/group-desc.h"

#include <errno.h>

enum {
	/* What a check of one run may cost is bounded, at 1024 descriptors more than the run's own. */
	FLEX_BITS_CHECKED = 10,
};

bool group_has_desc_csum(const struct e4_fs *fs)
{
	return fs_has_csum(fs) || fs_has_ro_compat(fs, EXT4_FEATURE_RO_COMPAT_GDT_CSUM);
}

/* ---- where they lie -------------------------------------------------------------------- */

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

uint32_t group_meta_blocks(const struct e4_fs *fs, uint32_t index)
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

/* ---- what is in them ------------------------------------------------------------------- */

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

static void desc_locations(const struct e4_fs *fs, const struct ext4_group_desc *raw, struct group_desc *d)
{
	d->block_bitmap = le32toh(raw->bg_block_bitmap);
	d->inode_bitmap = le32toh(raw->bg_inode_bitmap);
	d->inode_table = le32toh(raw->bg_inode_table);
	if (!group_desc_is_64(fs))
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
	if (!group_desc_is_64(fs))
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
	if (group_desc_is_64(fs)) {
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
		if (overlaps(block, count, group_first_block(fs, g), group_meta_blocks(fs, g)))
			return -EUCLEAN;
	/* A flex group's first groups hold the tables of all of them. */
	if (fs_has_incompat(fs, EXT4_FEATURE_INCOMPAT_FLEX_BG))
		flex = 1u << min_u64(fs->super.s_log_groups_per_flex, FLEX_BITS_CHECKED);
	return check_tables(fs, first - first % flex,
		min_u64(fs->group_count, (uint64_t)last - last % flex + flex), block, count);
}
