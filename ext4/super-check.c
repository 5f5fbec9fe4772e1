/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading the super block: nothing in it is trusted before it is checked, and whoever uses the
 * geometry in struct e4_fs afterwards need not check it again.
 *
 * Source: kernel Documentation/filesystems/ext4/super.rst; the gate: docs/FORMAT.md
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <uuid/uuid.h>

#include "base/i18n.h"
#include "ext4/super.h"

/* Not in every e2fsprogs' header yet. */
enum {
	RO_COMPAT_BTREE_DIR = 0x4,
	RO_COMPAT_ORPHAN_PRESENT = 0x10000,
	RO_COMPAT_VERITY = 0x8000,
	RO_COMPAT_SHARED_BLOCKS = 0x4000,
};

struct feature {
	uint32_t bit;
	const char *name; /* as tune2fs calls it */
};

static const struct feature incompat_names[] = {
	{EXT2_FEATURE_INCOMPAT_COMPRESSION, "compression"},
	{EXT3_FEATURE_INCOMPAT_JOURNAL_DEV, "journal_dev"},
	{EXT4_FEATURE_INCOMPAT_DIRDATA, "dirdata"},
	{EXT4_FEATURE_INCOMPAT_ENCRYPT, "encrypt"},
	{EXT4_FEATURE_INCOMPAT_CASEFOLD, "casefold"},
};

static const struct feature ro_compat_names[] = {
	{EXT4_FEATURE_RO_COMPAT_QUOTA, "quota"},
	{EXT4_FEATURE_RO_COMPAT_BIGALLOC, "bigalloc"},
	{EXT4_FEATURE_RO_COMPAT_READONLY, "read-only"},
	{EXT4_FEATURE_RO_COMPAT_PROJECT, "project"},
	{RO_COMPAT_SHARED_BLOCKS, "shared_blocks"},
	{RO_COMPAT_VERITY, "verity"},
};

static const uint32_t incompat_known =
	EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_RECOVER | EXT2_FEATURE_INCOMPAT_META_BG |
	EXT3_FEATURE_INCOMPAT_EXTENTS | EXT4_FEATURE_INCOMPAT_64BIT | EXT4_FEATURE_INCOMPAT_FLEX_BG |
	EXT4_FEATURE_INCOMPAT_CSUM_SEED | EXT4_FEATURE_INCOMPAT_LARGEDIR |
	EXT4_FEATURE_INCOMPAT_INLINE_DATA | EXT4_FEATURE_INCOMPAT_MMP | EXT4_FEATURE_INCOMPAT_EA_INODE;

static const uint32_t ro_compat_known =
	EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE |
	RO_COMPAT_BTREE_DIR | EXT4_FEATURE_RO_COMPAT_HUGE_FILE |
	EXT4_FEATURE_RO_COMPAT_GDT_CSUM | EXT4_FEATURE_RO_COMPAT_DIR_NLINK |
	EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE | EXT4_FEATURE_RO_COMPAT_METADATA_CSUM |
	RO_COMPAT_ORPHAN_PRESENT;

/* Read, but not changed: nobody here would keep the counts of what users and projects have. */
static const uint32_t ro_compat_counted = EXT4_FEATURE_RO_COMPAT_QUOTA | EXT4_FEATURE_RO_COMPAT_PROJECT;

struct feature_list {
	char text[200];
};

/* The names of all bits, or their numbers: "quota, 0x20000000". */
static const char *feature_list(const struct feature *names, size_t count, uint32_t bits,
	struct feature_list *ret_list)
{
	size_t used = 0;

	ret_list->text[0] = '\0';
	for (; bits && used < sizeof(ret_list->text) - 1; bits &= bits - 1) {
		uint32_t lowest = bits & -bits;
		const char *name = NULL;
		char number[24];

		for (size_t i = 0; i < count && !name; i++)
			name = names[i].bit == lowest ? names[i].name : NULL;
		snprintf(number, sizeof(number), "0x%x", lowest);
		used += snprintf(ret_list->text + used, sizeof(ret_list->text) - used, "%s%s",
			used ? ", " : "", name ? name : number);
	}
	return ret_list->text;
}

