/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inodes in memory. Private to ext4/.
 *
 * One struct per inode number, found by hash, counted by references; unreferenced ones are kept in
 * an LRU up to a limit. The on-disk inode is kept equal by inode_store() inside the handle that
 * changed a field, so an unreferenced inode can be dropped at any time.
 *
 * nlink == 0 and last reference dropped: inode_evict() truncates and frees it.
 */
#ifndef EXT4_INODE_H
#define EXT4_INODE_H

#include "ext4/txn.h"

struct e4_inode {
	struct e4_fs *fs;
	uint32_t ino;
	uint16_t type; /* S_IFMT bits of mode; never changes */
	bool holds_value; /* of an attribute (EXT4_EA_INODE_FL); never changes */
	uint64_t table_block; /* where its record lies; 0 until that was read or made, then never changes */
	_Atomic uint32_t child_group; /* directories: where the last file in it got its number, + 1; 0: nowhere yet */

	pthread_rwlock_t dir_lock; /* directories: entries. Readers look up and list. */
	pthread_rwlock_t io_lock;  /* files: shared while data moves, exclusive to take blocks away
				    * or to fill partly written new blocks */
	pthread_rwlock_t lock;	   /* everything below; the extent tree */
	bool may_inline;	   /* a new file that has had no blocks yet: file-inline.c */
	bool deleted;		   /* evicted, or a removed directory: no more entries */
	bool has_attributes;	   /* in its record */
	bool linkable;		   /* made without a name (e4_tmpfile): may get one while nlink is 0 */

	uint16_t mode;
	uint32_t uid, gid, nlink, flags, generation, rdev;
	uint64_t size;
	uint64_t blocks; /* i_blocks in 512-byte units */
	uint64_t file_acl;
	uint32_t dir_acl_or_unused;
	struct timespec atime, mtime, ctime, crtime;
	atomic_bool lazy_time; /* atime is newer than on the drive, and inode_store() is due */
	uint16_t extra_isize;
	union {
		uint8_t i_block[60]; /* extent root, fast symlink, device number, indirect map */
		uint32_t i_block32[15];
	};
	uint64_t alloc_goal; /* physical block after the last one allocated; 0: none */
	uint64_t sync_txn, datasync_txn; /* last transaction that changed it / its size or blocks */

	struct list orphan; /* fs->orphans; this and the next under fs->orphan_lock */
	uint32_t orphan_next;

	/* private to inode.c (inode_table lock) */
	unsigned refs;
	unsigned state;
	struct list lru;
	struct e4_inode *hash_next;
};

enum { INODE_CREDITS = 1 };

int inodes_start(struct e4_fs *fs) MUST_CHECK;
void inodes_stop(struct e4_fs *fs);

/* As e4_iget(), for inodes that hold the value of an attribute (EXT4_EA_INODE_FL) and no others. */
int inode_get_value(struct e4_fs *fs, uint32_t ino, struct e4_inode **ret_inode) MUST_CHECK;
/* As e4_iget(), also for numbers that no directory entry may name: the journal's, the orphan file's. */
int inode_get_system(struct e4_fs *fs, uint32_t ino, struct e4_inode **ret_inode) MUST_CHECK;
/* An orphan, which may be without links, and what its record names as the next one. -ENOENT: free. */
int inode_get_orphan(struct e4_fs *fs, uint32_t ino, struct e4_inode **ret_inode,
	uint32_t *ret_next) MUST_CHECK;
/* A new inode just allocated by ialloc: one reference, nlink 0, extents flag set for regular files
 * and directories, times now, a random generation; stored under h. Nobody else sees it yet. */
int inode_new(struct handle *h, uint32_t ino, const struct e4_create *what, uint32_t parent_flags,
	struct e4_inode **ret_inode) MUST_CHECK;
/* Writes the fields into the inode-table block under h (checksum included), sets sync_txn and,
 * with data_changed, datasync_txn. inode->lock held for writing. */
int inode_store(struct handle *h, struct e4_inode *inode, bool data_changed) MUST_CHECK;
/* atime_store() of all inodes in memory. No lock or handle held. */
int inodes_store_lazy(struct e4_fs *fs) MUST_CHECK;
/* Reads what inode_store() needs, so that it cannot fail any more under h. */
int inode_reserve(struct handle *h, struct e4_inode *inode) MUST_CHECK;
struct timespec inode_now(void);

/* -EPERM: chattr +i. */
int inode_check_mutable(struct e4_inode *inode) MUST_CHECK;
/* Also -EPERM: chattr +a, and mode (FALLOC_FL_*) changes what is there already. */
int inode_check_fallocate(struct e4_inode *inode, int mode) MUST_CHECK;
/* If inode has one of the flags `which`: returns when its last change is on the medium. For
 * EXT2_SYNC_FL and, in directories, EXT2_DIRSYNC_FL; no lock or handle held. */
int inode_sync(struct e4_inode *inode, uint32_t which) MUST_CHECK;

/* Adds to nlink the way the kernel does for directories with dir_nlink (65000 -> 1). */
void inode_inc_nlink(struct e4_inode *inode);
void inode_dec_nlink(struct e4_inode *inode);

static inline bool inode_is_dir(const struct e4_inode *inode)
{
	return inode->type == 0040000;
}

static inline bool inode_is_reg(const struct e4_inode *inode)
{
	return inode->type == 0100000;
}

static inline bool inode_is_symlink(const struct e4_inode *inode)
{
	return inode->type == 0120000;
}

#endif
