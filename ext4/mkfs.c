/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making a file system: libext2fs does the work, on our block device (mkfs-io.c), with the features
 * that Debian's mke2fs -t ext4 sets. What it leaves out, it leaves out on purpose:
 *
 * 1. Inode tables stay unwritten but for the blocks in use; bg_itable_unused says so, and neither
 *    we nor the kernel read the rest. The device holds random bytes there (a fresh key).
 * 2. The journal's blocks stay unwritten too, except its super block: with a fresh volume key no
 *    old journal block can turn up in them.
 * 3. Block and inode bitmaps of groups not in use are marked uninitialised and not written.
 */
#include "ext4/mkfs-io.h"

#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <uuid/uuid.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "ext4/ext4.h"

enum {
	SMALL_VOLUME_BYTES = 512 * 1024 * 1024, /* below: 1 KiB blocks, as mke2fs */
	FLOPPY_VOLUME_BYTES = 3 * 1024 * 1024,
	LOST_FOUND_BYTES = 16 * 1024,
	INODE_BYTES = 256,
	DESC_BYTES = 64,
	LOG_FLEX_GROUPS = 4,
	RESERVED_PERCENT = 5,
};

struct mkfs {
	const struct e4_mkfs_params *params;
	struct blkdev *dev;
	uint32_t block_bytes;
	ext2_filsys fs;
	void (*progress)(void *ctx, int percent);
	void *ctx;
};

static void cleanup_filsys(ext2_filsys *fs)
{
	if (*fs)
		ext2fs_free(*fs);
}

/* libext2fs' error codes are errnos or its own table; its own become -EIO unless they mean more. */
static int mkfs_error(errcode_t err, struct diag *diag, const char *step)
{
	int r = -EIO;

	if (mkfs_io_error() < 0)
		return diag_set(diag, mkfs_io_error(), "%s", step);
	if (err == EXT2_ET_TOOSMALL || err == EXT2_ET_BLOCK_ALLOC_FAIL)
		r = -SDE_TOO_SMALL;
	else if (err == EXT2_ET_NO_MEMORY)
		r = -ENOMEM;
	else if (err > 0 && err < 4096)
		r = -(int)err;
	return diag_set(diag, r, "%s: %s", step, error_message(err));
}

#define TRY(call, step)                                                                            \
	do {                                                                                       \
		errcode_t err_ = (call);                                                           \
		if (err_)                                                                          \
			return mkfs_error(err_, diag, step);                                       \
	} while (0)

static void report(const struct mkfs *m, int percent)
{
	if (m->progress)
		m->progress(m->ctx, percent);
}

static uint32_t choose_block_bytes(const struct blkdev *dev, const struct e4_mkfs_params *params)
{
	if (params->block_bytes)
		return params->block_bytes;
	if (dev->size_bytes < SMALL_VOLUME_BYTES)
		return max_u64(1024, params->min_block_bytes);
	return 4096;
}

/* Bytes of volume for each inode: the classes of mke2fs.conf. */
static uint32_t inode_ratio(uint64_t bytes)
{
	if (bytes < FLOPPY_VOLUME_BYTES)
		return 8192;
	if (bytes < SMALL_VOLUME_BYTES)
		return 4096;
	if (bytes < 4ULL << 40)
		return 16384;
	if (bytes < 16ULL << 40)
		return 32768;
	return 65536;
}

static void fill_super(const struct mkfs *m, struct ext2_super_block *super)
{
	uint64_t blocks = m->dev->size_bytes / m->block_bytes;
	uint64_t inodes = m->dev->size_bytes / inode_ratio(m->dev->size_bytes);

	memset(super, 0, sizeof(*super));
	super->s_rev_level = EXT2_DYNAMIC_REV;
	super->s_log_block_size = __builtin_ctz(m->block_bytes) - EXT2_MIN_BLOCK_LOG_SIZE;
	super->s_log_cluster_size = super->s_log_block_size;
	super->s_inode_size = INODE_BYTES;
	super->s_min_extra_isize = super->s_want_extra_isize =
		sizeof(struct ext2_inode_large) - EXT2_GOOD_OLD_INODE_SIZE;
	super->s_desc_size = DESC_BYTES;
	super->s_log_groups_per_flex = LOG_FLEX_GROUPS;
	super->s_inodes_count = min_u64(inodes, UINT32_MAX & ~31u);
	super->s_feature_compat = EXT2_FEATURE_COMPAT_EXT_ATTR | EXT2_FEATURE_COMPAT_RESIZE_INODE |
				  EXT2_FEATURE_COMPAT_DIR_INDEX;
	super->s_feature_incompat = EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS |
				    EXT4_FEATURE_INCOMPAT_64BIT | EXT4_FEATURE_INCOMPAT_FLEX_BG;
	super->s_feature_ro_compat =
		EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE |
		EXT4_FEATURE_RO_COMPAT_HUGE_FILE | EXT4_FEATURE_RO_COMPAT_DIR_NLINK |
		EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE | EXT4_FEATURE_RO_COMPAT_METADATA_CSUM;
	if (blocks > UINT32_MAX) /* its block map has 32-bit numbers */
		super->s_feature_compat &= ~EXT2_FEATURE_COMPAT_RESIZE_INODE;
	super->s_default_mount_opts = EXT2_DEFM_XATTR_USER | EXT2_DEFM_ACL;
	ext2fs_blocks_count_set(super, blocks);
	ext2fs_r_blocks_count_set(super, blocks * RESERVED_PERCENT / 100);
}

