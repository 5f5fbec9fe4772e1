/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests of the FUSE protocol that are newer than libfuse 3.14, as they lie in the buffer. What
 * <linux/fuse.h> has comes from there; the rest is protocol 7.39 (Linux 6.6). All little pieces are
 * in the machine's own byte order. Private to fuse/.
 */
#ifndef FUSE_PROTOCOL_H
#define FUSE_PROTOCOL_H

#include <linux/fuse.h>
#include <stdint.h>

enum {
	PROTOCOL_TMPFILE = 51, /* answered like FUSE_CREATE */
	PROTOCOL_STATX = 52,
};

struct protocol_statx_in {
	uint32_t getattr_flags, reserved;
	uint64_t fh;
	uint32_t sx_flags, sx_mask; /* AT_STATX_*, STATX_* */
};

struct protocol_sx_time {
	int64_t seconds;
	uint32_t nanoseconds;
	int32_t reserved;
};

struct protocol_statx_out {
	uint64_t attr_valid_seconds;
	uint32_t attr_valid_nanoseconds, flags;
	uint64_t spare[2];

	uint32_t mask, blksize; /* mask: what is filled in here */
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, spare0;
	uint64_t ino, size, blocks, attributes_mask;
	struct protocol_sx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t spare2[14];
};

_Static_assert(sizeof(struct protocol_statx_in) == 24, "as the kernel sends it");
_Static_assert(sizeof(struct protocol_statx_out) == 288, "as the kernel takes it");

#endif
