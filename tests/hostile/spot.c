/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/hostile/spot.h"

#include <assert.h>
#include <ext2fs/ext2fs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ext4/jbd2.h"



struct finding {
	struct spots *spots;
	const uint8_t *image;
	ext2_filsys fs;
	uint32_t ino;
	struct ext2_inode inode;
	uint32_t *log; /* the journal's blocks in order */
	size_t log_count;
};

static struct spot *add(struct finding *f, enum spot_kind kind, uint64_t at, uint32_t len)
{
	struct spots *s = f->spots;

	s->all = reallocarray(s->all, s->count + 1, sizeof(*s->all));
	assert(s->all);
	s->all[s->count] = (struct spot){.kind = kind, .at = at, .len = len, .number = f->ino,
		.generation = f->inode.i_generation};
	s->of_kind[kind]++;
	return &s->all[s->count++];
}

static void add_block(struct finding *f, enum spot_kind kind, uint64_t block)
{
	if (block < f->spots->blocks_count)
		add(f, kind, block * f->spots->block_bytes, f->spots->block_bytes);
}

static void add_log_block(struct finding *f, uint64_t block)
{
	f->log = reallocarray(f->log, f->log_count + 1, sizeof(*f->log));
	assert(f->log);
	f->log[f->log_count++] = (uint32_t)block;
}

/* A node looks like a block with one unused name. */
static enum spot_kind folder_block_kind(const struct finding *f, uint64_t block, int64_t lblk)
{
	const struct ext2_dir_entry *entry =
		(const void *)(f->image + block * f->spots->block_bytes);

	if (!(f->inode.i_flags & EXT2_INDEX_FL))
		return SPOT_NAMES;
	if (lblk == 0)
		return SPOT_INDEX_ROOT;
	return entry->inode == 0 && entry->rec_len == f->spots->block_bytes ? SPOT_INDEX_NODE : SPOT_NAMES;
}

static int take_block(ext2_filsys fs, blk64_t *block, e2_blkcnt_t lblk, blk64_t ref_blk, int ref_offset,
	void *ctx)
{
	struct finding *f = ctx;

	(void)ref_blk;
	(void)ref_offset;
	if (*block >= f->spots->blocks_count)
		return 0;
	if (lblk < 0)
		add_block(f, f->inode.i_flags & EXT4_EXTENTS_FL ? SPOT_EXTENTS : SPOT_POINTERS, *block);
	else if (LINUX_S_ISDIR(f->inode.i_mode))
		add_block(f, folder_block_kind(f, *block, lblk), *block);
	else if (f->ino == f->spots->journal_ino)
		add_log_block(f, *block);
	else if (f->ino == fs->super->s_orphan_file_inum)
		add_block(f, SPOT_ORPHANS, *block);
	return 0;
}

static uint64_t inode_at(const struct finding *f, uint32_t ino)
{
	uint32_t group = (ino - 1) / f->spots->inodes_per_group;

	return ext2fs_inode_table_loc(f->fs, group) * f->spots->block_bytes +
		(uint64_t)((ino - 1) % f->spots->inodes_per_group) * f->spots->inode_bytes;
}

static void find_inode(struct finding *f)
{
	struct spots *s = f->spots;

	add(f, SPOT_INODE, inode_at(f, f->ino), s->inode_bytes);
	if (LINUX_S_ISDIR(f->inode.i_mode)) {
		s->dirs = reallocarray(s->dirs, s->dir_count + 1, sizeof(*s->dirs));
		assert(s->dirs);
		s->dirs[s->dir_count++] = f->ino;
	}
	if (f->inode.i_file_acl)
		add_block(f, SPOT_XATTRS, f->inode.i_file_acl);
	if (ext2fs_inode_has_valid_blocks2(f->fs, &f->inode))
		ext2fs_block_iterate3(f->fs, f->ino, BLOCK_FLAG_READ_ONLY, NULL, take_block, f);
}

static void find_inodes(struct finding *f)
{
	for (f->ino = 1; f->ino <= f->spots->inodes_count; f->ino++) {
		if (ext2fs_read_inode(f->fs, f->ino, &f->inode) == 0 && f->inode.i_links_count)
			find_inode(f);
	}
	f->ino = 0;
}

static void find_groups(struct finding *f)
{
	struct spots *s = f->spots;

	for (uint32_t group = 0; group < f->fs->group_desc_count; group++) {
		uint32_t per_block = s->block_bytes / s->desc_bytes;
		uint64_t block = ext2fs_descriptor_block_loc2(f->fs, f->fs->super->s_first_data_block,
			group / per_block);

		f->ino = group;
		add(f, SPOT_GROUP, block * s->block_bytes + (uint64_t)(group % per_block) * s->desc_bytes,
			s->desc_bytes);
		if (!ext2fs_bg_flags_test(f->fs, group, EXT2_BG_BLOCK_UNINIT))
			add_block(f, SPOT_BLOCK_BITMAP, ext2fs_block_bitmap_loc(f->fs, group));
		if (!ext2fs_bg_flags_test(f->fs, group, EXT2_BG_INODE_UNINIT))
			add_block(f, SPOT_INODE_BITMAP, ext2fs_inode_bitmap_loc(f->fs, group));
	}
	f->ino = 0;
}

