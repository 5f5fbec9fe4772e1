/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/killpriv.h"

#include <errno.h>
#include <sys/stat.h>

#include "fuse/caller.h"
#include "fuse/reply.h"

static const char capability[] = "security.capability";

/* Root changes content without loss. A set-group-ID bit without a group's right to execute is no
 * program's: members may keep it. */
unsigned killpriv_mask(fuse_req_t req, struct e4_inode *inode, bool owner)
{
	struct e4_attr attr;
	unsigned mask = 0;

	e4_getattr(inode, &attr);
	if (!(attr.mode & (S_ISUID | S_ISGID)) || S_ISDIR(attr.mode))
		return 0;
	if (!owner && (fuse_req_ctx(req)->uid == 0 || !S_ISREG(attr.mode)))
		return 0;
	owner_show(&front_of(req)->owner, &attr);
	if (attr.mode & S_ISUID)
		mask |= E4_SET_KILL_SUID;
	if (attr.mode & S_ISGID && (attr.mode & S_IXGRP || !caller_in_group(req, attr.gid)))
		mask |= E4_SET_KILL_SGID;
	return mask;
}

int killpriv_write(fuse_req_t req, fuse_ino_t node, struct e4_inode *inode)
{
	struct e4_attr none = {0};
	unsigned mask = killpriv_mask(req, inode, false);
	int err = 0;

	if (mask) {
		err = e4_setattr(inode, &none, mask);
		/* The kernel must learn of the new mode, or it would go on to write past its cache. */
		if (err == 0)
			(void)fuse_lowlevel_notify_inval_inode(front_of(req)->session, node, -1, 0);
	}
	/* Nobody should have to keep one because the drive is full. */
	if (err == 0 && e4_getxattr(inode, capability, NULL, 0) >= 0)
		err = e4_removexattr(inode, capability, E4_XATTR_USE_RESERVE);
	return err == -ENODATA ? 0 : err;
}
