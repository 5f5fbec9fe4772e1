/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bitmaps of groups: read and verified, or built where a group is not initialised. */
#include <string.h>

#include "ext4/group-desc.h"

static uint32_t bitmap_csum(const struct e4_fs *fs, const struct buf *bitmap, uint32_t bits)
{
	uint32_t crc = fs_crc32c(fs->csum_seed, bitmap->data, bits / 8);

	return group_desc_is_64(fs) ? crc : crc & 0xffff;
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
			group_meta_blocks(fs, index)))
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
	mark_if_inside(fs, index, buf->data, group_first_block(fs, index), group_meta_blocks(fs, index));
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
