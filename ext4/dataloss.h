/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * File data that a drive did not take although writing it had succeeded, and who has been told. As the
 * kernel's errseq: each open file hears of each loss once. Private to ext4/.
 */
#ifndef EXT4_DATALOSS_H
#define EXT4_DATALOSS_H

#include "ext4/fs.h"

struct dataloss;

int dataloss_start(struct e4_fs *fs) MUST_CHECK;
void dataloss_stop(struct e4_fs *fs);
/* How file data of the inode is written, so that its loss finds back to it. */
struct blkdev_write dataloss_how(const struct e4_inode *inode, bool may_clobber);
/* -SDE_DATA_LOST: data was lost of which nobody has heard. */
int dataloss_untold(struct e4_fs *fs) MUST_CHECK;
/* The number is a new inode's. */
void dataloss_forget(struct e4_fs *fs, uint32_t ino);

#endif
