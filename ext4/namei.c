/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking up, and what all operations on names share. Making names is in create.c, removing in
 * remove.c, renaming in rename.c.
 *
 * Every change: take dir_lock, look (the name, types, limits), begin a handle with all credits,
 * change, end it. What may fail for want of space comes before what cannot be taken back, so
 * a failed operation leaves nothing but an inode without links, which the last put frees.
 */
#include "ext4/namei.h"

#include <errno.h>
#include <sys/stat.h>

#include "ext4/orphan.h"

enum { CHILD_LOCK_SECONDS = 20 };

int name_check(const char *name, size_t name_len, int dots_err)
{
	if (name_len == 0)
		return -ENOENT;
	if (name_len > E4_NAME_MAX)
		return -ENAMETOOLONG;
	if (memchr(name, '/', name_len) || memchr(name, 0, name_len))
		return -EINVAL;
	if (name_len <= 2 && name[0] == '.' && name[name_len - 1] == '.')
		return dots_err;
	return 0;
}

int namei_check_dir(const struct e4_inode *dir)
{
	return inode_is_dir(dir) ? 0 : -ENOTDIR;
}

static uint32_t inode_flags(struct e4_inode *inode)
{
	pthread_rwlock_rdlock(&inode->lock);
	uint32_t flags = inode->flags;
	pthread_rwlock_unlock(&inode->lock);
	return flags;
}

int namei_may_add(struct e4_inode *dir)
{
	if (dir->deleted)
		return -ENOENT;
	return inode_flags(dir) & EXT2_IMMUTABLE_FL ? -EPERM : 0;
}

int namei_may_remove(struct e4_inode *dir, struct e4_inode *child)
{
	if (dir->deleted)
		return -ENOENT;
	if ((inode_flags(dir) | inode_flags(child)) & (EXT2_IMMUTABLE_FL | EXT2_APPEND_FL))
		return -EPERM;
	return 0;
}

int namei_may_add_dir(struct e4_inode *dir)
{
	pthread_rwlock_rdlock(&dir->lock);
	uint32_t nlink = dir->nlink;
	pthread_rwlock_unlock(&dir->lock);

	if (nlink < NAMEI_LINK_MAX)
		return 0;
	if (fs_has_ro_compat(dir->fs, EXT4_FEATURE_RO_COMPAT_DIR_NLINK) && dir_is_indexed(dir))
		return 0;
	return -EMLINK;
}

int namei_get(struct e4_inode *dir, const char *name, size_t name_len, struct e4_inode **ret_inode)
{
	struct e4_fs *fs = dir->fs;
	bool dots = name_check(name, name_len, 1) == 1;
	uint32_t ino;
	uint8_t type;

	if (dir->deleted)
		return -ENOENT;

	int r = dir_find(dir, name, name_len, &ino, &type);

	if (r < 0)
		return r;
	if (ino > fs->inodes_count || (ino < fs->first_ino && ino != E4_ROOT_INO) ||
		(ino == dir->ino && !dots))
		return fs_damaged(fs, "directory %u: entry names inode %u", dir->ino, ino);
	r = e4_iget(fs, ino, ret_inode);
	if (r == -ENOENT)
		return fs_damaged(fs, "directory %u: entry names unused inode %u", dir->ino, ino);
	return r;
}

int namei_lock_child(struct e4_inode *child)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += CHILD_LOCK_SECONDS;
	return pthread_rwlock_timedwrlock(&child->dir_lock, &until) ? -EBUSY : 0;
}

int namei_touch_dir(struct handle *h, struct e4_inode *dir, int subdirs)
{
	pthread_rwlock_wrlock(&dir->lock);
	dir->mtime = dir->ctime = inode_now();
	if (subdirs > 0)
		inode_inc_nlink(dir);
	else if (subdirs < 0)
		inode_dec_nlink(dir);
	int r = inode_store(h, dir, true);
	pthread_rwlock_unlock(&dir->lock);
	return r;
}

int namei_sync(struct e4_inode *dir)
{
	return inode_sync(dir, EXT2_DIRSYNC_FL | EXT2_SYNC_FL);
}

int namei_touch(struct handle *h, struct e4_inode *inode)
{
	pthread_rwlock_wrlock(&inode->lock);
	inode->ctime = inode_now();
	int r = inode_store(h, inode, false);
	pthread_rwlock_unlock(&inode->lock);
	return r;
}

int namei_drop_link(struct handle *h, struct e4_inode *inode)
{
	pthread_rwlock_wrlock(&inode->lock);
	if (inode_is_dir(inode)) {
		inode->nlink = 0;
		inode->deleted = true;
	} else {
		inode_dec_nlink(inode);
	}
	inode->ctime = inode_now();
	int r = inode_store(h, inode, false);
	if (r == 0 && inode->nlink == 0)
		r = orphan_add(h, inode);
	pthread_rwlock_unlock(&inode->lock);
	return r;
}

int namei_first_link(struct handle *h, struct e4_inode *inode)
{
	pthread_rwlock_wrlock(&inode->lock);
	inode->nlink = inode_is_dir(inode) ? 2 : 1;
	inode->linkable = false;
	int r = inode_store(h, inode, true);
	if (r == 0)
		r = orphan_remove(h, inode);
	pthread_rwlock_unlock(&inode->lock);
	return r;
}

uint8_t namei_mode_type(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return EXT2_FT_REG_FILE;
	case S_IFDIR:
		return EXT2_FT_DIR;
	case S_IFCHR:
		return EXT2_FT_CHRDEV;
	case S_IFBLK:
		return EXT2_FT_BLKDEV;
	case S_IFIFO:
		return EXT2_FT_FIFO;
	case S_IFSOCK:
		return EXT2_FT_SOCK;
	case S_IFLNK:
		return EXT2_FT_SYMLINK;
	default:
		return EXT2_FT_UNKNOWN;
	}
}

int e4_lookup(struct e4_inode *dir, const char *name, size_t name_len, struct e4_inode **ret_inode)
{
	int r = namei_check_dir(dir);

	if (r == 0)
		r = name_check(name, name_len, 0);
	if (r < 0)
		return r;
	if (name_len == 1 && name[0] == '.') {
		*ret_inode = e4_iref(dir);
		return 0;
	}
	pthread_rwlock_rdlock(&dir->dir_lock);
	r = namei_get(dir, name, name_len, ret_inode);
	pthread_rwlock_unlock(&dir->dir_lock);
	return r;
}
