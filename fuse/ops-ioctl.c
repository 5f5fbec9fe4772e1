/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ioctl requests, one handler per command in one table. The kernel has copied the caller's bytes
 * in, and copies ours out, as many as the command's number says.
 */
#include <errno.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/fsverity.h>
#include <stdlib.h>
#include <string.h>

#include "fuse/reply.h"

enum { IOCTL_BYTES_MAX = 256 };

struct ioctl_call {
	fuse_req_t req;
	struct front *front;
	struct e4_inode *inode;
	const void *in;
	size_t in_bytes;
	uint8_t out[IOCTL_BYTES_MAX]; /* zeroes until a handler fills it */
	size_t out_bytes;	      /* how much of it the caller gets */
	bool changed;		      /* the time of change has moved, which the kernel does not know */
};

static bool caller_administers(const struct ioctl_call *call)
{
	return owner_may_administer(&call->front->owner, fuse_req_ctx(call->req)->uid);
}

/* The owner of the file as he is shown, or root. */
static bool caller_owns(const struct ioctl_call *call)
{
	const uid_t uid = fuse_req_ctx(call->req)->uid;
	struct e4_attr attr;

	e4_getattr(call->inode, &attr);
	owner_show(&call->front->owner, &attr);
	return attr.uid == uid || uid == 0;
}

static bool trim_stop(void *ctx)
{
	const struct ioctl_call *call = ctx;

	return fuse_req_interrupted(call->req) || fuse_session_exited(call->front->session);
}

static int ioctl_trim(struct ioctl_call *call)
{
	struct fstrim_range range;
	struct e4_trim trim;
	int err;

	if (!caller_administers(call))
		return -EPERM;
	if (call->in_bytes != sizeof(range) || call->out_bytes != sizeof(range))
		return -EINVAL;
	memcpy(&range, call->in, sizeof(range));
	trim = (struct e4_trim){
		.off = range.start,
		.len = range.len,
		.min_len = range.minlen,
		.stop = trim_stop,
		.stop_ctx = call,
	};
	err = e4_trim(call->front->fs, &trim, (uint64_t *)&range.len);
	if (err == 0)
		memcpy(call->out, &range, sizeof(range));
	return err;
}

/* ---- flags; the kernel has asked whether the caller owns the file and may set them ---------- */

static int ioctl_get_flags(struct ioctl_call *call)
{
	const uint32_t flags = e4_get_flags(call->inode);

	call->out_bytes = sizeof(flags);
	memcpy(call->out, &flags, sizeof(flags));
	return 0;
}

static int ioctl_set_flags(struct ioctl_call *call)
{
	uint32_t flags;

	if (call->in_bytes < sizeof(flags))
		return -EINVAL;
	memcpy(&flags, call->in, sizeof(flags));
	call->out_bytes = 0;
	call->changed = true;
	return e4_set_flags(call->inode, flags);
}

#define IOCTL_MIGRATE _IO('f', 9)

static int ioctl_migrate(struct ioctl_call *call)
{
	return caller_owns(call) ? e4_set_extents(call->inode, true) : -EACCES;
}

/* The same flags in the words of XFS. */
static const struct {
	uint32_t flag, xflag;
} xflags[] = {
	{FS_SYNC_FL, FS_XFLAG_SYNC},
	{FS_IMMUTABLE_FL, FS_XFLAG_IMMUTABLE},
	{FS_APPEND_FL, FS_XFLAG_APPEND},
	{FS_NODUMP_FL, FS_XFLAG_NODUMP},
	{FS_NOATIME_FL, FS_XFLAG_NOATIME},
	{FS_DAX_FL, FS_XFLAG_DAX},
	{FS_PROJINHERIT_FL, FS_XFLAG_PROJINHERIT},
};

static int ioctl_get_xattr(struct ioctl_call *call)
{
	const uint32_t flags = e4_get_flags(call->inode);
	struct fsxattr xattr = {0};

	for (size_t i = 0; i < ARRAY_SIZE(xflags); i++)
		if (flags & xflags[i].flag)
			xattr.fsx_xflags |= xflags[i].xflag;
	call->out_bytes = sizeof(xattr);
	memcpy(call->out, &xattr, sizeof(xattr));
	return 0;
}

static int ioctl_set_xattr(struct ioctl_call *call)
{
	uint32_t flags = e4_get_flags(call->inode);
	struct fsxattr xattr;

	if (call->in_bytes < sizeof(xattr))
		return -EINVAL;
	memcpy(&xattr, call->in, sizeof(xattr));
	if (xattr.fsx_projid != 0)
		return -EOPNOTSUPP;
	for (size_t i = 0; i < ARRAY_SIZE(xflags); i++) {
		flags &= ~xflags[i].flag;
		if (xattr.fsx_xflags & xflags[i].xflag)
			flags |= xflags[i].flag;
	}
	call->out_bytes = 0;
	call->changed = true;
	return e4_set_flags(call->inode, flags);
}

/* ---- generation; callers pass an int, whatever the command's number says -------------------- */

