/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where an attribute goes: into the inode's record if it fits there, else into the block, never into
 * both. All edits are made on copies of both; only when they are known to fit is anything changed.
 */
#include "ext4/xattr.h"

#include <errno.h>

#include "ext4/acl-inode.h"
#include "ext4/super.h"
#include "ext4/xattr-body.h"
#include "ext4/xattr-name.h"
#include "ext4/xattr-value.h"

enum { VALUE_MAX = 65536 }; /* XATTR_SIZE_MAX of the system call */

/* ---- reading --------------------------------------------------------------------------- */

static ssize_t entry_copy(struct e4_inode *inode, const struct xattr_area *area,
	const struct ext2_ext_attr_entry *entry, void *buf, size_t size)
{
	uint32_t len = le32toh(entry->e_value_size);

	if (size && size < len)
		return -ERANGE;
	if (size && entry->e_value_inum)
		return xattr_value_read(inode, entry, buf);
	if (size && len)
		memcpy(buf, xattr_area_value(area, entry), len);
	return len;
}

static ssize_t block_get(
	struct e4_inode *inode, const struct xattr_name *name, void *buf, size_t size)
{
	CLEANUP_XATTR_BLOCK struct xattr_block block = {0};
	const struct ext2_ext_attr_entry *entry;
	int r = xattr_block_load(inode, &block);

	if (r < 0)
		return r;
	entry = xattr_area_find(&block.area, name);
	return entry ? entry_copy(inode, &block.area, entry, buf, size) : -ENODATA;
}

ssize_t xattr_get(struct e4_inode *inode, const struct xattr_name *name, void *buf, size_t size)
{
	const struct ext2_ext_attr_entry *entry;
	struct xattr_body body;
	int r = xattr_body_load(inode, &body);

	if (r < 0)
		return r;
	entry = xattr_area_find(&body.area, name);
	if (entry)
		return entry_copy(inode, &body.area, entry, buf, size);
	return inode->file_acl ? block_get(inode, name, buf, size) : -ENODATA;
}

ssize_t e4_getxattr(struct e4_inode *inode, const char *name, void *buf, size_t size)
{
	struct xattr_name parsed;
	ssize_t r = xattr_name_parse(name, &parsed);

	if (r < 0)
		return r;
	pthread_rwlock_rdlock(&inode->lock);
	r = xattr_name_is_acl(&parsed) ? acl_inode_get(inode, &parsed, buf, size) :
		xattr_get(inode, &parsed, buf, size);
	pthread_rwlock_unlock(&inode->lock);
	return r;
}

/* ---- listing --------------------------------------------------------------------------- */

struct name_list {
	char *buf;
	size_t size, len;
	unsigned flags;
};

static void list_name(struct name_list *list, const struct ext2_ext_attr_entry *entry)
{
	struct xattr_name name = xattr_entry_name(entry);
	const char *prefix = xattr_name_prefix(&name);
	size_t prefix_len, at = list->len;

	if (!prefix || (name.index == XATTR_INDEX_TRUSTED && !(list->flags & E4_LIST_TRUSTED)))
		return;
	prefix_len = strlen(prefix);
	list->len += prefix_len + name.len + 1;
	if (list->len > list->size)
		return;
	memcpy(list->buf + at, prefix, prefix_len);
	memcpy(list->buf + at + prefix_len, name.text, name.len);
	list->buf[list->len - 1] = 0;
}

static void list_area(struct name_list *list, const struct xattr_area *area)
{
	const struct ext2_ext_attr_entry *entry = NULL;

	while ((entry = xattr_area_next(area, entry)))
		list_name(list, entry);
}

static int list_places(struct e4_inode *inode, struct name_list *list)
{
	CLEANUP_XATTR_BLOCK struct xattr_block block = {0};
	struct xattr_body body;
	int r = xattr_body_load(inode, &body);

	if (r == 0)
		list_area(list, &body.area);
	if (r < 0 || !inode->file_acl)
		return r;
	r = xattr_block_load(inode, &block);
	if (r == 0)
		list_area(list, &block.area);
	return r;
}

ssize_t e4_listxattr(struct e4_inode *inode, char *buf, size_t size, unsigned flags)
{
	struct name_list list = {.buf = buf, .size = size, .flags = flags};

	pthread_rwlock_rdlock(&inode->lock);
	int r = list_places(inode, &list);
	pthread_rwlock_unlock(&inode->lock);
	if (r < 0)
		return r;
	return size && list.len > size ? -ERANGE : (ssize_t)list.len;
}

/* ---- changing -------------------------------------------------------------------------- */

struct places {
	struct xattr_body body;
	struct xattr_block block;
	bool body_changed, block_changed;
};

static void places_put(struct places *p)
{
	xattr_block_put(&p->block);
}

static bool same_value(const struct xattr_area *area, const struct ext2_ext_attr_entry *entry,
	const struct xattr_value *value)
{
	if (!entry || entry->e_value_inum || le32toh(entry->e_value_size) != value->len)
		return false;
	return !value->len || memcmp(xattr_area_value(area, entry), value->data, value->len) == 0;
}

