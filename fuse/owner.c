/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/owner.h"

#include <errno.h>
#include <sys/stat.h>

int owner_init(struct owner *owner, enum owner_view view, uid_t my_uid, gid_t my_gid,
	struct e4_fs *fs)
{
	struct e4_inode *root;
	struct e4_attr attr;
	struct e4_statfs statfs;
	int err = e4_iget(fs, E4_ROOT_INO, &root);

	if (err < 0)
		return err;
	e4_getattr(root, &attr);
	e4_iput(root);
	e4_statfs(fs, &statfs);
	*owner = (struct owner){
		.view = view,
		.my_uid = my_uid,
		.my_gid = my_gid,
		.drive_uid = attr.uid,
		.drive_gid = attr.gid,
		.reserve_uid = statfs.reserve_uid,
		.reserve_gid = statfs.reserve_gid,
	};
	return 0;
}

void owner_show(const struct owner *owner, struct e4_attr *attr)
{
	if (owner->view == OWNER_DISK)
		return;
	attr->uid = owner->my_uid;
	attr->gid = owner->my_gid;
}

void owner_create(const struct owner *owner, uid_t uid, gid_t gid, const struct e4_attr *dir,
	struct e4_create *what)
{
	bool inherit = dir->mode & S_ISGID;

	what->uid = owner->view == OWNER_ME ? owner->drive_uid : uid;
	what->gid = owner->view == OWNER_ME ? owner->drive_gid : gid;
	if (inherit)
		what->gid = dir->gid;
	if (inherit && S_ISDIR(what->mode))
		what->mode |= S_ISGID;
}

unsigned owner_change(const struct owner *owner, unsigned mask)
{
	return owner->view == OWNER_DISK ? mask : mask & ~(unsigned)(E4_SET_UID | E4_SET_GID);
}

bool owner_may_administer(const struct owner *owner, uid_t uid)
{
	return uid == 0 || uid == owner->my_uid;
}

bool owner_may_use_reserve(const struct owner *owner, uid_t uid, gid_t gid)
{
	gid_t group = owner_reserve_group(owner);

	if (uid == 0 || (group && gid == group))
		return true;
	return owner->view == OWNER_DISK && uid == owner->reserve_uid;
}

gid_t owner_reserve_group(const struct owner *owner)
{
	return owner->view == OWNER_DISK ? owner->reserve_gid : 0;
}

const char *owner_view_name(enum owner_view view)
{
	return view == OWNER_ME ? "me" : "disk";
}
