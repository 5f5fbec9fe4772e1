/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests of names: a mounted image in memory, short calls, a model of one directory. */
#ifndef TESTS_DEV_VOLUME_H
#define TESTS_DEV_VOLUME_H

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ext4/ext4.h"

struct volume {
	struct blkdev *dev; /* what image_make() gave */
	struct blkdev *top; /* what is mounted: dev, or a device on top that owns it */
	struct e4_fs *fs;
	struct e4_inode *root;
	size_t cache_bytes;
	enum e4_atime atime;
	unsigned errors; /* calls of on_error while mounted */
};

/* mke2fs with options, a debugfs request after that unless NULL, and mounted. */
int volume_make(struct volume *volume, uint64_t size_bytes, const char *options,
	const char *request) MUST_CHECK;
int volume_mount(struct volume *volume) MUST_CHECK;
int volume_unmount(struct volume *volume) MUST_CHECK;
/* Unmounted, judged by e2fsck, and mounted again. 0, or what went wrong. */
int volume_judge(struct volume *volume) MUST_CHECK;
/* Unmounts if need be and closes the device. */
void volume_close(struct volume *volume);

/* In dir by name; result dropped: 0 or -errno. */
int volume_create(struct e4_inode *dir, const char *name, uint32_t mode);
int volume_mkdir(struct e4_inode *dir, const char *name, struct e4_inode **ret_dir);
int volume_unlink(struct e4_inode *dir, const char *name);
int volume_rmdir(struct e4_inode *dir, const char *name);
int volume_rename(struct e4_inode *from_dir, const char *from, struct e4_inode *to_dir,
	const char *to, unsigned flags);
/* The number behind a name, or -errno. */
int64_t volume_ino(struct e4_inode *dir, const char *name);
uint32_t volume_nlink(struct e4_inode *inode);

/* xorshift64* */
static inline uint32_t volume_random(uint64_t *state, uint32_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)((*state * 0x2545f4914f6cdd1d) >> 33) % below;
}

#endif
