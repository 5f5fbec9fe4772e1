/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making names: new inodes, with and without a name, and hard links. Order of work as in namei.c. */
#include <errno.h>
#include <sys/stat.h>

#include "ext4/acl-inode.h"
#include "ext4/balloc.h"
#include "ext4/ialloc.h"
#include "ext4/namei.h"
#include "ext4/orphan.h"
#include "ext4/symlink.h"

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

/* *ret_inode is set as soon as there is one to put, whatever comes then. */
static int new_inode(struct handle *h, struct e4_inode *dir, const struct e4_create *what,
	const struct acl_heritage *heritage, struct e4_inode **ret_inode)
{
	bool is_dir = S_ISDIR(what->mode);
	struct e4_create inherited = *what;
	uint32_t ino;

	pthread_rwlock_rdlock(&dir->lock);
	uint32_t parent_flags = dir->flags;
	if (is_dir)
		inherited.mode |= dir->mode & S_ISGID;
	pthread_rwlock_unlock(&dir->lock);

	int r = ialloc_alloc_child(h, dir, is_dir, &ino);

	if (r < 0)
		return r;
	r = inode_new(h, ino, &inherited, parent_flags, ret_inode);
	if (r < 0) {
		int undo = dir_half_done(h, ialloc_free(h, ino, is_dir));

		return undo < 0 ? undo : r;
	}
	return acl_heritage_store(h, *ret_inode, heritage);
}

static int create_under(struct handle *h, struct e4_inode *dir, const char *name, size_t name_len,
	const struct e4_create *what, const struct acl_heritage *heritage, struct e4_inode **ret_inode)
{
	int r = new_inode(h, dir, what, heritage, ret_inode);

	if (r < 0)
		return r;

	struct e4_inode *inode = *ret_inode;

	r = fill_new(h, dir, inode, what);
	if (r == 0)
		r = dir_insert(h, dir, name, name_len, inode->ino, namei_mode_type(what->mode));
	if (r < 0)
		return r;
	r = namei_first_link(h, inode);
	if (r == 0)
		r = namei_touch_dir(h, dir, S_ISDIR(what->mode) ? 1 : 0);
	return dir_half_done(h, r);
}

/* Its last put frees it; a power failure that comes first must find it on the list, with all that it
 * has got so far. Returns err. */
static int leave_nameless(struct handle *h, struct e4_inode *inode, int err)
{
	pthread_rwlock_wrlock(&inode->lock);
	int r = inode_store(h, inode, true);

	if (r == 0)
		r = orphan_add(h, inode);
	pthread_rwlock_unlock(&inode->lock);
	/* It would stay on the drive for ever. */
	return r < 0 ? fs_io_error(h->fs, r, "a file without a name") : err;
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
	struct e4_create masked = *what;
	struct acl_heritage heritage;
	struct handle h;
	int r = check_free(dir, name, name_len);

	if (r == 0 && S_ISDIR(what->mode))
		r = namei_may_add_dir(dir);
	if (r == 0)
		r = acl_inherit(dir, &masked, &heritage);
	if (r == 0)
		r = handle_begin(dir->fs,
			create_credits(dir, what->mode) + acl_heritage_credits(&heritage), &h);
	if (r < 0)
		return r;
	h.use_reserve = what->use_reserve;
	r = create_under(&h, dir, name, name_len, &masked, &heritage, ret_inode);
	if (r < 0 && *ret_inode)
		r = leave_nameless(&h, *ret_inode, r);
	handle_end(&h);
	return r;
}

int e4_create(struct e4_inode *dir, const char *name, size_t name_len, const struct e4_create *what,
	struct e4_inode **ret_inode)
{
	struct e4_inode *inode;
	unsigned tries = 0;
	int r = namei_check_dir(dir);

	if (r == 0)
		r = name_check(name, name_len, -EEXIST);
	if (r < 0)
		return r;
	if (namei_mode_type(what->mode) == EXT2_FT_UNKNOWN)
		return -EINVAL;
	if (S_ISLNK(what->mode) && !what->symlink_target)
		return -EINVAL;
	do {
		inode = NULL;
		pthread_rwlock_wrlock(&dir->dir_lock);
		r = create_locked(dir, name, name_len, what, &inode);
		pthread_rwlock_unlock(&dir->dir_lock);
		if (r == 0)
			r = namei_sync(dir);
		if (r < 0 && inode)
			e4_iput(inode);
	} while (r == -ENOSPC && balloc_retry(dir->fs, &tries));
	if (r == 0)
		*ret_inode = inode;
	return r;
}

