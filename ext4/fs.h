/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One mounted volume: what all files of this folder share. Private to ext4/.
 *
 * Lock order, outermost first (a lock further down may be taken while one above is held, never
 * the other way round):
 *
 *	1. fs->rename_lock			renames that move directories; the shape of the tree
 *	2. inode->dir_lock			a directory's entries; two directories: ancestor first, else by ino
 *	3. inode->io_lock			a file's blocks against truncation: shared while data moves
 *	4. handle (handle_begin .. _end)	keeps the running transaction open
 *	5. inode->lock				an inode's fields and extent tree
 *	6. group->lock				a block group's bitmaps and descriptor
 *	7. fs->orphan_lock			the list of orphans; inode tables are read below it
 *	8. buf->lock				bytes of one inode-table block
 *	9. cache, inode-table, super block locks	leaves; nothing is taken or read below them
 *
 * A thread that holds a handle must not begin another handle (handles do not nest; pass `h` down),
 * take 1-3, get an inode (e4_iget may wait for one that is being freed), drop the last reference of
 * one (e4_iput may start a transaction), or sleep for file data I/O. Metadata reads through the cache are fine.
 */
#ifndef EXT4_FS_H
#define EXT4_FS_H

#include <ext2fs/ext2_fs.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/bytes.h"
#include "base/list.h"
#include "ext4/ext4.h"

struct cache;
struct journal;
struct txn_manager;
struct group_table;
struct inode_table;
struct xattr_share;
struct mmp;
struct dataloss;

struct e4_fs {
	struct blkdev *dev;
	struct blkdev *replayed; /* what is mounted instead when recovery may not write; ours */
	struct e4_mount_options options;
	atomic_bool read_only;
	char *read_only_reason;
	bool was_writable; /* mounted so: the super block may be written */
	_Atomic int error; /* sticky: first metadata write failure; 0 = fine */

	/* Opening a volume whose journal is in use, see recovery.h. */
	bool recovered;
	bool super_doubtful; /* checksum wrong, which recovery may mend */
	bool journal_error;  /* the last user of the journal recorded an error */

	/* Geometry, constant after mount (checked by super.c, so no user of it needs to). */
	uint32_t block_bytes, block_bits; /* 1024 << n */
	uint64_t blocks_count;
	uint32_t first_data_block;
	uint32_t blocks_per_group, inodes_per_group, inode_bytes, inode_blocks_per_group;
	uint32_t inodes_per_block;
	uint32_t group_count, desc_bytes, descs_per_block;
	uint32_t inodes_count, first_ino;
	uint32_t want_extra_isize;
	uint32_t csum_seed; /* metadata_csum: crc32c over the UUID, or s_checksum_seed */
	uint32_t hash_seed[4];
	int default_hash_version; /* EXT2_HASH_*, signedness included */
	uint32_t feature_incompat;
	_Atomic uint32_t feature_compat, feature_ro_compat; /* grow: super_add_compat(), .._ro_compat() */

	struct cache *cache;
	struct txn_manager *txns;
	struct journal *journal; /* in use; NULL: transactions are written in place */
	struct group_table *groups;
	struct inode_table *inodes;
	struct xattr_share *xattr_share;
	struct dataloss *dataloss;
	struct mmp *mmp; /* NULL: read-only, or a volume without it */

	pthread_mutex_t rename_lock;

	pthread_mutex_t orphan_lock;
	struct list orphans; /* orphan.c */
	/* Held while free blocks are set aside to be discarded, and by allocators that search once more:
	 * between inode->lock and group->lock. */
	pthread_mutex_t trim_lock;
	atomic_bool trim_used;

	/* The super block; under super_lock. Counters live here and are stored by super_store(). */
	pthread_mutex_t super_lock;
	struct ext2_super_block super;
	_Atomic uint64_t free_blocks;
	_Atomic uint32_t free_inodes;
	_Atomic uint64_t bytes_written; /* not counted in the super block yet */
	uint64_t reserved_blocks; /* root's reserve */
	uint64_t tree_reserve;	  /* for nodes of extent trees */
	_Atomic uint64_t claimed_blocks; /* free on the drive, but somebody's (balloc_claim()) */

	_Atomic int64_t lazy_since; /* seconds; the first access time that was not stored, 0: none */

	/* Hints of the allocators: groups where a search succeeded that had to go far, so that on a
	 * drive nearly full not every search passes all full groups; a counter that spreads folders. */
	_Atomic uint32_t far_block_group, far_inode_group, folder_turn;
};

static inline bool fs_has_compat(const struct e4_fs *fs, uint32_t feature)
{
	return fs->feature_compat & feature;
}

static inline bool fs_has_incompat(const struct e4_fs *fs, uint32_t feature)
{
	return fs->feature_incompat & feature;
}

static inline bool fs_has_ro_compat(const struct e4_fs *fs, uint32_t feature)
{
	return fs->feature_ro_compat & feature;
}

static inline bool fs_has_csum(const struct e4_fs *fs)
{
	return fs_has_ro_compat(fs, EXT4_FEATURE_RO_COMPAT_METADATA_CSUM);
}

static inline bool fs_has_journal(const struct e4_fs *fs)
{
	return fs_has_compat(fs, EXT3_FEATURE_COMPAT_HAS_JOURNAL);
}

static inline uint64_t fs_blocks_to_bytes(const struct e4_fs *fs, uint64_t blocks)
{
	return blocks << fs->block_bits;
}

/*
 * Damage found in metadata while running: makes the volume read-only, is remembered in the super
 * block (EXT2_ERROR_FS) at unmount, tells options.on_error once. Returns -EUCLEAN so callers can return it.
 * what: short English text for logs, e.g. "extent tree of inode 12: bad depth".
 */
int fs_damaged(struct e4_fs *fs, const char *what, ...) PRINTF(2, 3);
/* A metadata read or write failed: sticky error, read-only. Returns err. */
int fs_io_error(struct e4_fs *fs, int err, const char *what);
/* Flushes the device. File data that it turns out not to have taken is its inodes' affair (dataloss.h) and no
 * failure; anything else is. */
int fs_flush(struct e4_fs *fs) MUST_CHECK;
/* 0, or -EROFS / the sticky error when nothing may be changed. */
int fs_check_writable(struct e4_fs *fs);

/* crc32c as ext4 uses it (no final inversion). */
uint32_t fs_crc32c(uint32_t seed, const void *data, size_t len);
/* Seed for checksums of things that belong to an inode (extent blocks, directory blocks). */
uint32_t fs_inode_seed(const struct e4_fs *fs, uint32_t ino, uint32_t generation);

#endif
