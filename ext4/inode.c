/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inode table: one struct per inode number in use.
 *
 *	absent -> LOADING -> READY -> FREEING -> absent
 *
 *	1. Hash, LRU, refs and state of every inode belong to table->lock, a leaf: nothing is read
 *	   and no other lock is taken below it.
 *	2. LOADING: one thread reads the record; others wait. A failed load leaves the hash at once.
 *	3. refs == 0 and READY: on the LRU; the drive holds the same fields, so it can go any time
	   (but for lazy_time, which is stored first).
 *	4. FREEING: the last reference of an inode without links is gone and it is being taken off
 *	   the drive; whoever asks for the number waits, then finds what the drive says.
 */
#include "ext4/inode.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "ext4/atime.h"
#include "ext4/dataloss.h"
#include "ext4/extent.h"
#include "ext4/ialloc.h"
#include "ext4/inode-disk.h"
#include "ext4/inode-evict.h"
#include "ext4/orphan.h"

enum {
	HASH_BUCKETS = 4096,
	LRU_MAX = 4096,
};

enum inode_state {
	INODE_LOADING,
	INODE_READY,
	INODE_FREEING,
};

struct inode_table {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* an inode left LOADING or FREEING */
	struct list lru;	/* least recently used first */
	unsigned lru_count;
	struct e4_inode *hash[HASH_BUCKETS];
};

static struct e4_inode **hash_slot(struct inode_table *table, uint32_t ino)
{
	struct e4_inode **slot = &table->hash[ino % HASH_BUCKETS];

	while (*slot && (*slot)->ino != ino)
		slot = &(*slot)->hash_next;
	return slot;
}

static void hash_remove(struct inode_table *table, struct e4_inode *inode)
{
	struct e4_inode **slot = hash_slot(table, inode->ino);

	if (*slot == inode)
		*slot = inode->hash_next;
	inode->hash_next = NULL;
}

static void hash_insert(struct inode_table *table, struct e4_inode *inode)
{
	struct e4_inode **slot = &table->hash[inode->ino % HASH_BUCKETS];

	inode->hash_next = *slot;
	*slot = inode;
}

