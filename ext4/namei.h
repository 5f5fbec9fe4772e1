/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the operations on names share. Private to namei.c, create.c, remove.c and
 * rename.c. */
#ifndef EXT4_NAMEI_H
#define EXT4_NAMEI_H

#include "ext4/dir.h"

enum { NAMEI_LINK_MAX = 65000 };

/* A name that may be made or removed; "." and ".." give dots_err. */
int name_check(const char *name, size_t name_len, int dots_err) MUST_CHECK;

/* The directory takes part in changes: -ENOTDIR. */
int namei_check_dir(const struct e4_inode *dir) MUST_CHECK;
/* dir_lock held for writing from here on. -ENOENT: removed; -EPERM: immutable. */
int namei_may_add(struct e4_inode *dir) MUST_CHECK;
/* Also -EPERM: append-only, or what is named is immutable or append-only. */
int namei_may_remove(struct e4_inode *dir, struct e4_inode *child) MUST_CHECK;
/* -EMLINK when dir can have no more subdirectories. */
int namei_may_add_dir(struct e4_inode *dir) MUST_CHECK;
/* The inode of a name, checked; dir_lock held. -ENOENT, -EUCLEAN. */
int namei_get(struct e4_inode *dir, const char *name, size_t name_len,
	struct e4_inode **ret_inode) MUST_CHECK;

/*
 * Locks a directory found by name in one that is locked. On a sound drive this always goes down
 * the tree; one whose tree has a loop could make two threads wait for each other, so the wait
 * ends with -EBUSY after some seconds.
 */
int namei_lock_child(struct e4_inode *child) MUST_CHECK;

/* Sets the times of a changed directory, counts subdirectories (+1, 0, -1), stores it. */
int namei_touch_dir(struct handle *h, struct e4_inode *dir, int subdirs) MUST_CHECK;
/* What a directory with chattr +D or +S asks of a change of its names; no lock or handle held. */
int namei_sync(struct e4_inode *dir) MUST_CHECK;
/* Sets ctime and stores. */
int namei_touch(struct handle *h, struct e4_inode *inode) MUST_CHECK;
/*
 * A name of inode is gone; a directory (dir_lock held) loses all its links at once. With no
 * link left the inode lives on in memory until the last e4_iput() frees it.
 */
int namei_drop_link(struct handle *h, struct e4_inode *inode) MUST_CHECK;

/* An inode that has just got its first name, or is about to. Stores it. */
int namei_first_link(struct handle *h, struct e4_inode *inode) MUST_CHECK;

/* EXT2_FT_* of a mode. */
uint8_t namei_mode_type(uint32_t mode);

#endif
