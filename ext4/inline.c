/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/inline.h"

#include <errno.h>
#include <ext2fs/ext2_ext_attr.h>

#include "ext4/ialloc.h"

enum {
	XATTR_INDEX_SYSTEM = 7,
	BASE_BYTES = 128,
};

/* The value of "system.data" among the attributes at area; NULL when there is none. */
static const uint8_t *find_data(const uint8_t *area, size_t len, size_t *ret_size, bool *ret_bad)
{
	size_t at = 0;

	*ret_bad = false;
	while (len - at >= sizeof(struct ext2_ext_attr_entry)) {
		const struct ext2_ext_attr_entry *entry = (const void *)(area + at);
		size_t step = sizeof(*entry) + round_up_u64(entry->e_name_len, 4);
		size_t offset = le16toh(entry->e_value_offs), size = le32toh(entry->e_value_size);

		if (!entry->e_name_len && !entry->e_name_index && !offset && !entry->e_value_inum)
			return NULL;
		if (step > len - at)
			break;
		if (entry->e_name_index == XATTR_INDEX_SYSTEM && entry->e_name_len == 4 &&
			!memcmp(entry + 1, "data", 4)) {
			if (entry->e_value_inum || !range_inside(offset, size, len))
				break;
			*ret_size = size;
			return area + offset;
		}
		at += step;
	}
	/* Entries end with four zero bytes, for which there need be no room in a full record. */
	*ret_bad = len - at >= 4 && !bytes_all_zero(area + at, 4);
	return NULL;
}

static int copy_record(struct e4_inode *inode, uint8_t *record)
{
	CLEANUP_BUF struct buf *buf = NULL;
	uint32_t offset;
	int r = ialloc_table_block(inode->fs, inode->ino, &buf, &offset);

	if (r < 0)
		return r;
	pthread_mutex_lock(&buf->lock);
	memcpy(record, buf->data + offset, inode->fs->inode_bytes);
	pthread_mutex_unlock(&buf->lock);
	return 0;
}

int inline_get(struct e4_inode *inode, uint8_t *buf, size_t buf_len, size_t *ret_len)
{
	struct e4_fs *fs = inode->fs;
	CLEANUP_FREE uint8_t *record = malloc(fs->inode_bytes);
	size_t start = (size_t)BASE_BYTES + inode->extra_isize + sizeof(uint32_t), size = 0;
	const uint8_t *value = NULL;
	bool bad = false;
	le32 magic;
	int r;

	if (!record)
		return -ENOMEM;
	r = copy_record(inode, record);
	if (r < 0)
		return r;
	if (start <= fs->inode_bytes) {
		memcpy(&magic, record + start - sizeof(magic), sizeof(magic));
		if (le32_get(magic) == EXT2_EXT_ATTR_MAGIC)
			value = find_data(record + start, fs->inode_bytes - start, &size, &bad);
	}
	if (!value)
		size = 0;
	if (bad || sizeof(inode->i_block) + size > buf_len)
		return fs_damaged(fs, "inode %u: bad inline data", inode->ino);
	memcpy(buf, inode->i_block, sizeof(inode->i_block));
	if (value)
		memcpy(buf + sizeof(inode->i_block), value, size);
	*ret_len = sizeof(inode->i_block) + size;
	return 0;
}