static int ioctl_get_version(struct ioctl_call *call)
{
	const uint32_t generation = e4_generation(call->inode);

	call->out_bytes = sizeof(generation);
	memcpy(call->out, &generation, sizeof(generation));
	return 0;
}

static int ioctl_set_version(struct ioctl_call *call)
{
	uint32_t generation;

	if (!caller_owns(call))
		return -EPERM;
	if (call->in_bytes < sizeof(generation))
		return -EINVAL;
	memcpy(&generation, call->in, sizeof(generation));
	call->changed = true;
	return e4_set_generation(call->inode, generation);
}

/* ---- the volume's names --------------------------------------------------------------------- */

/* newer than the headers of Debian 12 */
struct fs_uuid {
	uint8_t len;
	uint8_t uuid[16];
};
#define IOCTL_GET_UUID _IOR(0x15, 0, struct fs_uuid)
#define IOCTL_GET_VERSION_EXT4 _IOR('f', 3, long)
#define IOCTL_SET_VERSION_EXT4 _IOW('f', 4, long)

static int ioctl_get_uuid(struct ioctl_call *call)
{
	struct fs_uuid out = {.len = sizeof(out.uuid)};
	struct e4_statfs statfs;

	e4_statfs(call->front->fs, &statfs);
	memcpy(out.uuid, statfs.uuid, sizeof(out.uuid));
	memcpy(call->out, &out, sizeof(out));
	return 0;
}

static int ioctl_get_label(struct ioctl_call *call)
{
	struct e4_statfs statfs;

	e4_statfs(call->front->fs, &statfs);
	memcpy(call->out, statfs.label, sizeof(statfs.label));
	return 0;
}

/* As the kernel's ext4 answers where the volume is without encryption and verity. */
static int ioctl_no_feature(struct ioctl_call *call)
{
	return -EOPNOTSUPP;
}

static const struct {
	unsigned cmd;
	int (*run)(struct ioctl_call *call); /* 0 or more: what ioctl() returns */
} handlers[] = {
	{FITRIM, ioctl_trim},
	{FS_IOC_GETFLAGS, ioctl_get_flags},
	{FS_IOC_SETFLAGS, ioctl_set_flags},
	{IOCTL_MIGRATE, ioctl_migrate},
	{FS_IOC_FSGETXATTR, ioctl_get_xattr},
	{FS_IOC_FSSETXATTR, ioctl_set_xattr},
	{FS_IOC_GETVERSION, ioctl_get_version},
	{IOCTL_GET_VERSION_EXT4, ioctl_get_version},
	{FS_IOC_SETVERSION, ioctl_set_version},
	{IOCTL_SET_VERSION_EXT4, ioctl_set_version},
	{IOCTL_GET_UUID, ioctl_get_uuid},
	{FS_IOC_GETFSLABEL, ioctl_get_label},
	{FS_IOC_SET_ENCRYPTION_POLICY, ioctl_no_feature},
	{FS_IOC_GET_ENCRYPTION_POLICY, ioctl_no_feature},
	{FS_IOC_GET_ENCRYPTION_POLICY_EX, ioctl_no_feature},
	{FS_IOC_GET_ENCRYPTION_PWSALT, ioctl_no_feature},
	{FS_IOC_GET_ENCRYPTION_NONCE, ioctl_no_feature},
	{FS_IOC_ADD_ENCRYPTION_KEY, ioctl_no_feature},
	{FS_IOC_REMOVE_ENCRYPTION_KEY, ioctl_no_feature},
	{FS_IOC_REMOVE_ENCRYPTION_KEY_ALL_USERS, ioctl_no_feature},
	{FS_IOC_GET_ENCRYPTION_KEY_STATUS, ioctl_no_feature},
	{FS_IOC_ENABLE_VERITY, ioctl_no_feature},
	{FS_IOC_MEASURE_VERITY, ioctl_no_feature},
	{FS_IOC_READ_VERITY_METADATA, ioctl_no_feature},
};

static int ioctl_run(struct ioctl_call *call, unsigned cmd)
{
	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++)
		if (handlers[i].cmd == cmd)
			return handlers[i].run(call);
	return -ENOTTY;
}

void op_ioctl(fuse_req_t req, fuse_ino_t node, unsigned cmd, void *arg, struct fuse_file_info *fi,
	unsigned flags, const void *in, size_t in_bytes, size_t out_bytes)
{
	struct ioctl_call call = {
		.req = req,
		.front = front_of(req),
		.in = in,
		.in_bytes = in_bytes,
		.out_bytes = out_bytes,
	};
	CLEANUP_INODE struct e4_inode *inode = NULL;
	int r = out_bytes > sizeof(call.out) ? -ENOTTY : front_iget(call.front, node, &inode);

	call.inode = inode;
	if (r == 0)
		r = ioctl_run(&call, cmd);
	if (r >= 0 && call.changed)
		(void)fuse_lowlevel_notify_inval_inode(call.front->session, node, -1, 0);
	if (r < 0)
		reply_err(req, r);
	else
		fuse_reply_ioctl(req, r, call.out, call.out_bytes);
}
