/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checksums as the format's documentation has them, computed apart from the core's code.
 * Source: kernel Documentation/filesystems/ext4/checksums.rst, journal.rst
 */
#include <endian.h>
#include <ext2fs/ext2fs.h>
#include <string.h>

#include "ext4/jbd2.h"
#include "tests/hostile/spot.h"

static uint32_t crc(uint32_t seed, const void *data, size_t len)
{
	return ext2fs_crc32c_le(seed, data, len);
}

/* With the bytes [at, at + len_zero) as if they were zero. */
static uint32_t crc_without(uint32_t seed, const uint8_t *data, size_t len, size_t at, size_t len_zero)
{
	static const uint8_t zero[4];

	seed = crc(crc(seed, data, at), zero, len_zero);
	return crc(seed, data + at + len_zero, len - at - len_zero);
}

/* CRC-16, bit by bit: polynomial 0x8005, reflected. */
static uint32_t crc16(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		sum ^= p[i];
		for (unsigned bit = 0; bit < 8; bit++)
			sum = sum >> 1 ^ (sum & 1 ? 0xa001 : 0);
	}
	return sum;
}

static void put16(uint8_t *p, uint32_t v)
{
	memcpy(p, &(uint16_t){htole16((uint16_t)v)}, 2);
}

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &(uint32_t){htole32(v)}, 4);
}

static void put_be(uint8_t *p, uint32_t v)
{
	memcpy(p, &(uint32_t){htobe32(v)}, 4);
}

static uint32_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, 2);
	return le16toh(v);
}

static uint32_t seed_of(const struct spots *s, const struct spot *spot)
{
	uint32_t number = htole32(spot->number), generation = htole32(spot->generation);

	return crc(crc(s->csum_seed, &number, 4), &generation, 4);
}

static void repair_inode(const struct spots *s, const struct spot *spot, uint8_t *raw)
{
	struct ext2_inode_large *inode = (void *)raw;
	uint32_t number = htole32(spot->number), sum = crc(s->csum_seed, &number, 4);
	bool high = s->inode_bytes > 128 && get16(raw + 128) >= 4;

	sum = crc(sum, &inode->i_generation, 4);
	put16(raw + offsetof(struct ext2_inode_large, osd2.linux2.l_i_checksum_lo), 0);
	if (high)
		inode->i_checksum_hi = 0;
	sum = crc(sum, raw, s->inode_bytes);
	put16(raw + offsetof(struct ext2_inode_large, osd2.linux2.l_i_checksum_lo), sum);
	if (high)
		inode->i_checksum_hi = htole16((uint16_t)(sum >> 16));
}

static void repair_group(const struct spots *s, const struct spot *spot, uint8_t *desc)
{
	uint32_t number = htole32(spot->number);
	size_t at = offsetof(struct ext2_group_desc, bg_checksum);

	if (s->has_sums) {
		put16(desc + at, crc_without(crc(s->csum_seed, &number, 4), desc, s->desc_bytes, at, 2));
	} else if (s->has_group_sums) {
		uint32_t sum = crc16(0xffff, s->uuid, sizeof(s->uuid));

		sum = crc16(crc16(sum, &number, 4), desc, at);
		put16(desc + at, crc16(sum, desc + at + 2, s->desc_bytes - at - 2));
	}
}

static void repair_bitmap(const struct spots *s, const struct spot *spot, uint8_t *image)
{
	bool blocks = spot->kind == SPOT_BLOCK_BITMAP;
	uint32_t bits = blocks ? s->blocks_per_group : s->inodes_per_group;
	uint32_t sum = crc(s->csum_seed, image + spot->at, bits / 8);

	for (size_t i = 0; i < s->count; i++) {
		uint8_t *desc = image + s->all[i].at;

		if (s->all[i].kind != SPOT_GROUP || s->all[i].number != spot->number)
			continue;
		put16(desc + (blocks ? 0x18 : 0x1a), sum);
		if (s->desc_bytes >= 64)
			put16(desc + (blocks ? 0x38 : 0x3a), sum >> 16);
		repair_group(s, &s->all[i], desc);
	}
}