/* ---- the journal ----------------------------------------------------------------------------- */

static uint32_t be_at(const uint8_t *p)
{
	be32 v;

	memcpy(&v, p, sizeof(v));
	return be32_get(v);
}

/* The blocks behind a descriptor are what its tags say. */
static void find_copies(struct finding *f, size_t i, uint32_t incompat)
{
	const struct spots *s = f->spots;
	uint64_t at = (uint64_t)f->log[i] * s->block_bytes;
	uint32_t tag_bytes = s->log_sums == 3 ? 16 : incompat & JBD2_INCOMPAT_64BIT ? 12 : 8, flags = 0;
	uint32_t sequence = be_at(f->image + at + 8);

	for (uint32_t off = sizeof(struct jbd2_header);
		off + tag_bytes + JBD2_UUID_BYTES < s->block_bytes && !(flags & JBD2_TAG_LAST);) {
		struct spot *copy;

		flags = be_at(f->image + at + off + 4) & 0xffff;
		if (++i >= f->log_count)
			return;
		copy = add(f, SPOT_LOG_COPY, (uint64_t)f->log[i] * s->block_bytes, s->block_bytes);
		copy->sequence = sequence;
		copy->sum_at = at + off + 12;
		off += tag_bytes + (flags & JBD2_TAG_SAME_UUID ? 0 : JBD2_UUID_BYTES);
	}
}

static void find_log(struct finding *f)
{
	struct spots *s = f->spots;
	const struct jbd2_super *super;

	if (!f->log_count)
		return;
	super = (const void *)(f->image + (uint64_t)f->log[0] * s->block_bytes);
	if (be32_get(super->incompat) & JBD2_INCOMPAT_CSUM_V3)
		s->log_sums = 3;
	s->journal_seed = ext2fs_crc32c_le(~0u, super->uuid, sizeof(super->uuid));
	add(f, SPOT_LOG_SUPER, (uint64_t)f->log[0] * s->block_bytes, sizeof(*super));
	for (size_t i = 1; i < f->log_count; i++) {
		const uint8_t *block = f->image + (uint64_t)f->log[i] * s->block_bytes;

		if (be_at(block) != (uint32_t)JBD2_MAGIC)
			continue;
		if (be_at(block + 4) == JBD2_DESCRIPTOR) {
			add_block(f, SPOT_LOG_DESCRIPTOR, f->log[i]);
			find_copies(f, i, be32_get(super->incompat));
		} else if (be_at(block + 4) == JBD2_REVOKE) {
			add_block(f, SPOT_LOG_REVOKE, f->log[i]);
		} else if (be_at(block + 4) == JBD2_COMMIT) {
			add_block(f, SPOT_LOG_COMMIT, f->log[i]);
		}
	}
}

static struct spots *geometry(ext2_filsys fs)
{
	struct spots *s = calloc(1, sizeof(*s));

	assert(s);
	s->block_bytes = fs->blocksize;
	s->inode_bytes = EXT2_INODE_SIZE(fs->super);
	s->desc_bytes = EXT2_DESC_SIZE(fs->super);
	s->blocks_per_group = fs->super->s_blocks_per_group;
	s->inodes_per_group = fs->super->s_inodes_per_group;
	s->inodes_count = fs->super->s_inodes_count;
	s->blocks_count = ext2fs_blocks_count(fs->super);
	s->first_data_block = fs->super->s_first_data_block;
	s->journal_ino = fs->super->s_journal_inum;
	s->csum_seed = fs->csum_seed;
	s->has_sums = ext2fs_has_feature_metadata_csum(fs->super);
	s->has_group_sums = ext2fs_has_feature_gdt_csum(fs->super);
	memcpy(s->uuid, fs->super->s_uuid, sizeof(s->uuid));
	return s;
}

struct spots *spots_find(const char *path, const uint8_t *image)
{
	struct finding f = {.image = image};

	if (ext2fs_open(path, EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &f.fs))
		return NULL;
	f.spots = geometry(f.fs);
	add(&f, SPOT_SUPER, SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE);
	find_groups(&f);
	find_inodes(&f);
	find_log(&f);
	if (ext2fs_has_feature_mmp(f.fs->super))
		add_block(&f, SPOT_MMP, f.fs->super->s_mmp_block);
	free(f.log);
	ext2fs_close_free(&f.fs);
	return f.spots;
}

void spots_free(struct spots *spots)
{
	if (!spots)
		return;
	free(spots->all);
	free(spots->dirs);
	free(spots);
}
