/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/xattr-body.h"

#include <errno.h>

#include "ext4/inode-disk.h"

enum {
	MAGIC_BYTES = sizeof(le32),
	AREA_BYTES_MIN = 4, /* an end */
};

static int record_copy(struct e4_inode *inode, uint32_t at, uint8_t *data, size_t len)
{
	CLEANUP_BUF struct buf *buf = NULL;
	uint32_t offset;
	int r = inode_disk_record(inode, &buf, &offset);

	if (r < 0)
		return r;
	pthread_mutex_lock(&buf->lock);
	memcpy(data, buf->data + offset + at, len);
	pthread_mutex_unlock(&buf->lock);
	return 0;
}

int xattr_body_load(struct e4_inode *inode, struct xattr_body *ret_body)
{
	uint32_t at = inode_disk_attributes_offset(inode), len;
	int r;

	ret_body->area = (struct xattr_area){.base = ret_body->data};
	if (!at) {
		memset(ret_body->data, 0, AREA_BYTES_MIN);
		return 0;
	}
	len = inode->fs->inode_bytes - at - MAGIC_BYTES;
	ret_body->area.end = len;
	/* Without the magic number the bytes mean nothing. */
	if (!inode->has_attributes) {
		memset(ret_body->data, 0, len);
		return 0;
	}
	r = record_copy(inode, at + MAGIC_BYTES, ret_body->data, len);
	if (r < 0)
		return r;
	if (xattr_area_check(inode->fs, &ret_body->area) < 0)
		return fs_damaged(inode->fs, "inode %u: bad attributes", inode->ino);
	return 0;
}

int xattr_body_store(struct handle *h, struct e4_inode *inode, const struct xattr_body *body)
{
	CLEANUP_BUF struct buf *buf = NULL;
	uint32_t offset, at = inode_disk_attributes_offset(inode);
	le32 magic = le32_make(EXT2_EXT_ATTR_MAGIC);
	int r;

	if (!at)
		return 0;
	r = inode_disk_record(inode, &buf, &offset);
	if (r == 0)
		r = buf_modify(h, buf);
	if (r < 0)
		return r;
	inode->has_attributes = xattr_area_next(&body->area, NULL);
	if (!inode->has_attributes)
		magic = le32_make(0);
	pthread_mutex_lock(&buf->lock);
	memcpy(buf->data + offset + at, &magic, MAGIC_BYTES);
	memcpy(buf->data + offset + at + MAGIC_BYTES, body->data, body->area.end);
	pthread_mutex_unlock(&buf->lock);
	return 0;
}

int xattr_body_get(
	struct e4_inode *inode, const struct xattr_name *name, void *buf, size_t buf_len)
{
	const struct ext2_ext_attr_entry *entry;
	struct xattr_body body;
	int r = xattr_body_load(inode, &body);

	if (r < 0)
		return r;
	entry = xattr_area_find(&body.area, name);
	if (!entry || entry->e_value_inum)
		return -ENODATA;

	uint32_t len = le32toh(entry->e_value_size);

	if (len > buf_len)
		return -ERANGE;
	if (len)
		memcpy(buf, xattr_area_value(&body.area, entry), len);
	return (int)len;
}

int xattr_body_room(struct e4_inode *inode, const struct xattr_name *name)
{
	struct xattr_body body;
	int r = xattr_body_load(inode, &body);

	return r < 0 ? r : xattr_area_room(&body.area, name);
}

static int edit(struct handle *h, struct e4_inode *inode, const struct xattr_name *name,
	const struct xattr_value *value)
{
	struct xattr_body body;
	int r = xattr_body_load(inode, &body);

	if (r == 0)
		r = xattr_area_set(&body.area, name, value);
	return r < 0 ? r : xattr_body_store(h, inode, &body);
}

int xattr_body_put(struct handle *h, struct e4_inode *inode, const struct xattr_name *name,
	const void *data, size_t len)
{
	struct xattr_value value = {.data = data, .len = (uint32_t)len};

	if (len > XATTR_AREA_MAX)
		return -ENOSPC;
	return edit(h, inode, name, &value);
}

int xattr_body_drop(struct handle *h, struct e4_inode *inode, const struct xattr_name *name)
{
	return edit(h, inode, name, NULL);
}
