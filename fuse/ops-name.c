/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests about names: look up, make, link, remove, rename. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "fuse/caller.h"
#include "fuse/reply.h"

#ifndef RENAME_WHITEOUT
#define RENAME_WHITEOUT (1 << 2)
#endif

int front_name_len(const char *name)
{
	size_t len = strlen(name);

	return len > E4_NAME_MAX ? -ENAMETOOLONG : (int)len;
}

/* The inode of a folder and the length of a name in it. */
static int parent_get(struct front *front, fuse_ino_t parent, const char *name,
	struct e4_inode **ret_dir, size_t *ret_len)
{
	int len = front_name_len(name), err;

	if (len < 0)
		return len;
	err = front_iget(front, parent, ret_dir);
	if (err < 0)
		return err;
	*ret_len = (size_t)len;
	return 0;
}

/*
 * "." is the node itself, folder or not: the kernel asks so for what a file handle names, when it does not
 * have it. So nobody has it open, and what has no name is gone, even if the kernel's FORGET comes later.
 */
static int handle_lookup(struct front *front, fuse_ino_t node, struct e4_inode **ret_inode)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	struct e4_attr attr;
	int err = front_iget(front, node, &inode);

	if (err < 0)
		return err;
	e4_getattr(inode, &attr);
	if (attr.nlink == 0)
		return -ESTALE;
	*ret_inode = take_ptr(inode);
	return 0;
}

static int name_lookup(struct front *front, fuse_ino_t parent, const char *name,
	struct e4_inode **ret_inode)
{
	if (strcmp(name, ".") == 0)
		return handle_lookup(front, parent, ret_inode);

	CLEANUP_INODE struct e4_inode *dir = NULL;
	size_t len;
	int err = parent_get(front, parent, name, &dir, &len);

	return err < 0 ? err : e4_lookup(dir, name, len, ret_inode);
}

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	int err = name_lookup(front_of(req), parent, name, &inode);

	if (err == -ENOENT)
		reply_negative(req);
	else if (err < 0)
		reply_err(req, err);
	else
		reply_entry(req, inode);
}

void front_inherit(const struct front *front, const struct front_caller *caller,
	struct e4_inode *dir, struct e4_create *what)
{
	struct e4_attr attr;

	e4_getattr(dir, &attr);
	what->umask = caller->umask;
	what->use_reserve = caller->use_reserve;
	owner_create(&front->owner, caller->uid, caller->gid, &attr, what);
}

static struct front_caller caller_of(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	return (struct front_caller){.uid = ctx->uid, .gid = ctx->gid, .umask = ctx->umask,
		.use_reserve = caller_may_use_reserve(req)};
}

int front_create(fuse_req_t req, fuse_ino_t parent, const char *name, struct e4_create *what,
	struct e4_inode **ret_inode)
{
	const struct front_caller caller = caller_of(req);
	struct front *front = front_of(req);
	CLEANUP_INODE struct e4_inode *dir = NULL;
	size_t len;
	int err = parent_get(front, parent, name, &dir, &len);

	if (err < 0)
		return err;
	front_inherit(front, &caller, dir, what);
	return e4_create(dir, name, len, what, ret_inode);
}

static void reply_create(fuse_req_t req, fuse_ino_t parent, const char *name,
	struct e4_create *what)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	int err = front_create(req, parent, name, what, &inode);

	if (err < 0)
		reply_err(req, err);
	else
		reply_entry(req, inode);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct e4_create what = {.mode = mode, .rdev = (uint32_t)rdev};

	reply_create(req, parent, name, &what);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct e4_create what = {.mode = S_IFDIR | (mode & 07777)};

	reply_create(req, parent, name, &what);
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct e4_create what = {.mode = S_IFLNK | 0777, .symlink_target = target};

	reply_create(req, parent, name, &what);
}

static int name_link(fuse_req_t req, struct e4_inode *inode, fuse_ino_t parent, const char *name)
{
	CLEANUP_INODE struct e4_inode *dir = NULL;
	size_t len;
	int err = parent_get(front_of(req), parent, name, &dir, &len);

	return err < 0 ? err : e4_link(inode, dir, name, len, caller_may_use_reserve(req));
}

void op_link(fuse_req_t req, fuse_ino_t node, fuse_ino_t parent, const char *name)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	int err = front_iget(front_of(req), node, &inode);

	if (err == 0)
		err = name_link(req, inode, parent, name);
	if (err < 0)
		reply_err(req, err);
	else
		reply_entry(req, inode);
}

/* The inode whose name went away stays on the drive as long as the kernel knows it. */
static void name_gone(struct front *front, struct e4_inode *gone)
{
	struct e4_attr attr;

	e4_getattr(gone, &attr);
	if (attr.nlink == 0)
		nodes_pin(front->nodes, gone);
	e4_iput(gone);
}

typedef int (*name_remove_fn)(struct e4_inode *dir, const char *name, size_t len,
	struct e4_inode **ret_gone);

static int name_remove(struct front *front, fuse_ino_t parent, const char *name,
	name_remove_fn remove)
{
	CLEANUP_INODE struct e4_inode *dir = NULL;
	struct e4_inode *gone = NULL;
	size_t len;
	int err = parent_get(front, parent, name, &dir, &len);

	if (err < 0)
		return err;
	err = remove(dir, name, len, &gone);
	if (err < 0)
		return err;
	if (gone)
		name_gone(front, gone);
	return 0;
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_err(req, name_remove(front_of(req), parent, name, e4_unlink));
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_err(req, name_remove(front_of(req), parent, name, e4_rmdir));
}

/* What RENAME_WHITEOUT leaves behind: a device that is none. */
static int mark_new(fuse_req_t req, struct e4_inode *dir, struct e4_inode **ret_mark)
{
	const struct front_caller caller = caller_of(req);
	struct e4_create what = {.mode = S_IFCHR};

	front_inherit(front_of(req), &caller, dir, &what);
	return e4_tmpfile(dir, &what, ret_mark);
}

static int name_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent,
	const char *to_name, unsigned flags)
{
	CLEANUP_INODE struct e4_inode *dir = NULL, *to_dir = NULL, *mark = NULL;
	struct front *front = front_of(req);
	struct e4_inode *gone = NULL;
	size_t len, to_len;
	int err = parent_get(front, parent, name, &dir, &len);

	if (err < 0)
		return err;
	err = parent_get(front, to_parent, to_name, &to_dir, &to_len);
	if (err == 0 && (flags & RENAME_WHITEOUT))
		err = mark_new(req, dir, &mark);
	if (err < 0)
		return err;
	flags &= ~(unsigned)(RENAME_WHITEOUT | E4_RENAME_USE_RESERVE);
	if (caller_may_use_reserve(req))
		flags |= E4_RENAME_USE_RESERVE;
	err = e4_rename_marked(dir, name, len, to_dir, to_name, to_len, flags, mark, &gone);
	if (err < 0)
		return err;
	if (gone)
		name_gone(front, gone);
	return 0;
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent,
	const char *to_name, unsigned flags)
{
	reply_err(req, name_rename(req, parent, name, to_parent, to_name, flags));
}
