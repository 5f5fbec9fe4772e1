/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A struct blkdev as libext2fs sees it. */
#ifndef EXT4_MKFS_IO_H
#define EXT4_MKFS_IO_H

#include <ext2fs/ext2fs.h>

#include "base/blkdev.h"

/* The manager to give to libext2fs; its next open, by this thread, opens dev (and never closes it). */
io_manager mkfs_io_manager(struct blkdev *dev);
/* The first error of the device since then, in this thread; 0: none. */
int mkfs_io_error(void);

#endif
