/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/hostile/field.h"

#include <endian.h>
#include <ext2fs/ext2_fs.h>
#include <string.h>

#include "ext4/jbd2.h"
#include "tests/dev/volume.h"

#define COUNT(array) (uint32_t)(sizeof(array) / sizeof((array)[0]))
#define IN(type, member) {offsetof(struct type, member), sizeof(((struct type *)0)->member), false}

enum { NAMES_MAX = 128, XATTR_MAGIC = (int)0xea020000u };

static const struct field super_fields[] = {
	IN(ext2_super_block, s_inodes_count), IN(ext2_super_block, s_blocks_count),
	IN(ext2_super_block, s_r_blocks_count), IN(ext2_super_block, s_free_blocks_count),
	IN(ext2_super_block, s_free_inodes_count), IN(ext2_super_block, s_first_data_block),
	IN(ext2_super_block, s_log_block_size), IN(ext2_super_block, s_log_cluster_size),
	IN(ext2_super_block, s_blocks_per_group), IN(ext2_super_block, s_clusters_per_group),
	IN(ext2_super_block, s_inodes_per_group), IN(ext2_super_block, s_state),
	IN(ext2_super_block, s_rev_level), IN(ext2_super_block, s_first_ino),
	IN(ext2_super_block, s_inode_size), IN(ext2_super_block, s_feature_compat),
	IN(ext2_super_block, s_feature_incompat), IN(ext2_super_block, s_feature_ro_compat),
	IN(ext2_super_block, s_reserved_gdt_blocks), IN(ext2_super_block, s_journal_inum),
	IN(ext2_super_block, s_last_orphan), IN(ext2_super_block, s_def_hash_version),
	IN(ext2_super_block, s_jnl_backup_type), IN(ext2_super_block, s_desc_size),
	IN(ext2_super_block, s_first_meta_bg), IN(ext2_super_block, s_blocks_count_hi),
	IN(ext2_super_block, s_free_blocks_hi), IN(ext2_super_block, s_min_extra_isize),
	IN(ext2_super_block, s_want_extra_isize), IN(ext2_super_block, s_flags),
	IN(ext2_super_block, s_mmp_update_interval), IN(ext2_super_block, s_log_groups_per_flex),
	IN(ext2_super_block, s_checksum_type), IN(ext2_super_block, s_usr_quota_inum),
	IN(ext2_super_block, s_backup_bgs[0]), IN(ext2_super_block, s_checksum_seed),
	IN(ext2_super_block, s_orphan_file_inum), IN(ext2_super_block, s_error_count),
	IN(ext2_super_block, s_log_groups_per_flex), {offsetof(struct ext2_super_block, s_mmp_block), 4, false},
};

static const struct field inode_fields[] = {
	IN(ext2_inode, i_mode), IN(ext2_inode, i_size), IN(ext2_inode, i_dtime),
	IN(ext2_inode, i_links_count), IN(ext2_inode, i_blocks), IN(ext2_inode, i_flags),
	IN(ext2_inode, i_generation), IN(ext2_inode, i_file_acl), IN(ext2_inode, i_size_high),
	IN(ext2_inode, osd2.linux2.l_i_blocks_hi), IN(ext2_inode, osd2.linux2.l_i_file_acl_high),
	IN(ext2_inode, i_size), IN(ext2_inode, i_flags), IN(ext2_inode, i_mode),
};

static const struct field log_super_fields[] = {
	{12, 4, true}, {16, 4, true}, {20, 4, true}, {24, 4, true}, {28, 4, true}, {28, 4, true}, {36, 4, true},
	{40, 4, true}, {80, 1, true}, {84, 4, true}, {0, 4, true}, {4, 4, true}, {64, 4, true},
};

static uint32_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, 2);
	return le16toh(v);
}

static uint32_t word(uint64_t *random, uint32_t from, uint32_t len)
{
	return from + volume_random(random, (len - from) / 4) * 4;
}

/* ---- by kind --------------------------------------------------------------------------------- */

static struct field of_names(const struct spot *spot, const uint8_t *block, uint64_t *random)
{
	static const struct field fields[] = {{0, 4, false}, {0, 4, false}, {4, 2, false}, {4, 2, false},
		{6, 1, false}, {7, 1, false}, {8, 1, false}, {8, 4, false}};
	uint32_t entries[NAMES_MAX], count = 0;
	struct field field = fields[volume_random(random, COUNT(fields))];

	for (uint32_t at = 0; at + 12 <= spot->len && count < NAMES_MAX;) {
		uint32_t len = get16(block + at + 4);

		entries[count++] = at;
		if (len < 8)
			break;
		at += len;
	}
	field.at += entries[volume_random(random, count)];
	return field;
}

/* begin: of the count and limit, which stand in the first entry's place. */
static struct field of_index(const struct spot *spot, const uint8_t *block, uint32_t begin, uint64_t *random)
{
	static const struct field root[] = {{0, 4, false}, {4, 2, false}, {6, 1, false}, {8, 4, false},
		{12, 4, false}, {16, 2, false}, {18, 1, false}, {24, 4, false}, {28, 1, false}, {29, 1, false},
		{30, 1, false}, {30, 1, false}, {31, 1, false}};
	uint32_t count = get16(block + begin + 2), most = (spot->len - begin) / 8;

	if (begin > 8 && volume_random(random, 3) == 0)
		return root[volume_random(random, COUNT(root))];
	if (volume_random(random, 3) == 0)
		return (struct field){begin + volume_random(random, 2) * 2, 2, false};
	count = count && count < most ? count : most;
	return (struct field){begin + volume_random(random, count * 2) * 4, 4, false};
}

