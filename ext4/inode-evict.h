/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking an inode without links off the drive: blocks, attribute block, number. */
#ifndef EXT4_INODE_EVICT_H
#define EXT4_INODE_EVICT_H

#include "ext4/inode.h"

/*
 * Nobody else can reach inode. On a volume that cannot be written nothing happens. false: memory has run
 * out, and the inode stays, in memory as well as on the list of orphans, for the next mount to finish.
 * Any other failure makes the volume fail. Begins handles of its own.
 */
bool inode_evict(struct e4_inode *inode) MUST_CHECK;

#endif