static int damaged(struct diag *diag, const char *field)
{
	return diag_set(diag, -SDE_FS_DAMAGED, _("super block field %s is wrong"), field);
}

#define SUPER_MUST(condition, field)                                                               \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return damaged(diag, field);                                               \
	} while (0)

bool super_checksum_fits(const struct ext2_super_block *s)
{
	return le32toh(s->s_checksum) == fs_crc32c(~0u, s, offsetof(struct ext2_super_block, s_checksum));
}

/* Power failed while we changed "needs recovery" and the checksum, nothing else (super.c), and only one of
 * their two sectors was written. The journal is not in use then: looking at it is right in either case. */
static bool mend_torn(struct ext2_super_block *s)
{
	s->s_feature_incompat ^= htole32(EXT3_FEATURE_INCOMPAT_RECOVER);
	if (super_checksum_fits(s)) {
		s->s_feature_incompat |= htole32(EXT3_FEATURE_INCOMPAT_RECOVER);
		return true;
	}
	s->s_feature_incompat ^= htole32(EXT3_FEATURE_INCOMPAT_RECOVER);
	return false;
}

static int check_checksum(struct e4_fs *fs, struct diag *diag)
{
	const struct ext2_super_block *s = &fs->super;

	if (le32toh(s->s_rev_level) == EXT2_GOOD_OLD_REV ||
		!(le32toh(s->s_feature_ro_compat) & EXT4_FEATURE_RO_COMPAT_METADATA_CSUM))
		return 0;
	SUPER_MUST(s->s_checksum_type == EXT2_CRC32C_CHKSUM, "s_checksum_type");
	if (super_checksum_fits(s))
		return 0;
	if (le32toh(s->s_feature_compat) & EXT3_FEATURE_COMPAT_HAS_JOURNAL && mend_torn(&fs->super))
		return 0;
	/* Power failed while it was written from the journal, which then has all of it. */
	if ((le32toh(s->s_feature_incompat) & EXT3_FEATURE_INCOMPAT_RECOVER) && !fs->recovered) {
		fs->super_doubtful = true;
		return 0;
	}
	return diag_set(diag, -SDE_FS_DAMAGED, _("wrong checksum of the super block"));
}

static int set_read_only(struct e4_fs *fs, const char *fmt, ...) PRINTF(2, 3);

/* The first reason stays. */
static int set_read_only(struct e4_fs *fs, const char *fmt, ...)
{
	va_list ap;
	int r = 0;

	atomic_store(&fs->read_only, true);
	if (fs->read_only_reason && fs->read_only_reason[0])
		return 0;
	free(fs->read_only_reason);
	va_start(ap, fmt);
	if (vasprintf(&fs->read_only_reason, fmt, ap) < 0) {
		fs->read_only_reason = NULL;
		r = -ENOMEM;
	}
	va_end(ap);
	return r;
}

static int check_incompat(const struct e4_fs *fs, struct diag *diag)
{
	uint32_t unknown = fs->feature_incompat & ~incompat_known;
	struct feature_list list;

	if (!unknown)
		return 0;
	return diag_set(diag, -SDE_FS_FEATURE, _("ext4 feature '%s'"),
		feature_list(incompat_names, ARRAY_SIZE(incompat_names), unknown, &list));
}

static int check_ro_compat(struct e4_fs *fs)
{
	uint32_t unknown = fs->feature_ro_compat & ~ro_compat_known;
	struct feature_list list;

	if (!unknown)
		return 0;
	feature_list(ro_compat_names, ARRAY_SIZE(ro_compat_names), unknown, &list);
	if (!(unknown & ~ro_compat_counted))
		return set_read_only(fs,
			_("it keeps account of what users or projects store (ext4 feature '%s'), which "
			  "this program cannot"), list.text);
	return set_read_only(fs, _("the file system uses the ext4 feature '%s'"), list.text);
}