static int check_params(const struct mkfs *m, struct diag *diag)
{
	const struct e4_mkfs_params *p = m->params;

	if (m->block_bytes < 1024 || m->block_bytes > 4096 || !is_power_of_2(m->block_bytes) ||
		m->block_bytes < p->min_block_bytes)
		return diag_set(diag, -SDE_USAGE, _("the block size must be 1024, 2048 or 4096 bytes, "
						    "and not smaller than the sector size"));
	if (p->label && strlen(p->label) > EXT2_LABEL_LEN)
		return diag_set(diag, -SDE_USAGE, _("the label is longer than 16 bytes"));
	if (m->dev->size_bytes < E4_MKFS_MIN_BYTES)
		return diag_set(diag, -SDE_TOO_SMALL, _("a file system needs at least 1 MiB"));
	if (m->dev->read_only)
		return diag_set(diag, -SDE_READ_ONLY, "%s", "");
	return 0;
}

/* Identity: random UUID and hash seed, the hash that kernels of this machine's kind use. */
static void fill_identity(struct ext2_super_block *super, const char *label)
{
	uuid_generate_random(super->s_uuid);
	uuid_generate_random((unsigned char *)super->s_hash_seed);
	super->s_def_hash_version = EXT2_HASH_HALF_MD4;
	super->s_flags = (char)255 < 0 ? EXT2_FLAGS_SIGNED_HASH : EXT2_FLAGS_UNSIGNED_HASH;
	super->s_max_mnt_count = -1;
	super->s_checkinterval = 0;
	if (label)
		memcpy(super->s_volume_name, label, strlen(label));
}

/* Zeroes the used start of each inode table that is not lazily left out (only group 0's). */
static int write_inode_tables(struct mkfs *m, struct diag *diag)
{
	ext2_filsys fs = m->fs;

	for (dgrp_t g = 0; g < fs->group_desc_count; g++) {
		uint32_t used = fs->super->s_inodes_per_group - ext2fs_bg_itable_unused(fs, g);
		uint32_t blocks = div_round_up_u64((uint64_t)used * INODE_BYTES, m->block_bytes);

		if (blocks)
			TRY(ext2fs_zero_blocks2(fs, ext2fs_inode_table_loc(fs, g), blocks, NULL, NULL),
				_("writing inode tables"));
	}
	ext2fs_zero_blocks2(NULL, 0, 0, NULL, NULL); /* frees libext2fs' zero buffer */
	return 0;
}

static int make_root(struct mkfs *m, struct diag *diag)
{
	ext2_filsys fs = m->fs;
	struct ext2_inode inode;

	TRY(ext2fs_mkdir(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, NULL), _("making the root folder"));
	TRY(ext2fs_read_inode(fs, EXT2_ROOT_INO, &inode), _("making the root folder"));
	inode.i_uid = m->params->root_uid & 0xffff;
	inode.osd2.linux2.l_i_uid_high = m->params->root_uid >> 16;
	inode.i_gid = m->params->root_gid & 0xffff;
	inode.osd2.linux2.l_i_gid_high = m->params->root_gid >> 16;
	TRY(ext2fs_write_inode(fs, EXT2_ROOT_INO, &inode), _("making the root folder"));
	return 0;
}