static int remove_from(struct xattr_area *area, const struct xattr_name *name, bool *ret_changed)
{
	*ret_changed = true;
	return xattr_area_set(area, name, NULL);
}

/* Edits the copies: into the record if it fits, else into the block, and out of the other one. */
static int put_somewhere(struct places *p, const struct xattr_name *name,
	const struct xattr_value *value, bool in_body, bool in_block)
{
	int r = xattr_area_set(&p->body.area, name, value);

	if (r == 0) {
		p->body_changed = true;
		return in_block ? remove_from(&p->block.area, name, &p->block_changed) : 0;
	}
	r = xattr_area_set(&p->block.area, name, value);
	if (r < 0)
		return r;
	p->block_changed = true;
	return in_body ? remove_from(&p->body.area, name, &p->body_changed) : 0;
}

static int edit(struct places *p, const struct xattr_name *name, const struct xattr_value *value,
	unsigned flags)
{
	const struct ext2_ext_attr_entry *in_body = xattr_area_find(&p->body.area, name);
	const struct ext2_ext_attr_entry *in_block = xattr_area_find(&p->block.area, name);

	if (!in_body && !in_block && (flags & E4_XATTR_REPLACE))
		return -ENODATA;
	if ((in_body || in_block) && (flags & E4_XATTR_CREATE))
		return -EEXIST;
	if (!value && in_body)
		return remove_from(&p->body.area, name, &p->body_changed);
	if (!value)
		return in_block ? remove_from(&p->block.area, name, &p->block_changed) : 0;
	if (same_value(&p->body.area, in_body, value) || same_value(&p->block.area, in_block, value))
		return 0;
	return put_somewhere(p, name, value, in_body, in_block);
}

/* All that can fail comes first: the block is the last of it. */
static int store(struct handle *h, struct e4_inode *inode, struct places *p)
{
	int r = inode_reserve(h, inode);

	if (r == 0 && !fs_has_compat(h->fs, EXT2_FEATURE_COMPAT_EXT_ATTR))
		r = super_add_compat(h, EXT2_FEATURE_COMPAT_EXT_ATTR);
	if (r == 0 && p->block_changed)
		r = xattr_block_store(h, inode, &p->block);
	if (r < 0)
		return r;
	return p->body_changed ? xattr_body_store(h, inode, &p->body) : 0;
}

int xattr_set(struct handle *h, struct e4_inode *inode, const struct xattr_name *name,
	const struct xattr_value *value, unsigned flags)
{
	CLEANUP(places_put) struct places p = {0};
	int r = xattr_body_load(inode, &p.body);

	if (r == 0)
		r = xattr_block_load(inode, &p.block);
	if (r == 0)
		r = edit(&p, name, value, flags);
	if (r < 0 || (!p.body_changed && !p.block_changed))
		return r;
	r = store(h, inode, &p);
	return r < 0 ? r : 1;
}

static int check_changeable(const struct e4_inode *inode)
{
	return inode->flags & (EXT2_IMMUTABLE_FL | EXT2_APPEND_FL) ? -EPERM : 0;
}

static int set_locked(struct handle *h, struct e4_inode *inode, const struct xattr_name *name,
	const struct xattr_value *value, unsigned flags)
{
	int r = check_changeable(inode);

	if (r < 0)
		return r;
	if (xattr_name_is_acl(name))
		return acl_inode_set(h, inode, name, value, flags);
	r = xattr_set(h, inode, name, value, flags);
	if (r <= 0)
		return r;
	inode->ctime = inode_now();
	return inode_store(h, inode, false);
}

static int set(struct e4_inode *inode, const char *text, const struct xattr_value *value,
	unsigned flags)
{
	struct xattr_name name;
	struct handle h;
	unsigned tries = 0;
	int r = xattr_name_parse(text, &name);

	if (r == 0)
		r = fs_check_writable(inode->fs);
	if (r < 0)
		return r;
	do {
		r = handle_begin(inode->fs, XATTR_SET_CREDITS, &h);
		if (r < 0)
			return r;
		h.use_reserve = flags & E4_XATTR_USE_RESERVE;
		pthread_rwlock_wrlock(&inode->lock);
		r = set_locked(&h, inode, &name, value, flags);
		pthread_rwlock_unlock(&inode->lock);
		handle_end(&h);
	} while (r == -ENOSPC && balloc_retry(inode->fs, &tries));
	return r;
}

int e4_setxattr(struct e4_inode *inode, const char *name, const void *value, size_t len, unsigned flags)
{
	struct xattr_value v = {.data = value, .len = (uint32_t)len};

	if (len > VALUE_MAX)
		return -E2BIG;
	return set(inode, name, &v, flags);
}

int e4_removexattr(struct e4_inode *inode, const char *name, unsigned flags)
{
	return set(inode, name, NULL, E4_XATTR_REPLACE | (flags & E4_XATTR_USE_RESERVE));
}
