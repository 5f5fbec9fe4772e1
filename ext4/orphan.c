/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The list of orphans: the super block names the first, each inode's deletion time field the next.
 *
 * Invariants, under fs->orphan_lock (between inode->lock and buf->lock):
 * 1. fs->orphans holds the inodes that this mount has put on the list, in the order of the drive's;
 *    behind them may follow some that are still to be finished (orphans_finish()).
 * 2. The deletion time of a listed inode is written here only.
 * 3. A listed inode is in memory as long as it is in fs->orphans: somebody holds a reference, or it is
 *    being taken off the drive. When it has to go because the volume has failed, it leaves the list in
 *    memory (orphan_forget()); operations that were under way then never reach the drive.
 *
 * Volumes with an orphan file may use the list as well, and this program does. What others have left in
 * such a file is finished at mount.
 */
#include "ext4/orphan.h"

#include <errno.h>

#include "ext4/file.h"
#include "ext4/inode-disk.h"
#include "ext4/orphan-file.h"
#include "ext4/super.h"

bool orphan_is_listed(struct e4_inode *inode)
{
	bool listed;

	pthread_mutex_lock(&inode->fs->orphan_lock);
	listed = !list_empty(&inode->orphan);
	pthread_mutex_unlock(&inode->fs->orphan_lock);
	return listed;
}

void orphan_forget(struct e4_inode *inode)
{
	pthread_mutex_lock(&inode->fs->orphan_lock);
	list_remove(&inode->orphan);
	pthread_mutex_unlock(&inode->fs->orphan_lock);
}

static uint32_t first_on_drive(struct e4_fs *fs)
{
	uint32_t ino;

	pthread_mutex_lock(&fs->super_lock);
	ino = le32toh(fs->super.s_last_orphan);
	pthread_mutex_unlock(&fs->super_lock);
	return ino;
}

/* The commit stores the super block. */
static void set_first_on_drive(struct e4_fs *fs, uint32_t ino)
{
	pthread_mutex_lock(&fs->super_lock);
	fs->super.s_last_orphan = htole32(ino);
	pthread_mutex_unlock(&fs->super_lock);
}

static int add_locked(struct handle *h, struct e4_inode *inode)
{
	struct e4_fs *fs = h->fs;
	uint32_t next = first_on_drive(fs);
	int r = inode_disk_set_dtime(h, inode, next);

	if (r < 0)
		return r;
	inode->orphan_next = next;
	list_add_head(&fs->orphans, &inode->orphan);
	set_first_on_drive(fs, inode->ino);
	return 0;
}

int orphan_add(struct handle *h, struct e4_inode *inode)
{
	struct e4_fs *fs = h->fs;
	int r = 0;

	if (!fs->journal)
		return 0;
	pthread_mutex_lock(&fs->orphan_lock);
	if (list_empty(&inode->orphan))
		r = add_locked(h, inode);
	pthread_mutex_unlock(&fs->orphan_lock);
	return r;
}

static int remove_locked(struct handle *h, struct e4_inode *inode)
{
	struct e4_fs *fs = h->fs;
	struct e4_inode *before = NULL;
	int r = inode_reserve(h, inode);

	if (inode->orphan.prev != &fs->orphans)
		before = list_entry(inode->orphan.prev, struct e4_inode, orphan);
	if (r == 0 && before)
		r = inode_disk_set_dtime(h, before, inode->orphan_next);
	if (r == 0)
		r = inode_disk_set_dtime(h, inode, 0);
	if (r < 0)
		return r;
	if (before)
		before->orphan_next = inode->orphan_next;
	else
		set_first_on_drive(fs, inode->orphan_next);
	list_remove(&inode->orphan);
	return 0;
}

int orphan_remove(struct handle *h, struct e4_inode *inode)
{
	struct e4_fs *fs = h->fs;
	int r = 0;

	pthread_mutex_lock(&fs->orphan_lock);
	if (!list_empty(&inode->orphan))
		r = remove_locked(h, inode);
	pthread_mutex_unlock(&fs->orphan_lock);
	return r;
}

/* ---- at mount ------------------------------------------------------------------------------ */

/* Without links it goes; with them it was being cut to its size. */
static int finish(struct e4_inode *inode)
{
	struct e4_fs *fs = inode->fs;
	int r = 0;

	if (inode->nlink > 0)
		r = file_finish_truncate(inode);
	e4_iput(inode);
	return r < 0 ? r : atomic_load(&fs->error);
}

int orphan_finish(struct e4_fs *fs, uint32_t ino)
{
	struct e4_inode *inode;
	uint32_t next;
	int r = inode_get_orphan(fs, ino, &inode, &next);

	return r < 0 ? (r == -ENOENT ? 0 : r) : finish(inode);
}

/* The first on the drive's list becomes one of ours. */
static int finish_first(struct e4_fs *fs, uint32_t ino)
{
	struct e4_inode *inode;
	uint32_t next;
	int r = inode_get_orphan(fs, ino, &inode, &next);

	if (r < 0)
		return r == -ENOENT ? fs_damaged(fs, "orphan %u is not in use", ino) : r;
	if (next > fs->inodes_count || next == ino) {
		e4_iput(inode);
		return fs_damaged(fs, "orphan %u: bad successor", ino);
	}
	pthread_mutex_lock(&fs->orphan_lock);
	inode->orphan_next = next;
	list_add_head(&fs->orphans, &inode->orphan);
	pthread_mutex_unlock(&fs->orphan_lock);
	return finish(inode);
}

int orphans_finish(struct e4_fs *fs)
{
	uint32_t left = fs->inodes_count, ino;
	int r = 0;

	while (r == 0 && (ino = first_on_drive(fs)) != 0) {
		/* A list that is longer than that has a cycle. */
		if (left-- == 0)
			return fs_damaged(fs, "the list of orphans has no end");
		r = finish_first(fs, ino);
		if (r == 0 && first_on_drive(fs) == ino)
			return fs_damaged(fs, "orphan %u cannot be removed", ino);
	}
	return r < 0 ? r : orphan_file_finish(fs);
}
