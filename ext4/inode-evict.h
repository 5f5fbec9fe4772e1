/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking an inode without links off the drive: blocks, attribute block, number. */
#ifndef EXT4_INODE_EVICT_H
#define EXT4_INODE_EVICT_H

#include "ext4/inode.h"

/* Nobody else can reach inode. On a volume that cannot be written nothing happens; what fails is
 * left to the next check of the volume. Begins handles of its own. */
void inode_evict(struct e4_inode *inode);

#endif
