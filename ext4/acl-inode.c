/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/acl-inode.h"

#include <errno.h>
#include <sys/stat.h>

static const struct xattr_name access_name = {XATTR_INDEX_ACL_ACCESS, 0, ""};
static const struct xattr_name default_name = {XATTR_INDEX_ACL_DEFAULT, 0, ""};

/* count 0 when there is none. */
static int load(struct e4_inode *inode, const struct xattr_name *name, struct acl *ret_acl)
{
	uint8_t value[ACL_BYTES_MAX];
	ssize_t len = xattr_get(inode, name, value, sizeof(value));

	ret_acl->count = 0;
	if (len == -ENODATA)
		return 0;
	return len < 0 ? (int)len : acl_from_disk(value, (size_t)len, ret_acl);
}

ssize_t acl_inode_get(struct e4_inode *inode, const struct xattr_name *name, void *buf, size_t size)
{
	uint8_t value[ACL_BYTES_MAX];
	struct acl acl;
	size_t len;
	int r;

	if (inode_is_symlink(inode))
		return -EOPNOTSUPP;
	r = load(inode, name, &acl);
	if (r < 0)
		return r;
	if (!acl.count)
		return -ENODATA;
	len = acl_to_xattr(&acl, value);
	if (size && size < len)
		return -ERANGE;
	if (size)
		memcpy(buf, value, len);
	return (ssize_t)len;
}

/* acl NULL: takes it away. Results as xattr_set(). */
static int store(struct handle *h, struct e4_inode *inode, const struct xattr_name *name,
	const struct acl *acl)
{
	uint8_t bytes[ACL_BYTES_MAX];
	struct xattr_value value = {.data = bytes};

	if (!acl)
		return xattr_set(h, inode, name, NULL, 0);
	value.len = (uint32_t)acl_to_disk(acl, bytes);
	return xattr_set(h, inode, name, &value, 0);
}

static int set_access(struct handle *h, struct e4_inode *inode, const struct acl *acl, unsigned flags)
{
	uint32_t mode = inode->mode;
	bool same = false;
	int r = inode_reserve(h, inode);

	if (r < 0)
		return r;
	if (acl) {
		same = acl_to_mode(acl, &mode);
		if (flags & E4_XATTR_KILL_SGID)
			mode &= ~(uint32_t)S_ISGID;
	}
	r = store(h, inode, &access_name, same ? NULL : acl);
	if (r < 0 || (r == 0 && mode == inode->mode))
		return r;
	inode->mode = (uint16_t)mode;
	return 1;
}

int acl_inode_set(struct handle *h, struct e4_inode *inode, const struct xattr_name *name,
	const struct xattr_value *value, unsigned flags)
{
	struct acl acl = {0};
	int r = 0;

	if (inode_is_symlink(inode))
		return -EOPNOTSUPP;
	if (value)
		r = acl_from_xattr(value->data, value->len, &acl);
	if (r < 0)
		return r;
	if (name->index == XATTR_INDEX_ACL_DEFAULT && !inode_is_dir(inode))
		return acl.count ? -EACCES : 0;
	if (acl.count && !acl_valid(&acl))
		return -EINVAL;
	if (name->index == XATTR_INDEX_ACL_ACCESS)
		r = set_access(h, inode, acl.count ? &acl : NULL, flags);
	else
		r = store(h, inode, name, acl.count ? &acl : NULL);
	if (r <= 0)
		return r;
	inode->ctime = inode_now();
	return inode_store(h, inode, false);
}

int acl_inode_chmod(struct handle *h, struct e4_inode *inode, uint32_t mode)
{
	struct acl acl;
	int r;

	if (inode_is_symlink(inode))
		return 0;
	r = load(inode, &access_name, &acl);
	if (r < 0 || !acl.count)
		return r;
	acl_chmod(&acl, mode);
	r = store(h, inode, &access_name, acl_to_mode(&acl, &mode) ? NULL : &acl);
	return r < 0 ? r : 0;
}

/* ---- inheriting ------------------------------------------------------------------------ */

int acl_inherit(struct e4_inode *dir, struct e4_create *what, struct acl_heritage *ret_heritage)
{
	uint32_t mode = what->mode;
	int r;

	ret_heritage->default_acl.count = ret_heritage->access.count = 0;
	if (S_ISLNK(mode))
		return 0;
	pthread_rwlock_rdlock(&dir->lock);
	r = load(dir, &default_name, &ret_heritage->access);
	pthread_rwlock_unlock(&dir->lock);
	if (r < 0)
		return r;
	if (!ret_heritage->access.count) {
		what->mode &= ~(what->umask & 0777);
		return 0;
	}
	if (S_ISDIR(mode))
		ret_heritage->default_acl = ret_heritage->access;
	if (acl_create(&ret_heritage->access, &mode))
		ret_heritage->access.count = 0;
	what->mode = mode;
	return 0;
}

unsigned acl_heritage_credits(const struct acl_heritage *heritage)
{
	return (heritage->default_acl.count ? XATTR_SET_CREDITS : 0) +
		(heritage->access.count ? XATTR_SET_CREDITS : 0);
}

int acl_heritage_store(
	struct handle *h, struct e4_inode *inode, const struct acl_heritage *heritage)
{
	int r = 0;

	if (!heritage->default_acl.count && !heritage->access.count)
		return 0;
	pthread_rwlock_wrlock(&inode->lock);
	if (heritage->default_acl.count)
		r = store(h, inode, &default_name, &heritage->default_acl);
	if (r >= 0 && heritage->access.count)
		r = store(h, inode, &access_name, &heritage->access);
	if (r >= 0)
		r = inode_store(h, inode, false);
	pthread_rwlock_unlock(&inode->lock);
	return r;
}