static int tmpfile_locked(struct e4_inode *dir, const struct e4_create *what,
	struct e4_inode **ret_inode)
{
	struct e4_create masked = *what;
	struct acl_heritage heritage;
	struct handle h;
	int r = namei_may_add(dir);

	if (r == -ENOENT)
		return -EPERM; /* as the kernel's ext4 says here, and only here */
	if (r == 0)
		r = acl_inherit(dir, &masked, &heritage);
	if (r == 0)
		r = handle_begin(dir->fs, IALLOC_CREDITS + 2 * INODE_CREDITS +
			acl_heritage_credits(&heritage), &h);
	if (r < 0)
		return r;
	h.use_reserve = what->use_reserve;
	r = new_inode(&h, dir, &masked, &heritage, ret_inode);
	if (*ret_inode)
		r = leave_nameless(&h, *ret_inode, r);
	handle_end(&h);
	return r;
}

int e4_tmpfile(struct e4_inode *dir, const struct e4_create *what, struct e4_inode **ret_inode)
{
	struct e4_inode *inode;
	unsigned tries = 0;
	int r = namei_check_dir(dir);

	if (r < 0)
		return r;
	if (!S_ISREG(what->mode) && !S_ISCHR(what->mode))
		return -EINVAL;
	do {
		inode = NULL;
		pthread_rwlock_rdlock(&dir->dir_lock);
		r = tmpfile_locked(dir, what, &inode);
		pthread_rwlock_unlock(&dir->dir_lock);
		if (r < 0 && inode)
			e4_iput(inode);
	} while (r == -ENOSPC && balloc_retry(dir->fs, &tries));
	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&inode->lock);
	inode->linkable = true;
	pthread_rwlock_unlock(&inode->lock);
	*ret_inode = inode;
	return 0;
}

/* Takes the link before the name is written, so that two linkers cannot pass the limit. */
static int take_link(struct handle *h, struct e4_inode *inode)
{
	int r = 0;

	pthread_rwlock_wrlock(&inode->lock);
	if (inode->nlink == 0 && !inode->linkable)
		r = -ENOENT;
	else if (inode->nlink >= NAMEI_LINK_MAX)
		r = -EMLINK;
	else if (inode->flags & (EXT2_IMMUTABLE_FL | EXT2_APPEND_FL))
		r = -EPERM;
	if (r == 0) {
		inode->nlink++;
		inode->ctime = inode_now();
		r = inode_store(h, inode, false);
		if (r == 0 && inode->nlink == 1)
			r = orphan_remove(h, inode);
		if (r < 0)
			inode->nlink--;
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
	r = dir_insert(h, dir, name, name_len, inode->ino, namei_mode_type(inode->type));
	if (r < 0) {
		int undo = dir_half_done(h, namei_drop_link(h, inode));

		return undo < 0 ? undo : r;
	}
	pthread_rwlock_wrlock(&inode->lock);
	inode->linkable = false;
	pthread_rwlock_unlock(&inode->lock);
	return dir_half_done(h, namei_touch_dir(h, dir, 0));
}

static int link_locked(struct e4_inode *inode, struct e4_inode *dir, const char *name, size_t name_len,
	bool use_reserve)
{
	struct handle h;
	int r = check_free(dir, name, name_len);

	if (r == 0)
		r = handle_begin(dir->fs, dir_insert_credits(dir) + 2 * INODE_CREDITS, &h);
	if (r < 0)
		return r;
	h.use_reserve = use_reserve;
	r = link_under(&h, inode, dir, name, name_len);
	handle_end(&h);
	return r;
}

int e4_link(struct e4_inode *inode, struct e4_inode *dir, const char *name, size_t name_len,
	bool use_reserve)
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
		r = link_locked(inode, dir, name, name_len, use_reserve);
		pthread_rwlock_unlock(&dir->dir_lock);
	} while (r == -ENOSPC && balloc_retry(dir->fs, &tries));
	return r < 0 ? r : namei_sync(dir);
}
