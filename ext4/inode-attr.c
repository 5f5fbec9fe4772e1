/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attributes of an inode: reading and changing them. */
#include <errno.h>
#include <sys/stat.h>

#include "ext4/acl-inode.h"
#include "ext4/file.h"
#include "ext4/inode-disk.h"

uint32_t e4_ino(const struct e4_inode *inode)
{
	return inode->ino;
}

uint32_t e4_generation(const struct e4_inode *inode)
{
	return inode->generation;
}

struct timespec inode_now(void)
{
	struct timespec now;

	/* the clock of the kernel's own time stamps: a finer one would be ahead of them */
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now;
}

/* More than 65000 links of a directory are not counted any more but marked by 1. */
void inode_inc_nlink(struct e4_inode *inode)
{
	enum { LINKS_MAX = 65000 };

	if (!inode_is_dir(inode)) {
		inode->nlink++;
		return;
	}
	if (inode->nlink == 1)
		return;
	if (++inode->nlink > LINKS_MAX)
		inode->nlink = 1;
}

void inode_dec_nlink(struct e4_inode *inode)
{
	if (inode->nlink > (inode_is_dir(inode) ? 2u : 0u))
		inode->nlink--;
}

void e4_getattr(struct e4_inode *inode, struct e4_attr *ret_attr)
{
	pthread_rwlock_rdlock(&inode->lock);
	*ret_attr = (struct e4_attr){
		.ino = inode->ino,
		.generation = inode->generation,
		.mode = inode->mode,
		.uid = inode->uid,
		.gid = inode->gid,
		.nlink = inode->nlink,
		.flags = inode->flags,
		.size = inode->size,
		.blocks_512 = inode->blocks,
		.rdev = inode->rdev,
		.atime = inode->atime,
		.mtime = inode->mtime,
		.ctime = inode->ctime,
		.crtime = inode->crtime,
		.has_crtime = inode_disk_has_crtime(inode),
	};
	/* A file that takes no blocks would count as one hole, and copied as one, though it has data
	 * in its inode. The kernel counts it like this, too. */
	if (inode_is_reg(inode) && (inode->flags & EXT4_INLINE_DATA_FL))
		ret_attr->blocks_512 += div_round_up_u64(inode->size, 512);
	pthread_rwlock_unlock(&inode->lock);
}

/* What an append-only file refuses. */
enum {
	SET_ATTRIBUTES = E4_SET_MODE | E4_SET_KILL_SUID | E4_SET_KILL_SGID | E4_SET_UID | E4_SET_GID |
		E4_SET_SIZE | E4_SET_GIVEN_TIMES,
};

static int check_allowed(struct e4_inode *inode, unsigned mask)
{
	uint32_t flags;

	pthread_rwlock_rdlock(&inode->lock);
	flags = inode->flags;
	pthread_rwlock_unlock(&inode->lock);
	if ((flags & EXT2_IMMUTABLE_FL) && !(mask & E4_SET_HELD))
		return -EPERM;
	if ((flags & EXT2_APPEND_FL) && (mask & SET_ATTRIBUTES))
		return -EPERM;
	if (!(mask & E4_SET_SIZE) || inode_is_reg(inode))
		return 0;
	return inode_is_dir(inode) ? -EISDIR : -EINVAL;
}

static void set_fields(struct e4_inode *inode, const struct e4_attr *attr, unsigned mask)
{
	if (mask & E4_SET_MODE)
		inode->mode = (uint16_t)((inode->mode & S_IFMT) | (attr->mode & 07777));
	if (mask & E4_SET_KILL_SUID)
		inode->mode &= (uint16_t)~S_ISUID;
	if (mask & E4_SET_KILL_SGID)
		inode->mode &= (uint16_t)~S_ISGID;
	if (mask & E4_SET_UID)
		inode->uid = attr->uid;
	if (mask & E4_SET_GID)
		inode->gid = attr->gid;
	if (mask & E4_SET_ATIME)
		inode->atime = inode_disk_time(inode, attr->atime);
	if (mask & E4_SET_MTIME)
		inode->mtime = inode_disk_time(inode, attr->mtime);
	inode->ctime = inode_disk_time(inode, mask & E4_SET_CTIME ? attr->ctime : inode_now());
}

static bool time_valid(const struct timespec *time)
{
	return time->tv_nsec >= 0 && time->tv_nsec <= 999999999;
}

enum {
	SET_TIMES = E4_SET_ATIME | E4_SET_MTIME | E4_SET_CTIME | E4_SET_HELD | E4_SET_GIVEN_TIMES,
};

/* Nobody reads the times of a file without a name from the drive: the kernel brings ctime after each
 * unlink, just before it forgets the file. */
static bool change_in_memory(struct e4_inode *inode, const struct e4_attr *attr, unsigned mask)
{
	bool nameless;

	if (mask & ~(unsigned)SET_TIMES)
		return false;
	pthread_rwlock_wrlock(&inode->lock);
	nameless = inode->nlink == 0 && !inode->linkable;
	if (nameless)
		set_fields(inode, attr, mask);
	pthread_rwlock_unlock(&inode->lock);
	return nameless;
}

/* A file may have an ACL that must follow its mode; that takes a place for it when it is shared. */
static int change(struct e4_inode *inode, const struct e4_attr *attr, unsigned mask)
{
	struct handle h;
	int r = handle_begin(inode->fs,
		mask & E4_SET_MODE ? XATTR_SET_CREDITS : INODE_CREDITS + 1, &h);

	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&inode->lock);
	r = inode_reserve(&h, inode);
	if (r == 0 && (mask & E4_SET_MODE))
		r = acl_inode_chmod(&h, inode, attr->mode);
	if (r == 0) {
		set_fields(inode, attr, mask);
		r = inode_store(&h, inode, false);
	}
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	return r;
}

static int setattr_unsynced(struct e4_inode *inode, const struct e4_attr *attr, unsigned mask)
{
	unsigned tries = 0;
	int r = fs_check_writable(inode->fs);

	if (r == 0)
		r = check_allowed(inode, mask);
	if (r < 0)
		return r;
	if (((mask & E4_SET_ATIME) && !time_valid(&attr->atime)) ||
		((mask & E4_SET_MTIME) && !time_valid(&attr->mtime)) ||
		((mask & E4_SET_CTIME) && !time_valid(&attr->ctime)))
		return -EINVAL;
	if (mask & E4_SET_SIZE) {
		r = file_set_size(inode, attr->size);
		if (r < 0)
			return r;
		if (mask == E4_SET_SIZE)
			return 0;
	}
	if (change_in_memory(inode, attr, mask))
		return 0;
	do
		r = change(inode, attr, mask);
	while (r == -ENOSPC && balloc_retry(inode->fs, &tries));
	return r;
}

int e4_setattr(struct e4_inode *inode, const struct e4_attr *attr, unsigned mask)
{
	int r = setattr_unsynced(inode, attr, mask);

	if (r < 0 || (mask & E4_SET_HELD))
		return r;
	return inode_sync(inode, EXT2_SYNC_FL);
}
