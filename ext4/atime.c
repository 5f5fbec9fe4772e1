/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Access times. Which accesses count is the volume's policy, and the inode's: chattr +A.
 *
 *	relatime	when the time is not newer than the last change, or a day old
 *	strictatime	always
 *	noatime		never
 *	lazytime	always, but in memory: stored with the inode's next change, by e4_fsync() and
 *			e4_sync(), at unmount, before the inode is dropped from memory, and by the first
 *			access that finds the oldest such time a day old
 */
#include "ext4/atime.h"

#include <errno.h>

#include "ext4/inode-disk.h"

enum { DAY_SECONDS = 24 * 60 * 60 };

static bool is_before(struct timespec a, struct timespec b)
{
	return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

/* inode->lock held. */
static bool counts(const struct e4_inode *inode, struct timespec now)
{
	enum e4_atime policy = inode->fs->options.atime;

	if (policy == E4_ATIME_NEVER || (inode->flags & EXT2_NOATIME_FL))
		return false;
	if (policy != E4_ATIME_RELATIVE)
		return inode->atime.tv_sec != now.tv_sec || inode->atime.tv_nsec != now.tv_nsec;
	return !is_before(inode->mtime, inode->atime) || !is_before(inode->ctime, inode->atime) ||
		now.tv_sec - inode->atime.tv_sec >= DAY_SECONDS;
}

static int store(struct e4_inode *inode)
{
	struct handle h;
	int r = handle_begin(inode->fs, INODE_CREDITS + 1, &h);

	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&inode->lock);
	r = inode_reserve(&h, inode);
	if (r == 0)
		r = inode_store(&h, inode, false);
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	return r;
}

int atime_store(struct e4_inode *inode)
{
	/* cleared first: whoever empties a list of such inodes must get to its end */
	return atomic_exchange(&inode->lazy_time, false) ? store(inode) : 0;
}

/* Whether a day has passed since the first time that was not stored; the next day begins. */
static bool day_is_over(struct e4_fs *fs, struct timespec now)
{
	int64_t since = 0;

	if (atomic_compare_exchange_strong(&fs->lazy_since, &since, now.tv_sec))
		return false;
	return now.tv_sec - since >= DAY_SECONDS &&
		atomic_compare_exchange_strong(&fs->lazy_since, &since, now.tv_sec);
}

void e4_accessed(struct e4_inode *inode)
{
	struct e4_fs *fs = inode->fs;
	struct timespec now = inode_now();
	bool lazy = fs->options.atime == E4_ATIME_LAZY, due;

	pthread_rwlock_rdlock(&inode->lock);
	due = counts(inode, now);
	pthread_rwlock_unlock(&inode->lock);
	if (!due || fs_check_writable(fs) < 0)
		return;
	pthread_rwlock_wrlock(&inode->lock);
	inode->atime = inode_disk_time(inode, now);
	atomic_store(&inode->lazy_time, true);
	pthread_rwlock_unlock(&inode->lock);
	/* Nobody reads in vain because a time could not be stored: the failure is sticky in fs. */
	if (!lazy)
		(void)!atime_store(inode);
	else if (day_is_over(fs, now))
		(void)!inodes_store_lazy(fs);
}
