/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Multiple mount protection: a volume that another computer uses is left alone. */
#ifndef EXT4_MMP_H
#define EXT4_MMP_H

#include "ext4/fs.h"

/*
 * At mount, before anything that changes is read: waits until it is sure that nobody else uses the
 * volume, and says on the drive that we do, unless read-only. Nothing to do without the feature.
 * -SDE_FS_IN_USE (diag: by whom), -SDE_FS_DAMAGED, -SDE_CANCELLED (on_wait said so), I/O.
 */
int mmp_start(struct e4_fs *fs, struct diag *diag) MUST_CHECK;
/* When the volume has failed, and is about to be marked so: whether nobody has taken it meanwhile. From
 * then on the number is not raised any more. True without the feature. */
bool mmp_still_ours(struct e4_fs *fs);
/* At unmount, after everything else: the volume is free, unless it has failed. */
int mmp_stop(struct e4_fs *fs) MUST_CHECK;

#endif