/* Writers come first: a stream of readers must not starve a truncation. */
static int lock_init(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attr;
	int r = pthread_rwlockattr_init(&attr);

	if (r)
		return -r;
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	r = pthread_rwlock_init(lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	return -r;
}

static struct e4_inode *inode_alloc(struct e4_fs *fs, uint32_t ino)
{
	struct e4_inode *inode = calloc(1, sizeof(*inode));

	if (!inode)
		return NULL;
	inode->fs = fs;
	inode->ino = ino;
	inode->refs = 1;
	list_init(&inode->lru);
	list_init(&inode->orphan);
	if (lock_init(&inode->dir_lock) == 0) {
		if (lock_init(&inode->io_lock) == 0) {
			if (lock_init(&inode->lock) == 0)
				return inode;
			pthread_rwlock_destroy(&inode->io_lock);
		}
		pthread_rwlock_destroy(&inode->dir_lock);
	}
	free(inode);
	return NULL;
}

static void inode_free(struct e4_inode *inode)
{
	pthread_rwlock_destroy(&inode->dir_lock);
	pthread_rwlock_destroy(&inode->io_lock);
	pthread_rwlock_destroy(&inode->lock);
	free(inode);
}

int inodes_start(struct e4_fs *fs)
{
	struct inode_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	pthread_mutex_init(&table->lock, NULL);
	pthread_cond_init(&table->changed, NULL);
	list_init(&table->lru);
	fs->inodes = table;
	return 0;
}

void inodes_stop(struct e4_fs *fs)
{
	struct inode_table *table = fs->inodes;

	if (!table)
		return;
	for (size_t i = 0; i < HASH_BUCKETS; i++) {
		while (table->hash[i]) {
			struct e4_inode *inode = table->hash[i];

			table->hash[i] = inode->hash_next;
			inode_free(inode);
		}
	}
	pthread_cond_destroy(&table->changed);
	pthread_mutex_destroy(&table->lock);
	free(table);
	fs->inodes = NULL;
}

/* Takes the oldest unreferenced inode out of the table if there are too many; one whose access time
 * is only in memory stays in it, referenced. table->lock held. */
static struct e4_inode *lru_shrink(struct inode_table *table)
{
	struct e4_inode *inode;

	if (table->lru_count <= LRU_MAX)
		return NULL;
	inode = list_first(&table->lru, struct e4_inode, lru);
	list_remove(&inode->lru);
	table->lru_count--;
	if (atomic_load(&inode->lazy_time))
		inode->refs = 1;
	else
		hash_remove(table, inode);
	return inode;
}

/* The inode with one more reference once it is READY, or NULL. table->lock held. */
static struct e4_inode *table_find(struct inode_table *table, uint32_t ino)
{
	struct e4_inode *inode;

	while ((inode = *hash_slot(table, ino)) && inode->state != INODE_READY)
		pthread_cond_wait(&table->changed, &table->lock);
	if (!inode)
		return NULL;
	if (inode->refs++ == 0) {
		list_remove(&inode->lru);
		table->lru_count--;
	}
	return inode;
}

static void table_drop(struct inode_table *table, struct e4_inode *inode)
{
	pthread_mutex_lock(&table->lock);
	hash_remove(table, inode);
	pthread_cond_broadcast(&table->changed);
	pthread_mutex_unlock(&table->lock);
	inode_free(inode);
}

/* Numbers that no directory entry may name. */
static bool ino_reserved(const struct e4_fs *fs, uint32_t ino)
{
	const struct ext2_super_block *super = &fs->super;

	if (ino == E4_ROOT_INO)
		return false;
	if (ino < fs->first_ino || ino == le32toh(super->s_usr_quota_inum) ||
		ino == le32toh(super->s_grp_quota_inum) || ino == le32toh(super->s_prj_quota_inum))
		return true;
	return fs_has_compat(fs, EXT4_FEATURE_COMPAT_ORPHAN_FILE) &&
		ino == le32toh(super->s_orphan_file_inum);
}

/* Who asks for an inode by its number. */
enum asked_by {
	BY_NAME,   /* the drive: a number that cannot be is damage */
	BY_HANDLE, /* a program: the number may be anything */
	BY_LIST,   /* the list of orphans: it may be without links */
};

static int inode_load(struct e4_inode *inode, enum asked_by asked)
{
	struct e4_fs *fs = inode->fs;
	bool used = true;
	int r = 0;

	/* An inode in use that its bitmap calls free would be given out again by the next create;
	 * where nothing is created, a damaged bitmap must not keep anybody from reading files. */
	if (!fs->read_only && !ino_reserved(fs, inode->ino))
		r = ialloc_in_use(fs, inode->ino, &used);
	if (r < 0)
		return r;
	if (asked != BY_NAME && !used)
		return -ENOENT;
	r = inode_disk_load(inode, asked == BY_LIST);
	inode->holds_value = inode->flags & EXT4_EA_INODE_FL;
	/* What changed it before it was dropped from memory may not be on the medium yet. */
	if (fs->txns)
		inode->sync_txn = inode->datasync_txn = txn_running_id(fs);
	if (r == 0 && !used)
		return fs_damaged(fs, "inode %u: in use, but marked free", inode->ino);
	return r;
}

static int no_such(struct e4_fs *fs, uint32_t ino, enum asked_by asked)
{
	return asked == BY_HANDLE ? -ENOENT : fs_damaged(fs, "inode %u: no such number", ino);
}

static int table_get(struct e4_fs *fs, uint32_t ino, enum asked_by asked, struct e4_inode **ret_inode)
{
	struct inode_table *table = fs->inodes;
	struct e4_inode *inode;
	int r;

	if (ino == 0 || ino > fs->inodes_count)
		return no_such(fs, ino, asked);
	pthread_mutex_lock(&table->lock);
	inode = table_find(table, ino);
	if (inode) {
		pthread_mutex_unlock(&table->lock);
		*ret_inode = inode;
		return 0;
	}
	inode = inode_alloc(fs, ino);
	if (inode) {
		inode->state = INODE_LOADING;
		hash_insert(table, inode);
	}
	pthread_mutex_unlock(&table->lock);
	if (!inode)
		return -ENOMEM;

	r = inode_load(inode, asked);
	if (r < 0) {
		table_drop(table, inode);
		return r;
	}
	pthread_mutex_lock(&table->lock);
	inode->state = INODE_READY;
	pthread_cond_broadcast(&table->changed);
	pthread_mutex_unlock(&table->lock);
	*ret_inode = inode;
	return 0;
}

/* What holds the value of an attribute is no file, and nothing else is such a value. */
static int iget_kind(struct e4_fs *fs, uint32_t ino, bool value, enum asked_by asked, struct e4_inode **ret_inode)
{
	struct e4_inode *inode;
	int r;

	if (ino_reserved(fs, ino))
		return no_such(fs, ino, asked);
	r = table_get(fs, ino, asked, &inode);
	if (r < 0)
		return r;
	if (inode->holds_value == value) {
		*ret_inode = inode;
		return 0;
	}
	e4_iput(inode);
	if (asked == BY_HANDLE)
		return -ENOENT;
	if (value)
		return fs_damaged(fs, "inode %u: an attribute value that is none", ino);
	return fs_damaged(fs, "inode %u: an attribute value has a name", ino);
}

int e4_iget(struct e4_fs *fs, uint32_t ino, struct e4_inode **ret_inode)
{
	return iget_kind(fs, ino, false, BY_NAME, ret_inode);
}

int e4_iget_handle(struct e4_fs *fs, uint32_t ino, struct e4_inode **ret_inode)
{
	return iget_kind(fs, ino, false, BY_HANDLE, ret_inode);
}

int inode_get_value(struct e4_fs *fs, uint32_t ino, struct e4_inode **ret_inode)
{
	return iget_kind(fs, ino, true, BY_NAME, ret_inode);
}

int inode_get_system(struct e4_fs *fs, uint32_t ino, struct e4_inode **ret_inode)
{
	return table_get(fs, ino, BY_NAME, ret_inode);
}

int inode_get_orphan(struct e4_fs *fs, uint32_t ino, struct e4_inode **ret_inode, uint32_t *ret_next)
{
	int r;

	if (ino_reserved(fs, ino))
		return fs_damaged(fs, "inode %u: no orphan", ino);
	r = table_get(fs, ino, BY_LIST, ret_inode);
	if (r == 0)
		*ret_next = (*ret_inode)->orphan_next;
	return r;
}

struct e4_inode *e4_iref(struct e4_inode *inode)
{
	struct inode_table *table = inode->fs->inodes;

	pthread_mutex_lock(&table->lock);
	inode->refs++;
	pthread_mutex_unlock(&table->lock);
	return inode;
}

/* FREEING: takes it off the drive and out of memory, or keeps it until unmount. */
static void drop_evicted(struct e4_inode *inode)
{
	struct inode_table *table = inode->fs->inodes;

	if (inode_evict(inode)) {
		orphan_forget(inode);
		table_drop(table, inode);
		return;
	}
	pthread_mutex_lock(&table->lock);
	inode->refs = 1;
	inode->state = INODE_READY;
	pthread_cond_broadcast(&table->changed);
	pthread_mutex_unlock(&table->lock);
}

/* Drops one reference. Returns an inode that has to leave memory, but is kept by a reference until
 * its access time is stored; or NULL. */
static struct e4_inode *put_one(struct e4_inode *inode)
{
	struct inode_table *table = inode->fs->inodes;
	struct e4_inode *old = NULL;
	bool evict, lazy = false;

	pthread_mutex_lock(&table->lock);
	if (--inode->refs > 0) {
		pthread_mutex_unlock(&table->lock);
		return NULL;
	}
	/* Links change only under a reference, so without any the count stands. */
	evict = inode->nlink == 0;
	if (evict) {
		inode->state = INODE_FREEING;
	} else {
		list_add_tail(&table->lru, &inode->lru);
		table->lru_count++;
		old = lru_shrink(table);
		lazy = old && old->refs > 0;
	}
	pthread_mutex_unlock(&table->lock);
	if (old && !lazy)
		inode_free(old);
	if (evict)
		drop_evicted(inode);
	return lazy ? old : NULL;
}

void e4_iput(struct e4_inode *inode)
{
	/* An end is certain: each round stores one. Whether that works, the sticky error says. */
	while ((inode = put_one(inode)))
		(void)!atime_store(inode);
}

void e4_iput_number(struct e4_fs *fs, uint32_t ino)
{
	struct inode_table *table = fs->inodes;
	struct e4_inode *inode;

	pthread_mutex_lock(&table->lock);
	inode = *hash_slot(table, ino);
	pthread_mutex_unlock(&table->lock);
	assert(inode);
	e4_iput(inode);
}

/* Up to max inodes, referenced, whose access time is not stored. */
static size_t table_find_lazy(struct inode_table *table, struct e4_inode **ret_inodes, size_t max)
{
	size_t count = 0;

	pthread_mutex_lock(&table->lock);
	for (size_t i = 0; i < HASH_BUCKETS; i++) {
		for (struct e4_inode *inode = table->hash[i]; inode && count < max;
			inode = inode->hash_next) {
			if (inode->state != INODE_READY || !atomic_load(&inode->lazy_time))
				continue;
			if (inode->refs++ == 0) {
				list_remove(&inode->lru);
				table->lru_count--;
			}
			ret_inodes[count++] = inode;
		}
	}
	pthread_mutex_unlock(&table->lock);
	return count;
}

int inodes_store_lazy(struct e4_fs *fs)
{
	struct e4_inode *inodes[64];
	size_t count;
	int r = 0;

	if (fs->options.atime != E4_ATIME_LAZY)
		return 0;
	do {
		count = table_find_lazy(fs->inodes, inodes, ARRAY_SIZE(inodes));
		for (size_t i = 0; i < count; i++) {
			int stored = atime_store(inodes[i]);

			if (r == 0)
				r = stored;
			e4_iput(inodes[i]);
		}
	} while (count == ARRAY_SIZE(inodes));
	return r;
}

/* ---- new inodes ---------------------------------------------------------------------------- */

/* What a new inode takes over from its directory's flags. */
static uint32_t flags_inherit(uint32_t mode, uint32_t parent_flags)
{
	enum {
		OTHER = EXT2_NODUMP_FL | EXT2_NOATIME_FL,
		FILE_ONLY = EXT2_SECRM_FL | EXT2_UNRM_FL | EXT2_COMPR_FL | EXT2_SYNC_FL |
			EXT2_NOCOMPR_FL | EXT3_JOURNAL_DATA_FL | EXT2_NOTAIL_FL | FS_DAX_FL,
		DIR_ONLY = EXT2_DIRSYNC_FL | EXT4_PROJINHERIT_FL | EXT4_CASEFOLD_FL,
	};

	if (S_ISDIR(mode))
		return parent_flags & (OTHER | FILE_ONLY | DIR_ONLY);
	if (S_ISREG(mode))
		return parent_flags & (OTHER | FILE_ONLY);
	return parent_flags & OTHER;
}

static void fields_init(struct e4_inode *inode, const struct e4_create *what,
	uint32_t parent_flags)
{
	struct e4_fs *fs = inode->fs;

	inode->mode = (uint16_t)what->mode;
	inode->type = inode->mode & S_IFMT;
	inode->uid = what->uid;
	inode->gid = what->gid;
	inode->flags = flags_inherit(what->mode, parent_flags);
	inode->extra_isize = fs->inode_bytes > 128 ? (uint16_t)fs->want_extra_isize : 0;
	inode->may_inline = S_ISREG(what->mode) && inode->extra_isize &&
		fs_has_incompat(fs, EXT4_FEATURE_INCOMPAT_INLINE_DATA);
	inode->crtime = inode_disk_time(inode, inode_now());
	inode->atime = inode->mtime = inode->ctime = inode->crtime;
	if ((S_ISREG(what->mode) || S_ISDIR(what->mode)) &&
		fs_has_incompat(fs, EXT3_FEATURE_INCOMPAT_EXTENTS)) {
		inode->flags |= EXT4_EXTENTS_FL;
		extent_init(inode);
	}
	if (S_ISCHR(what->mode) || S_ISBLK(what->mode)) {
		uint32_t rdev = inode->rdev = what->rdev;

		/* 8:8 bits in the old place, anything larger in the new one. */
		inode->i_block32[rdev >> 16 ? 1 : 0] = htole32(rdev);
	}
}

static int table_insert(struct inode_table *table, struct e4_inode *inode)
{
	struct e4_inode *other;

	pthread_mutex_lock(&table->lock);
	/* The number's last owner may still be leaving; its transaction has been committed, or the
	 * number would not be free, so it waits for nothing that we hold. */
	while ((other = *hash_slot(table, inode->ino)) && other->state != INODE_READY)
		pthread_cond_wait(&table->changed, &table->lock);
	if (!other)
		hash_insert(table, inode);
	pthread_mutex_unlock(&table->lock);
	return other ? -EUCLEAN : 0;
}

int inode_new(struct handle *h, uint32_t ino, const struct e4_create *what, uint32_t parent_flags,
	struct e4_inode **ret_inode)
{
	struct e4_fs *fs = h->fs;
	struct e4_inode *inode = inode_alloc(fs, ino);
	int r;

	if (!inode)
		return -ENOMEM;
	inode->state = INODE_READY;
	dataloss_forget(fs, ino);
	fields_init(inode, what, parent_flags);
	if (getrandom(&inode->generation, sizeof(inode->generation), 0) !=
		(ssize_t)sizeof(inode->generation))
		r = -EIO;
	else
		r = inode_disk_clear(h, inode);
	if (r == 0)
		r = inode_store(h, inode, true);
	if (r == 0) {
		r = table_insert(fs->inodes, inode);
		if (r < 0)
			r = fs_damaged(fs, "inode %u: in use, but marked free", ino);
	}
	if (r < 0) {
		inode_free(inode);
		return r;
	}
	*ret_inode = inode;
	return 0;
}