/* Only where it lies is taken from the block; out of bounds, there is nothing to repair. */
static void repair_extents(uint32_t seed, const struct spots *s, uint8_t *block)
{
	uint32_t at = 12 + 12 * get16(block + 4);

	if (at + 4 <= s->block_bytes)
		put32(block + at, crc(seed, block, at));
}

static void repair_index(uint32_t seed, const struct spots *s, uint8_t *block, size_t entries)
{
	uint32_t limit = get16(block + entries), count = get16(block + entries + 2);
	size_t tail = entries + (size_t)limit * 8;
	static const uint8_t zero[4];

	if (tail + 8 > s->block_bytes || count > limit)
		return;
	seed = crc(crc(seed, block, entries + (size_t)count * 8), block + tail, 4);
	put32(block + tail + 4, crc(seed, zero, 4));
}

static void repair_xattrs(const struct spots *s, const struct spot *spot, uint8_t *block)
{
	uint64_t number = htole64(spot->at / s->block_bytes);

	put32(block + 16, crc_without(crc(s->csum_seed, &number, 8), block, s->block_bytes, 16, 4));
}

static void repair_orphans(const struct spots *s, const struct spot *spot, uint8_t *block)
{
	uint64_t number = htole64(spot->at / s->block_bytes);
	uint32_t sum = crc(seed_of(s, spot), &number, 8);

	put32(block + s->block_bytes - 4, crc(sum, block, s->block_bytes - 8));
}

static void repair_log(const struct spots *s, const struct spot *spot, uint8_t *image)
{
	uint8_t *block = image + spot->at;
	uint32_t sequence = htobe32(spot->sequence), n = s->block_bytes;

	if (spot->kind == SPOT_LOG_SUPER)
		put_be(block + 0xfc, crc_without(~0u, block, sizeof(struct jbd2_super), 0xfc, 4));
	else if (spot->kind == SPOT_LOG_COMMIT)
		put_be(block + 16, crc_without(s->journal_seed, block, n, 16, 4));
	else if (spot->kind == SPOT_LOG_COPY)
		put_be(image + spot->sum_at, crc(crc(s->journal_seed, &sequence, 4), block, n));
	else
		put_be(block + n - 4, crc_without(s->journal_seed, block, n, n - 4, 4));
}

static void repair_with_sums(const struct spots *s, const struct spot *spot, uint8_t *image)
{
	uint8_t *p = image + spot->at;

	switch (spot->kind) {
	case SPOT_SUPER:
		put32(p + 0x3fc, crc(~0u, p, 0x3fc));
		break;
	case SPOT_BLOCK_BITMAP:
	case SPOT_INODE_BITMAP:
		repair_bitmap(s, spot, image);
		break;
	case SPOT_INODE:
		repair_inode(s, spot, p);
		break;
	case SPOT_EXTENTS:
		repair_extents(seed_of(s, spot), s, p);
		break;
	case SPOT_NAMES:
		put32(p + s->block_bytes - 4, crc(seed_of(s, spot), p, s->block_bytes - 12));
		break;
	case SPOT_INDEX_ROOT:
		repair_index(seed_of(s, spot), s, p, 32);
		break;
	case SPOT_INDEX_NODE:
		repair_index(seed_of(s, spot), s, p, 8);
		break;
	case SPOT_XATTRS:
		repair_xattrs(s, spot, p);
		break;
	case SPOT_ORPHANS:
		repair_orphans(s, spot, p);
		break;
	case SPOT_MMP:
		put32(p + 0x3fc, crc(s->csum_seed, p, 0x3fc));
		break;
	default:
		break;
	}
}

void spot_repair(const struct spots *s, const struct spot *spot, uint8_t *image)
{
	if (spot->kind == SPOT_GROUP)
		repair_group(s, spot, image + spot->at);
	else if (spot->kind >= SPOT_LOG_SUPER && s->log_sums == 3)
		repair_log(s, spot, image);
	else if (s->has_sums)
		repair_with_sums(s, spot, image);
}
