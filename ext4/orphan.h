/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Orphans: inodes with work left to do that no name leads to. Files that were deleted while somebody
 * had them open, and files in the middle of a truncation that takes several transactions. The drive
 * has a list of them, so that whoever opens it after a crash finishes the work. Only with a journal:
 * without one the whole volume is checked.
 */
#ifndef EXT4_ORPHAN_H
#define EXT4_ORPHAN_H

#include "ext4/inode.h"

/* Blocks that each of the two may change, the inode's own aside. */
enum { ORPHAN_CREDITS = 1 };

/* inode->lock held for writing. Nothing happens when it is on the list already. */
int orphan_add(struct handle *h, struct e4_inode *inode) MUST_CHECK;
/* inode->lock held for writing. Nothing happens when it is not on the list. */
int orphan_remove(struct handle *h, struct e4_inode *inode) MUST_CHECK;
bool orphan_is_listed(struct e4_inode *inode);
/* The inode leaves memory; it is still listed only when the volume has failed, and then the drive keeps
 * its list as it is. */
void orphan_forget(struct e4_inode *inode);

/* At mount: finishes one that another table than the list names; 0 when it is free by now. */
int orphan_finish(struct e4_fs *fs, uint32_t ino) MUST_CHECK;
/* At mount, the volume in use: finishes what the list says, whoever left it. */
int orphans_finish(struct e4_fs *fs) MUST_CHECK;

#endif
