/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which inodes the kernel knows: the lookup counts of the FUSE protocol, some 17 bytes an inode, so
 * that millions of looked-up names stay small. All functions from any thread.
 *
 * An inode without links that the kernel still knows (an open, deleted file) is pinned: the table
 * holds a reference until the kernel forgets it, and the drive keeps its blocks that long.
 */
#ifndef FUSE_NODES_H
#define FUSE_NODES_H

#include "ext4/ext4.h"

struct nodes;

/* fs: whose inodes will be pinned. */
int nodes_new(struct e4_fs *fs, struct nodes **ret_nodes) MUST_CHECK;
/* Lets go of all pinned inodes; the file system must still be there. NULL is fine. */
void nodes_free(struct nodes *nodes);

/* The kernel is about to be told of the inode: count one more. -ENOMEM. */
int nodes_add(struct nodes *nodes, uint32_t ino) MUST_CHECK;
/* The kernel forgets count lookups of it. */
void nodes_forget(struct nodes *nodes, uint32_t ino, uint64_t count);
/* The inode has no links (any more): pin it if the kernel knows it. The caller holds a reference. */
void nodes_pin(struct nodes *nodes, struct e4_inode *inode);

/* How many inodes the kernel knows. */
size_t nodes_count(struct nodes *nodes);

#endif
