/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * POSIX ACLs of inodes. The access ACL and the mode say the same: the ACL is stored only if it says
 * more, and whoever changes one changes the other. Nobody is denied anything here; that is for who
 * asks (with FUSE, the kernel).
 *
 * inode->lock held, for writing if there is a handle. What fails has changed nothing, or the volume
 * has failed.
 */
#ifndef EXT4_ACL_INODE_H
#define EXT4_ACL_INODE_H

#include "ext4/acl.h"
#include "ext4/xattr.h"

/* As e4_getxattr() and e4_setxattr() (value NULL: e4_removexattr(), which may find nothing). The
 * inode is stored. */
ssize_t acl_inode_get(struct e4_inode *inode, const struct xattr_name *name, void *buf,
	size_t size) MUST_CHECK;
int acl_inode_set(struct handle *h, struct e4_inode *inode, const struct xattr_name *name,
	const struct xattr_value *value, unsigned flags) MUST_CHECK;
/* Makes the access ACL follow a new mode, which the caller sets and stores afterwards.
 */
int acl_inode_chmod(struct handle *h, struct e4_inode *inode, uint32_t mode) MUST_CHECK;

/* What something new takes over. */
struct acl_heritage {
	struct acl default_acl, access; /* count 0: none */
};
/* Looks at dir (locks it) and says what what->mode becomes. */
int acl_inherit(struct e4_inode *dir, struct e4_create *what, struct acl_heritage *ret_heritage) MUST_CHECK;
unsigned acl_heritage_credits(const struct acl_heritage *heritage);
/* For the new inode that nobody else sees; it is stored. Locks it. */
int acl_heritage_store(struct handle *h, struct e4_inode *inode,
	const struct acl_heritage *heritage) MUST_CHECK;

#endif
