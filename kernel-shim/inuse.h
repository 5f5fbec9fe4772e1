/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who else holds a drive, as far as it can be seen without touching it. Private to kernel-shim/. */
#ifndef KERNEL_SHIM_INUSE_H
#define KERNEL_SHIM_INUSE_H

#include <stdbool.h>

struct stat;

/* path, a block device or a file with that stat, is mounted, swap, or locked with flock. */
bool inuse_target(const char *path, const struct stat *st);
/* The block device with this folder in sysfs is held by another device (device-mapper, md). */
bool inuse_holders(const char *sysfs_dir);
/* A loop device has the file as its backing. */
bool inuse_loop_backing(const struct stat *st);

#endif