/* A journal elsewhere is found by its UUID. */
static int check_journal_place(const struct e4_fs *fs, struct diag *diag)
{
	const struct ext2_super_block *s = &fs->super;
	char uuid[37];

	SUPER_MUST(fs_has_journal(fs) || !fs_has_incompat(fs, EXT3_FEATURE_INCOMPAT_RECOVER),
		"s_feature_incompat");
	if (!fs_has_journal(fs) || s->s_journal_inum)
		return 0;
	SUPER_MUST(s->s_journal_dev, "s_journal_inum");
	uuid_unparse_lower(s->s_journal_uuid, uuid);
	return diag_set(diag, -SDE_FS_FEATURE, _("a journal on another device, with the UUID %s"), uuid);
}

static int check_features(struct e4_fs *fs, struct diag *diag)
{
	const struct ext2_super_block *s = &fs->super;
	int r;

	if (le32toh(s->s_rev_level) == EXT2_GOOD_OLD_REV)
		return 0;
	fs->feature_compat = le32toh(s->s_feature_compat);
	fs->feature_incompat = le32toh(s->s_feature_incompat);
	fs->feature_ro_compat = le32toh(s->s_feature_ro_compat);
	r = check_incompat(fs, diag);
	r = r < 0 ? r : check_journal_place(fs, diag);
	/* Values in inodes of their own are read; nothing counts who refers to them. */
	if (r == 0 && fs_has_incompat(fs, EXT4_FEATURE_INCOMPAT_EA_INODE))
		r = set_read_only(fs, _("the file system uses the ext4 feature '%s'"), "ea_inode");
	return r < 0 ? r : check_ro_compat(fs);
}

static int check_sizes(struct e4_fs *fs, struct diag *diag)
{
	const struct ext2_super_block *s = &fs->super;
	uint32_t log = le32toh(s->s_log_block_size);
	bool old = le32toh(s->s_rev_level) == EXT2_GOOD_OLD_REV;

	SUPER_MUST(log <= 6, "s_log_block_size");
	if (log > 2)
		return diag_set(diag, -SDE_FS_FEATURE, _("blocks of %u bytes, more than a memory page"),
			1024u << log);
	fs->block_bits = 10 + log;
	fs->block_bytes = 1u << fs->block_bits;
	fs->inode_bytes = old ? EXT2_GOOD_OLD_INODE_SIZE : le16toh(s->s_inode_size);
	fs->first_ino = old ? EXT2_GOOD_OLD_FIRST_INO : le32toh(s->s_first_ino);
	SUPER_MUST(fs->inode_bytes >= EXT2_GOOD_OLD_INODE_SIZE && fs->inode_bytes <= fs->block_bytes &&
			   is_power_of_2(fs->inode_bytes), "s_inode_size");
	fs->desc_bytes = EXT2_MIN_DESC_SIZE;
	if (fs_has_incompat(fs, EXT4_FEATURE_INCOMPAT_64BIT)) {
		fs->desc_bytes = le16toh(s->s_desc_size);
		SUPER_MUST(fs->desc_bytes >= EXT2_MIN_DESC_SIZE_64BIT &&
				   fs->desc_bytes <= EXT2_MAX_DESC_SIZE && is_power_of_2(fs->desc_bytes),
			"s_desc_size");
	}
	fs->descs_per_block = fs->block_bytes / fs->desc_bytes;
	fs->inodes_per_block = fs->block_bytes / fs->inode_bytes;
	SUPER_MUST(le16toh(s->s_reserved_gdt_blocks) <= fs->block_bytes / 4, "s_reserved_gdt_blocks");
	SUPER_MUST(!fs_has_incompat(fs, EXT4_FEATURE_INCOMPAT_FLEX_BG) || s->s_log_groups_per_flex <= 31,
		"s_log_groups_per_flex");
	return 0;
}

