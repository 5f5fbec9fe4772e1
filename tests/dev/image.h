/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ext4 images in memory, made and judged by e2fsprogs. */
#ifndef TESTS_DEV_IMAGE_H
#define TESTS_DEV_IMAGE_H

#include "base/blkdev.h"

/* mke2fs -t ext4 (or another -t) with further options ("-b 1024 -d dir"); a memdev of size_bytes. */
int image_make(uint64_t size_bytes, const char *options, struct blkdev **ret_dev) MUST_CHECK;
/* The same over old content: whatever mke2fs does not write is junk (the byte 0xa5), inode tables
 * among it where the features allow. options must not hold -E. */
int image_make_over_junk(uint64_t size_bytes, const char *options, struct blkdev **ret_dev) MUST_CHECK;
/* The device's content as a (sparse) file. */
int image_save(struct blkdev *dev, const char *path) MUST_CHECK;
/* Exit status of e2fsck -fn; what it says is printed as comments when it is not 0. */
int image_check(struct blkdev *dev) MUST_CHECK;
/* The bytes of a file ("/name" or "<12>") as debugfs sees them; the caller frees. */
int image_dump(struct blkdev *dev, const char *file, uint8_t **ret_data,
	size_t *ret_len) MUST_CHECK;
/* A debugfs request on a copy (writes: true: the copy replaces the content). */
int image_debugfs(struct blkdev *dev, const char *request, bool writes) MUST_CHECK;

#endif
