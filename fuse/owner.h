/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ownership view. ext4 stores numeric owners, which mean nothing on the next computer.
 *
 *	me	every file shows as the mounting user's; new ones are stored under the drive's owner,
 *		who is the owner of its root folder, and in set-group-id folders under their group.
 *		A chown that the kernel permits (to a group of the user's; anything by root) changes
 *		nothing: cp -a, rsync -a and tar x need not know what they write to.
 *	disk	what is stored is shown, new files belong to their maker
 */
#ifndef FUSE_OWNER_H
#define FUSE_OWNER_H

#include "ext4/ext4.h"

enum owner_view { OWNER_ME, OWNER_DISK };

struct owner {
	enum owner_view view;
	uid_t my_uid;
	gid_t my_gid;
	uint32_t drive_uid, drive_gid; /* of new files, OWNER_ME only */
	uint32_t reserve_uid, reserve_gid; /* may use reserved blocks, OWNER_DISK only; 0: only root */
};

/* my_uid and my_gid: the mounting user; reads the drive's owner from the root folder. */
int owner_init(struct owner *owner, enum owner_view view, uid_t my_uid, gid_t my_gid,
	struct e4_fs *fs) MUST_CHECK;
/* From what is stored to what is shown. */
void owner_show(const struct owner *owner, struct e4_attr *attr);
/* Owner and mode of something new that uid:gid makes in a folder with the stored attributes dir. */
void owner_create(const struct owner *owner, uid_t uid, gid_t gid, const struct e4_attr *dir,
	struct e4_create *what);
/* The part of a change of attributes (E4_SET_*) that reaches the drive. */
unsigned owner_change(const struct owner *owner, unsigned mask);

/* Whether uid may do what the kernel's ext4 asks a capability for: root, and who mounted the drive. */
bool owner_may_administer(const struct owner *owner, uid_t uid);

/* Whether uid:gid may use root's reserved blocks. */
bool owner_may_use_reserve(const struct owner *owner, uid_t uid, gid_t gid);
/* The group that may use them, 0: none. */
gid_t owner_reserve_group(const struct owner *owner);

const char *owner_view_name(enum owner_view view);

#endif