static int check_groups(struct e4_fs *fs, struct diag *diag)
{
	const struct ext2_super_block *s = &fs->super;
	bool bigalloc = fs_has_ro_compat(fs, EXT4_FEATURE_RO_COMPAT_BIGALLOC);
	uint32_t bitmap_bits = fs->block_bytes * 8;
	uint64_t groups;

	fs->blocks_count = le32toh(s->s_blocks_count);
	if (fs_has_incompat(fs, EXT4_FEATURE_INCOMPAT_64BIT))
		fs->blocks_count |= (uint64_t)le32toh(s->s_blocks_count_hi) << 32;
	SUPER_MUST(fs->blocks_count < 1ULL << 48, "s_blocks_count");
	fs->first_data_block = le32toh(s->s_first_data_block);
	SUPER_MUST(fs->first_data_block == (fs->block_bytes == 1024 && !bigalloc), "s_first_data_block");
	fs->blocks_per_group = le32toh(s->s_blocks_per_group);
	SUPER_MUST(fs->blocks_per_group >= 8 && fs->blocks_per_group % 8 == 0 &&
			   (bigalloc || fs->blocks_per_group <= bitmap_bits), "s_blocks_per_group");
	SUPER_MUST(le32toh(s->s_clusters_per_group) <= bitmap_bits &&
			   (bigalloc || le32toh(s->s_clusters_per_group) == fs->blocks_per_group),
		"s_clusters_per_group");
	SUPER_MUST(bigalloc || s->s_log_cluster_size == s->s_log_block_size, "s_log_cluster_size");
	fs->inodes_per_group = le32toh(s->s_inodes_per_group);
	SUPER_MUST(fs->inodes_per_group >= fs->inodes_per_block && fs->inodes_per_group % 8 == 0 &&
			   fs->inodes_per_group <= bitmap_bits, "s_inodes_per_group");
	fs->inode_blocks_per_group = div_round_up_u64(fs->inodes_per_group, fs->inodes_per_block);
	SUPER_MUST(fs->blocks_count > fs->first_data_block + 1, "s_blocks_count");
	groups = div_round_up_u64(fs->blocks_count - fs->first_data_block, fs->blocks_per_group);
	SUPER_MUST(groups <= UINT32_MAX && groups * fs->inodes_per_group == le32toh(s->s_inodes_count),
		"s_inodes_count");
	fs->group_count = groups;
	fs->inodes_count = le32toh(s->s_inodes_count);
	SUPER_MUST(fs->first_ino >= EXT2_GOOD_OLD_FIRST_INO && fs->first_ino <= fs->inodes_count,
		"s_first_ino");
	SUPER_MUST(!fs_has_incompat(fs, EXT2_FEATURE_INCOMPAT_META_BG) ||
			   le32toh(s->s_first_meta_bg) <= div_round_up_u64(groups, fs->descs_per_block),
		"s_first_meta_bg");
	SUPER_MUST(fs_has_incompat(fs, EXT2_FEATURE_INCOMPAT_META_BG) ||
			   fs->first_data_block + 1 + div_round_up_u64(groups, fs->descs_per_block) <
				   fs->blocks_count, "s_blocks_count");
	return 0;
}

static int check_counts(struct e4_fs *fs, struct diag *diag)
{
	const struct ext2_super_block *s = &fs->super;
	uint64_t free_blocks = le32toh(s->s_free_blocks_count), reserved = le32toh(s->s_r_blocks_count);
	uint32_t free_inodes = le32toh(s->s_free_inodes_count);
	uint64_t bytes = fs->blocks_count << fs->block_bits;

	if (fs_has_incompat(fs, EXT4_FEATURE_INCOMPAT_64BIT)) {
		free_blocks |= (uint64_t)le32toh(s->s_free_blocks_hi) << 32;
		reserved |= (uint64_t)le32toh(s->s_r_blocks_count_hi) << 32;
	}
	SUPER_MUST(free_blocks <= fs->blocks_count, "s_free_blocks_count");
	SUPER_MUST(free_inodes <= fs->inodes_count, "s_free_inodes_count");
	SUPER_MUST(reserved <= fs->blocks_count, "s_r_blocks_count");
	atomic_store(&fs->free_blocks, free_blocks);
	atomic_store(&fs->free_inodes, free_inodes);
	atomic_store(&fs->folder_turn, le16toh(s->s_mnt_count));
	fs->reserved_blocks = reserved;
	/* As the kernel's ext4 has it: two per cent, 4096 blocks at most. */
	if (fs_has_incompat(fs, EXT3_FEATURE_INCOMPAT_EXTENTS))
		fs->tree_reserve = min_u64(fs->blocks_count / 50, 4096);
	if (bytes > fs->dev->size_bytes)
		return diag_set(diag, -SDE_FS_SIZE,
			_("the file system has %llu bytes, the device %llu"), (unsigned long long)bytes,
			(unsigned long long)fs->dev->size_bytes);
	return 0;
}