static int make_lost_found(struct mkfs *m, struct diag *diag)
{
	static const char name[] = "lost+found";
	ext2_filsys fs = m->fs;
	struct ext2_inode inode;
	ext2_ino_t ino;

	TRY(ext2fs_mkdir(fs, EXT2_ROOT_INO, 0, name), _("making lost+found"));
	TRY(ext2fs_lookup(fs, EXT2_ROOT_INO, name, strlen(name), NULL, &ino), _("making lost+found"));
	/* room for e2fsck to put files there on a full volume; direct blocks only */
	for (uint32_t blocks = 1; blocks < EXT2_NDIR_BLOCKS; blocks++) {
		if (blocks * m->block_bytes >= LOST_FOUND_BYTES)
			break;
		TRY(ext2fs_expand_dir(fs, ino), _("making lost+found"));
	}
	TRY(ext2fs_read_inode(fs, ino, &inode), _("making lost+found"));
	inode.i_mode = LINUX_S_IFDIR | 0700;
	TRY(ext2fs_write_inode(fs, ino, &inode), _("making lost+found"));
	return 0;
}

static int reserve_inodes(struct mkfs *m, struct diag *diag)
{
	ext2_filsys fs = m->fs;

	for (ext2_ino_t ino = EXT2_ROOT_INO + 1; ino < EXT2_FIRST_INODE(fs->super); ino++)
		ext2fs_inode_alloc_stats2(fs, ino, +1, 0);
	ext2fs_mark_ib_dirty(fs);
	ext2fs_mark_inode_bitmap2(fs->inode_map, EXT2_BAD_INO);
	ext2fs_inode_alloc_stats2(fs, EXT2_BAD_INO, +1, 0);
	TRY(ext2fs_update_bb_inode(fs, NULL), _("reserving inodes"));
	if (ext2fs_has_feature_resize_inode(fs->super))
		TRY(ext2fs_create_resize_inode(fs), _("reserving room to grow"));
	return 0;
}

static int make_journal(struct mkfs *m, struct diag *diag)
{
	struct ext2fs_journal_params params;

	/* mke2fs makes none on volumes below 2048 blocks either */
	if (!m->params->journal || ext2fs_get_journal_params(&params, m->fs) != 0 ||
		params.num_journal_blocks == 0)
		return 0;
	TRY(ext2fs_add_journal_inode3(m->fs, &params, ~0ULL,
		    EXT2_MKJOURNAL_LAZYINIT | EXT2_MKJOURNAL_NO_MNT_CHECK),
		_("making the journal"));
	m->fs->super->s_overhead_clusters += params.num_journal_blocks;
	return 0;
}

static int make_all(struct mkfs *m, struct diag *diag)
{
	struct ext2_super_block super;
	struct ext2_super_block *made;
	int r;

	fill_super(m, &super);
	TRY(ext2fs_initialize("sealdrive", EXT2_FLAG_EXCLUSIVE | EXT2_FLAG_64BITS, &super,
		    mkfs_io_manager(m->dev), &m->fs),
		_("laying out the file system"));
	made = m->fs->super;
	made->s_checksum_type = EXT2_CRC32C_CHKSUM; /* not taken over from the parameters */
	fill_identity(made, m->params->label);
	ext2fs_init_csum_seed(m->fs);
	report(m, 10);
	TRY(ext2fs_allocate_tables(m->fs), _("laying out the file system"));
	report(m, 40);
	/* saves the kernel's statfs the counting over all groups; the journal comes on top */
	made->s_overhead_clusters = ext2fs_blocks_count(made) - ext2fs_free_blocks_count(made);
	r = write_inode_tables(m, diag);
	r = r < 0 ? r : make_root(m, diag);
	r = r < 0 ? r : make_lost_found(m, diag);
	r = r < 0 ? r : reserve_inodes(m, diag);
	r = r < 0 ? r : make_journal(m, diag);
	if (r < 0)
		return r;
	report(m, 60);
	made->s_state = EXT2_VALID_FS;
	TRY(ext2fs_close_free(&m->fs), _("writing the file system"));
	report(m, 95);
	return 0;
}

int e4_mkfs(struct blkdev *dev, const struct e4_mkfs_params *params,
	void (*progress)(void *ctx, int percent), void *ctx, struct diag *diag)
{
	struct mkfs m = {
		.params = params,
		.dev = dev,
		.block_bytes = choose_block_bytes(dev, params),
		.progress = progress,
		.ctx = ctx,
	};
	CLEANUP(cleanup_filsys) ext2_filsys left = NULL;
	int r;

	r = check_params(&m, diag);
	if (r < 0)
		return r;
	initialize_ext2_error_table();
	report(&m, 0);
	r = make_all(&m, diag);
	left = m.fs;
	if (r == 0)
		r = mkfs_io_error();
	if (r == 0)
		r = blkdev_flush(dev);
	if (r == 0)
		report(&m, 100);
	return r;
}
