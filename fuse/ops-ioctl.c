/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ioctl requests, one handler per command in one table. The kernel has copied the caller's bytes
 * in, and copies ours out, as many as the command's number says.
 */
#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>

#include "fuse/reply.h"

enum { IOCTL_BYTES_MAX = 128 };

struct ioctl_call {
	fuse_req_t req;
	struct front *front;
	struct e4_inode *inode;
	const void *in;
	size_t in_bytes;
	uint8_t out[IOCTL_BYTES_MAX]; /* zeroes until a handler fills it */
	size_t out_bytes;	      /* how much of it the caller gets */
};

static bool caller_administers(const struct ioctl_call *call)
{
	return owner_may_administer(&call->front->owner, fuse_req_ctx(call->req)->uid);
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

static const struct {
	unsigned cmd;
	int (*run)(struct ioctl_call *call); /* 0 or more: what ioctl() returns */
} handlers[] = {
	{FITRIM, ioctl_trim},
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
	if (r < 0)
		reply_err(req, r);
	else
		fuse_reply_ioctl(req, r, call.out, out_bytes);
}
