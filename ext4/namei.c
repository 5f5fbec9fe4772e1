/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking up and making names. Removing is in remove.c, renaming in rename.c.
 *
 * Every change: take dir_lock, look (the name, types, limits), begin a handle with all credits,
 * change, end it. What may fail for want of space comes before what cannot be taken back, so
 * a failed operation leaves nothing but an inode without links, which the last put frees.
 */
#include "ext4/namei.h"

#include <errno.h>
#include <sys/stat.h>

#include "ext4/balloc.h"
#include "ext4/ialloc.h"
#include "ext4/symlink.h"

enum {
	LINK_MAX_EXT4 = 65000,
	CHILD_LOCK_SECONDS = 20,
};

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

	if (nlink < LINK_MAX_EXT4)
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
	pthread_rwlock_unlock(&inode->lock);
	return r;
}

static uint8_t mode_file_type(uint32_t mode)
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

uint8_t namei_file_type(const struct e4_inode *inode)
{
	return mode_file_type(inode->type);
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

/* ---- making ---- */

static int check_free(struct e4_inode *dir, const char *name, size_t name_len)
{
	uint32_t ino;
	uint8_t type;
	int r = namei_may_add(dir);

	if (r == 0)
		r = dir_find(dir, name, name_len, &ino, &type);
	if (r == -ENOENT && !dir->deleted)
		return 0;
	return r == 0 ? -EEXIST : r;
}

/* What the new inode needs before it gets a name. */
static int fill_new(struct handle *h, struct e4_inode *dir, struct e4_inode *inode,
	const struct e4_create *what)
{
	if (S_ISDIR(what->mode))
		return dir_init(h, inode, dir->ino);
	if (!S_ISLNK(what->mode))
		return 0;
	pthread_rwlock_wrlock(&inode->lock);
	int r = symlink_store(h, inode, what->symlink_target, strlen(what->symlink_target));
	pthread_rwlock_unlock(&inode->lock);
	return r;
}

static int set_first_link(struct handle *h, struct e4_inode *inode)
{
	pthread_rwlock_wrlock(&inode->lock);
	inode->nlink = inode_is_dir(inode) ? 2 : 1;
	int r = inode_store(h, inode, true);
	pthread_rwlock_unlock(&inode->lock);
	return r;
}

static int new_inode(struct handle *h, struct e4_inode *dir, const struct e4_create *what,
	struct e4_inode **ret_inode)
{
	bool is_dir = S_ISDIR(what->mode);
	struct e4_create inherited = *what;
	uint32_t ino;

	pthread_rwlock_rdlock(&dir->lock);
	uint32_t parent_flags = dir->flags;
	if (is_dir)
		inherited.mode |= dir->mode & S_ISGID;
	pthread_rwlock_unlock(&dir->lock);

	int r = ialloc_alloc(h, dir->ino, is_dir, &ino);

	if (r < 0)
		return r;
	r = inode_new(h, ino, &inherited, parent_flags, ret_inode);
	if (r < 0) {
		int undo = ialloc_free(h, ino, is_dir);

		return undo < 0 ? undo : r;
	}
	return 0;
}

/* *ret_inode is set as soon as there is one to put, whatever comes then. */
static int create_under(struct handle *h, struct e4_inode *dir, const char *name, size_t name_len,
	const struct e4_create *what, struct e4_inode **ret_inode)
{
	int r = new_inode(h, dir, what, ret_inode);

	if (r < 0)
		return r;

	struct e4_inode *inode = *ret_inode;

	r = fill_new(h, dir, inode, what);
	if (r == 0)
		r = dir_insert(h, dir, name, name_len, inode->ino, mode_file_type(what->mode));
	if (r == 0)
		r = set_first_link(h, inode);
	if (r == 0)
		r = namei_touch_dir(h, dir, S_ISDIR(what->mode) ? 1 : 0);
	return r;
}

static unsigned create_credits(struct e4_inode *dir, uint32_t mode)
{
	unsigned credits = IALLOC_CREDITS + 2 * INODE_CREDITS + dir_insert_credits(dir);

	/* The new directory's tree is empty: never larger than its parent's. */
	if (S_ISDIR(mode))
		credits += dir_init_credits(dir);
	if (S_ISLNK(mode))
		credits += SYMLINK_CREDITS + dir_init_credits(dir);
	return credits;
}

static int create_locked(struct e4_inode *dir, const char *name, size_t name_len,
	const struct e4_create *what, struct e4_inode **ret_inode)
{
	struct handle h;
	int r = check_free(dir, name, name_len);

	if (r == 0 && S_ISDIR(what->mode))
		r = namei_may_add_dir(dir);
	if (r == 0)
		r = handle_begin(dir->fs, create_credits(dir, what->mode), &h);
	if (r < 0)
		return r;
	r = create_under(&h, dir, name, name_len, what, ret_inode);
	handle_end(&h);
	return r;
}

int e4_create(struct e4_inode *dir, const char *name, size_t name_len,
	const struct e4_create *what, struct e4_inode **ret_inode)
{
	struct e4_inode *inode;
	unsigned tries = 0;
	int r = namei_check_dir(dir);

	if (r == 0)
		r = name_check(name, name_len, -EEXIST);
	if (r < 0)
		return r;
	if (mode_file_type(what->mode) == EXT2_FT_UNKNOWN)
		return -EINVAL;
	if (S_ISLNK(what->mode) && !what->symlink_target)
		return -EINVAL;
	do {
		inode = NULL;
		pthread_rwlock_wrlock(&dir->dir_lock);
		r = create_locked(dir, name, name_len, what, &inode);
		pthread_rwlock_unlock(&dir->dir_lock);
		if (r < 0 && inode)
			e4_iput(inode);
	} while (r == -ENOSPC && balloc_retry(dir->fs, &tries));
	if (r == 0)
		*ret_inode = inode;
	return r;
}

/* Takes the link before the name is written, so that two linkers cannot pass the limit. */
static int take_link(struct handle *h, struct e4_inode *inode)
{
	int r = 0;

	pthread_rwlock_wrlock(&inode->lock);
	if (inode->nlink == 0)
		r = -ENOENT;
	else if (inode->nlink >= LINK_MAX_EXT4)
		r = -EMLINK;
	else if (inode->flags & (EXT2_IMMUTABLE_FL | EXT2_APPEND_FL))
		r = -EPERM;
	if (r == 0) {
		inode->nlink++;
		inode->ctime = inode_now();
		r = inode_store(h, inode, false);
	}
	pthread_rwlock_unlock(&inode->lock);
	return r;
}

static int link_under(struct handle *h, struct e4_inode *inode, struct e4_inode *dir,
	const char *name, size_t name_len)
{
	int r = take_link(h, inode);

	if (r < 0)
		return r;
	r = dir_insert(h, dir, name, name_len, inode->ino, namei_file_type(inode));
	if (r < 0) {
		int undo = namei_drop_link(h, inode);

		return undo < 0 ? undo : r;
	}
	return namei_touch_dir(h, dir, 0);
}

static int link_locked(struct e4_inode *inode, struct e4_inode *dir, const char *name,
	size_t name_len)
{
	struct handle h;
	int r = check_free(dir, name, name_len);

	if (r == 0)
		r = handle_begin(dir->fs, dir_insert_credits(dir) + 2 * INODE_CREDITS, &h);
	if (r < 0)
		return r;
	r = link_under(&h, inode, dir, name, name_len);
	handle_end(&h);
	return r;
}

int e4_link(struct e4_inode *inode, struct e4_inode *dir, const char *name, size_t name_len)
{
	unsigned tries = 0;
	int r = namei_check_dir(dir);

	if (r == 0)
		r = name_check(name, name_len, -EEXIST);
	if (r < 0)
		return r;
	if (inode_is_dir(inode))
		return -EPERM;
	if (inode->fs != dir->fs)
		return -EXDEV;
	do {
		pthread_rwlock_wrlock(&dir->dir_lock);
		r = link_locked(inode, dir, name, name_len);
		pthread_rwlock_unlock(&dir->dir_lock);
	} while (r == -ENOSPC && balloc_retry(dir->fs, &tries));
	return r;
}
