/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A regular file (container, header file) or a block device as a blkdev.
 *
 * Exclusive use: a block device is opened O_EXCL (so the kernel, and with it the desktop's own
 * unlock, cannot hold it at once) and every target gets an advisory lock (flock) besides.
 */
#ifndef KERNEL_SHIM_FILEDEV_H
#define KERNEL_SHIM_FILEDEV_H

#include "base/blkdev.h"

enum filedev_flags {
	FILEDEV_READ_ONLY = 1 << 0, /* open read-only, shared lock */
	FILEDEV_NO_LOCK = 1 << 1,   /* inspect only (info, list): neither O_EXCL nor lock; read-only */
	FILEDEV_CREATE = 1 << 2,    /* regular file that must not exist yet, mode 0600 */
	FILEDEV_DIRECT = 1 << 3,    /* past the page cache where that is possible and pays: for data */
	FILEDEV_HEADER = 1 << 4,    /* to change the header only, under blkdev_lock(): not held until then */
	FILEDEV_SHARE_HEADER = 1 << 5, /* for the data only: such blkdev_lock()s are given meanwhile */
};

/*
 * Opens path. create_bytes is the size of a created file (sparse), else 0.
 * Read-write on something that cannot be written: -SDE_READ_ONLY. Held by somebody else:
 * -SDE_BUSY. Neither a regular file nor a block device: -ENOTBLK. Other failures: -errno.
 * A block device's block_bytes is its physical block size, a file's 4096.
 */
int filedev_open(const char *path, unsigned flags, uint64_t create_bytes,
	struct blkdev **ret_dev, struct diag *diag) MUST_CHECK;

/* What stat says of the opened thing, to compare identities (st_dev/st_ino or st_rdev). */
struct stat;
void filedev_stat(struct blkdev *dev, struct stat *ret_stat);
int filedev_fd(struct blkdev *dev);

/* A call has failed: whether the device is no longer there at all, as far as the descriptor tells. */
bool filedev_is_gone(struct blkdev *dev);
/* A flush has failed; the caller writes again all that was written since the last one that did not. */
void filedev_forget_error(struct blkdev *dev);

/*
 * Makes a container file larger, sparsely; the new size is on its disk when it returns. No transfers
 * meanwhile. -ENOTBLK: not a regular file, -EINVAL: it would become smaller, -errno.
 */
int filedev_grow(struct blkdev *dev, uint64_t size_bytes) MUST_CHECK;

#endif
