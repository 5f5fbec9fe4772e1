/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests about extended attributes. The kernel has already asked whether the caller may: owner and
 * mode for "user.", CAP_SYS_ADMIN for "trusted.", its security modules for "security.". It enforces
 * ACLs itself (FUSE_CAP_POSIX_ACL), reading each once, and reads the mode anew after an ACL was set.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "fuse/caller.h"
#include "fuse/reply.h"

/* What the caller has room for, as far as we have. */
static size_t room_for(size_t size)
{
	return size < FRONT_REQUEST_MAX ? size : FRONT_REQUEST_MAX;
}

static void reply_bytes(fuse_req_t req, const char *buffer, ssize_t len, size_t size)
{
	if (len < 0)
		reply_err(req, (int)len);
	else if (size == 0)
		fuse_reply_xattr(req, (size_t)len);
	else
		fuse_reply_buf(req, buffer, (size_t)len);
}

/*
 * ls asks for the label of each file, also where no SELinux heeds labels, and each time anew: the kernel does not
 * remember that there is none. It stops when it hears that there are no labels here at all.
 */
static ssize_t without_label(const struct front *front, const char *name, ssize_t len)
{
	if (len == -ENODATA && front->labels_idle && strcmp(name, "security.selinux") == 0)
		return -EOPNOTSUPP;
	return len;
}

void op_getxattr(fuse_req_t req, fuse_ino_t node, const char *name, size_t size)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	char *buffer = front_buffer();
	ssize_t len = buffer ? front_iget(front_of(req), node, &inode) : -ENOMEM;

	if (len == 0)
		len = e4_getxattr(inode, name, buffer, room_for(size));
	len = without_label(front_of(req), name, len);
	reply_bytes(req, buffer, len, size);
}

/* Who may not even read an attribute in "trusted." must not see its name either; the kernel leaves that to us.
 * Hardly a file has one, so it is looked for before the caller is. */
static ssize_t list(fuse_req_t req, struct e4_inode *inode, char *buffer, size_t size)
{
	ssize_t without = e4_listxattr(inode, NULL, 0, 0);
	ssize_t with = e4_listxattr(inode, NULL, 0, E4_LIST_TRUSTED);
	unsigned flags = with > without && caller_sees_trusted(req) ? E4_LIST_TRUSTED : 0;

	return e4_listxattr(inode, buffer, size, flags);
}

void op_listxattr(fuse_req_t req, fuse_ino_t node, size_t size)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	char *buffer = front_buffer();
	ssize_t len = buffer ? front_iget(front_of(req), node, &inode) : -ENOMEM;

	if (len == 0)
		len = list(req, inode, buffer, room_for(size));
	reply_bytes(req, buffer, len, size);
}

/* libfuse does not pass on what the kernel found out about the caller's groups. Whoever is not
 * in a file's group and changes its ACL must not leave a program that runs as it. */
static unsigned kill_sgid(fuse_req_t req, struct e4_inode *inode, const char *name)
{
	struct e4_attr attr;

	if (strcmp(name, "system.posix_acl_access") != 0)
		return 0;
	e4_getattr(inode, &attr);
	owner_show(&front_of(req)->owner, &attr);
	return attr.mode & S_ISGID && !caller_in_group(req, attr.gid) ? E4_XATTR_KILL_SGID : 0;
}

static unsigned reserve_flag(fuse_req_t req)
{
	return caller_may_use_reserve(req) ? E4_XATTR_USE_RESERVE : 0;
}

void op_setxattr(fuse_req_t req, fuse_ino_t node, const char *name, const char *value, size_t size,
	int flags)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	int err = front_iget(front_of(req), node, &inode);

	if (err == 0)
		err = e4_setxattr(inode, name, value, size,
			(flags & XATTR_CREATE ? E4_XATTR_CREATE : 0) |
				(flags & XATTR_REPLACE ? E4_XATTR_REPLACE : 0) |
				kill_sgid(req, inode, name) | reserve_flag(req));
	reply_err(req, err);
}

void op_removexattr(fuse_req_t req, fuse_ino_t node, const char *name)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	int err = front_iget(front_of(req), node, &inode);

	if (err == 0)
		err = e4_removexattr(inode, name, reserve_flag(req));
	reply_err(req, err);
}
