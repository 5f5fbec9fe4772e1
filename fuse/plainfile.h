/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A block device as a file, for programs that work on file system images (e2fsck, resize2fs): what they
 * read and write goes through the device, so the plaintext of a drive is on no disk and, as the
 * file is opened past the page cache, not in the kernel's memory.
 *
 * The file lies in a mount of its own, in a folder of its own below $XDG_RUNTIME_DIR or /tmp, and is open
 * to this user alone. Its size is fixed: setting it is accepted and changes nothing.
 */
#ifndef FUSE_PLAINFILE_H
#define FUSE_PLAINFILE_H

#include "base/blkdev.h"

struct plainfile;

/* dev stays the caller's and must outlive it. Starts a thread with all signals blocked. -SDE_FUSE. */
int plainfile_open(struct blkdev *dev, bool read_only, struct plainfile **ret_file,
	struct diag *diag) MUST_CHECK;
const char *plainfile_path(const struct plainfile *file);
/* Takes mount and folder away, also while a program still has the file open, whose requests fail from
 * then on. Then flushes dev; returns the first failure of dev since open. NULL is fine. */
int plainfile_close(struct plainfile *file) MUST_CHECK;

#endif