static struct field of_extents(uint32_t len, const uint8_t *node, uint64_t *random)
{
	static const struct field fields[] = {{0, 4, false}, {4, 2, false}, {4, 2, false}, {6, 2, false},
		{8, 4, false}, {8, 4, false}};
	struct field field = fields[volume_random(random, COUNT(fields))];
	uint32_t count = get16(node + 2), most = len / 12 - 1;

	if (volume_random(random, 3) == 0)
		return (struct field){volume_random(random, 4) * 2, 2, false};
	field.at += 12 + 12 * volume_random(random, count && count < most ? count : most);
	return field;
}

/* From the first entry on. */
static struct field of_entries(uint32_t len, const uint8_t *area, uint64_t *random)
{
	static const struct field fields[] = {{0, 1, false}, {1, 1, false}, {2, 2, false}, {2, 2, false},
		{4, 4, false}, {4, 4, false}, {8, 4, false}, {8, 4, false}, {12, 4, false}, {16, 1, false}};
	struct field field = fields[volume_random(random, COUNT(fields))];
	uint32_t at = 0;

	for (uint32_t n = volume_random(random, 5); n > 0 && at + 40 < len && area[at]; n--)
		at += (16u + area[at] + 3) & ~3u;
	field.at += at + 20 < len ? at : 0;
	return field;
}

static struct field of_inode_body(const struct spot *spot, const uint8_t *raw, uint64_t *random)
{
	uint32_t begin = 128 + get16(raw + 128);
	struct field field;

	if (begin + 40 > spot->len || volume_random(random, 4) == 0)
		return (struct field){128, 2, false};
	if (volume_random(random, 5) == 0)
		return (struct field){begin & ~3u, 4, false};
	field = of_entries(spot->len - begin - 4, raw + begin + 4, random);
	field.at += begin + 4;
	return field;
}

static struct field of_inode(const struct spot *spot, const uint8_t *raw, uint64_t *random)
{
	const struct ext2_inode *inode = (const void *)raw;
	struct field field;

	switch (volume_random(random, spot->len > 160 ? 3 : 2)) {
	case 0:
		return inode_fields[volume_random(random, COUNT(inode_fields))];
	case 1:
		if (!(le32toh(inode->i_flags) & EXT4_EXTENTS_FL))
			return (struct field){word(random, 40, 100), 4, false};
		field = of_extents(60, raw + 40, random);
		field.at += 40;
		return field;
	default:
		return of_inode_body(spot, raw, random);
	}
}

static struct field of_xattrs(const struct spot *spot, const uint8_t *block, uint64_t *random)
{
	struct field field;

	if (volume_random(random, 4) == 0)
		return (struct field){word(random, 0, 16), 4, false};
	field = of_entries(spot->len - 32, block + 32, random);
	field.at += 32;
	return field;
}

static struct field of_group(const struct spot *spot, uint64_t *random)
{
	static const struct field low[] = {{0, 4, false}, {4, 4, false}, {8, 4, false}, {12, 2, false},
		{14, 2, false}, {16, 2, false}, {18, 2, false}, {28, 2, false}};

	if (spot->len > 32 && volume_random(random, 4) == 0)
		return (struct field){word(random, 32, 56), 4, false};
	return low[volume_random(random, COUNT(low))];
}

static struct field choose(const struct spot *spot, const uint8_t *block, uint64_t *random)
{
	switch (spot->kind) {
	case SPOT_SUPER:
		return super_fields[volume_random(random, COUNT(super_fields))];
	case SPOT_GROUP:
		return of_group(spot, random);
	case SPOT_INODE:
		return of_inode(spot, block, random);
	case SPOT_EXTENTS:
		return of_extents(spot->len, block, random);
	case SPOT_NAMES:
		return of_names(spot, block, random);
	case SPOT_INDEX_ROOT:
		return of_index(spot, block, 32, random);
	case SPOT_INDEX_NODE:
		return of_index(spot, block, 8, random);
	case SPOT_XATTRS:
		return of_xattrs(spot, block, random);
	case SPOT_MMP:
		return (struct field){word(random, 0, 16), 4, false};
	case SPOT_LOG_SUPER:
		return log_super_fields[volume_random(random, COUNT(log_super_fields))];
	case SPOT_LOG_DESCRIPTOR:
	case SPOT_LOG_REVOKE:
	case SPOT_LOG_COMMIT:
		return (struct field){word(random, 0, 96), 4, true};
	default:
		return (struct field){word(random, 0, volume_random(random, 2) ? 64 : spot->len), 4, false};
	}
}

struct field field_choose(const struct spot *spot, const uint8_t *block, uint64_t *random)
{
	struct field field = choose(spot, block, random);

	if (field.at + field.bytes > spot->len)
		field.at = spot->len - field.bytes;
	return field;
}

/* ---- numbers --------------------------------------------------------------------------------- */

uint32_t field_get(const struct field *field, const uint8_t *block)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < field->bytes; i++)
		value |= (uint32_t)block[field->at + i]
			<< 8 * (field->big_endian ? field->bytes - 1 - i : i);
	return value;
}

void field_set(const struct field *field, uint8_t *block, uint32_t value)
{
	for (unsigned i = 0; i < field->bytes; i++)
		block[field->at + i] =
			(uint8_t)(value >> 8 * (field->big_endian ? field->bytes - 1 - i : i));
}
