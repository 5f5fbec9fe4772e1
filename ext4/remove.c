/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Removing names: unlink and rmdir. Order of work as in namei.c. */
#include <errno.h>

#include "ext4/namei.h"

static int remove_name(struct e4_inode *dir, const char *name, size_t name_len,
	struct e4_inode *child, int subdirs)
{
	struct handle h;
	int r = handle_begin(dir->fs, DIR_REMOVE_CREDITS + 2 * INODE_CREDITS, &h);

	if (r < 0)
		return r;
	r = dir_remove(&h, dir, name, name_len);
	if (r == 0)
		r = dir_half_done(&h, namei_drop_link(&h, child));
	if (r == 0)
		r = dir_half_done(&h, namei_touch_dir(&h, dir, subdirs));
	handle_end(&h);
	return r;
}

static int unlink_locked(
	struct e4_inode *dir, const char *name, size_t name_len, struct e4_inode **ret_child)
{
	int r = namei_get(dir, name, name_len, ret_child);

	if (r == 0)
		r = namei_may_remove(dir, *ret_child);
	if (r == 0 && inode_is_dir(*ret_child))
		r = -EISDIR;
	if (r == 0)
		r = remove_name(dir, name, name_len, *ret_child, 0);
	return r;
}

static int rmdir_child_locked(
	struct e4_inode *dir, const char *name, size_t name_len, struct e4_inode *child)
{
	bool empty;
	int r = dir_is_empty(child, &empty);

	if (r == 0 && !empty)
		r = -ENOTEMPTY;
	if (r == 0)
		r = remove_name(dir, name, name_len, child, -1);
	return r;
}

static int rmdir_locked(
	struct e4_inode *dir, const char *name, size_t name_len, struct e4_inode **ret_child)
{
	int r = namei_get(dir, name, name_len, ret_child);

	if (r == 0)
		r = namei_may_remove(dir, *ret_child);
	if (r == 0)
		r = namei_check_dir(*ret_child);
	if (r == 0)
		r = namei_lock_child(*ret_child);
	if (r < 0)
		return r;
	r = rmdir_child_locked(dir, name, name_len, *ret_child);
	pthread_rwlock_unlock(&(*ret_child)->dir_lock);
	return r;
}

typedef int (*remove_fn)(
	struct e4_inode *dir, const char *name, size_t name_len, struct e4_inode **ret_child);

/* fn sets *ret_child as soon as there is one to put, whatever comes then. */
static int remove_with(remove_fn fn, struct e4_inode *dir, const char *name, size_t name_len,
	struct e4_inode **ret_gone)
{
	struct e4_inode *child = NULL;

	pthread_rwlock_wrlock(&dir->dir_lock);
	int r = fn(dir, name, name_len, &child);
	pthread_rwlock_unlock(&dir->dir_lock);
	if (r == 0)
		r = namei_sync(dir);
	if (r < 0) {
		if (child)
			e4_iput(child);
		return r;
	}
	*ret_gone = child;
	return 0;
}

int e4_unlink(struct e4_inode *dir, const char *name, size_t name_len, struct e4_inode **ret_gone)
{
	int r = namei_check_dir(dir);

	if (r == 0)
		r = name_check(name, name_len, -EISDIR);
	if (r < 0)
		return r;
	return remove_with(unlink_locked, dir, name, name_len, ret_gone);
}

int e4_rmdir(struct e4_inode *dir, const char *name, size_t name_len, struct e4_inode **ret_gone)
{
	int r = namei_check_dir(dir);

	if (r == 0)
		r = name_check(name, name_len, name_len == 1 ? -EINVAL : -ENOTEMPTY);
	if (r < 0)
		return r;
	return remove_with(rmdir_locked, dir, name, name_len, ret_gone);
}