static int load_hash_and_seed(struct e4_fs *fs, struct diag *diag)
{
	const struct ext2_super_block *s = &fs->super;
	uint32_t extra = le16toh(s->s_want_extra_isize);

	SUPER_MUST(s->s_def_hash_version <= EXT2_HASH_TEA, "s_def_hash_version");
	fs->default_hash_version = s->s_def_hash_version;
	if (le32toh(s->s_flags) & EXT2_FLAGS_UNSIGNED_HASH)
		fs->default_hash_version += EXT2_HASH_LEGACY_UNSIGNED - EXT2_HASH_LEGACY;
	for (int i = 0; i < 4; i++)
		fs->hash_seed[i] = le32toh(s->s_hash_seed[i]);
	fs->csum_seed = fs_has_incompat(fs, EXT4_FEATURE_INCOMPAT_CSUM_SEED) ?
		le32toh(s->s_checksum_seed) : fs_crc32c(~0u, s->s_uuid, sizeof(s->s_uuid));
	if (fs->inode_bytes == EXT2_GOOD_OLD_INODE_SIZE)
		extra = 0;
	else if (extra < 4 || extra % 4 || extra > fs->inode_bytes - EXT2_GOOD_OLD_INODE_SIZE)
		extra = sizeof(struct ext2_inode_large) - EXT2_GOOD_OLD_INODE_SIZE;
	fs->want_extra_isize = extra;
	return 0;
}

static int decide_read_only(struct e4_fs *fs)
{
	uint16_t state = le16toh(fs->super.s_state);

	if (state & EXT2_ERROR_FS || fs->journal_error)
		return set_read_only(fs, _("errors were found in the file system and must be repaired"));
	if (!(state & EXT2_VALID_FS))
		return set_read_only(fs, _("the drive was not unmounted properly and must be checked"));
	if (!fs_has_journal(fs) &&
		(fs->super.s_last_orphan != 0 || fs_has_ro_compat(fs, RO_COMPAT_ORPHAN_PRESENT)))
		return set_read_only(fs, _("files that were being deleted must be cleared away by a check"));
	if (fs->options.read_only || fs->dev->read_only)
		return set_read_only(fs, "%s", "");
	return 0;
}

int super_load(struct e4_fs *fs, struct diag *diag)
{
	int r;

	if (fs->dev->size_bytes < 1024 + sizeof(fs->super))
		return diag_set(diag, -SDE_NOT_EXT4, "%s", "");
	r = blkdev_read(fs->dev, &fs->super, sizeof(fs->super), 1024);
	if (r < 0)
		return r;
	if (le16toh(fs->super.s_magic) != EXT2_SUPER_MAGIC)
		return diag_set(diag, -SDE_NOT_EXT4, "%s", "");
	if (le32toh(fs->super.s_rev_level) > EXT2_DYNAMIC_REV)
		return diag_set(diag, -SDE_FS_FEATURE, _("revision %u"), le32toh(fs->super.s_rev_level));
	r = check_checksum(fs, diag);
	r = r < 0 ? r : check_features(fs, diag);
	r = r < 0 ? r : check_sizes(fs, diag);
	r = r < 0 ? r : check_groups(fs, diag);
	r = r < 0 ? r : check_counts(fs, diag);
	r = r < 0 ? r : load_hash_and_seed(fs, diag);
	return r < 0 ? r : decide_read_only(fs);
}
