/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/xattr-value.h"

#include <errno.h>

/* Old Lustre volumes have no checksums; their values say whose they are. */
static bool says_owner(const struct e4_inode *owner, const struct e4_inode *value)
{
	return (uint32_t)value->mtime.tv_sec == owner->ino && value->generation == owner->generation;
}

static bool checksums_ok(const struct e4_inode *value, const struct ext2_ext_attr_entry *entry,
	const void *data, uint32_t len)
{
	uint32_t sum = fs_crc32c(value->fs->csum_seed, data, len);
	struct xattr_name name = xattr_entry_name(entry);
	le32 word = le32_make(sum);

	return (uint32_t)value->atime.tv_sec == sum &&
		xattr_entry_hash(&name, (const uint8_t *)&word, sizeof(word)) == le32toh(entry->e_hash);
}

static ssize_t read_checked(struct e4_inode *owner, struct e4_inode *value,
	const struct ext2_ext_attr_entry *entry, void *buf)
{
	uint32_t len = le32toh(entry->e_value_size);
	ssize_t r = -EUCLEAN;

	if (inode_is_reg(value) && value->size == len)
		r = e4_read(value, buf, len, 0);
	if (r == (ssize_t)len && (checksums_ok(value, entry, buf, len) || says_owner(owner, value)))
		return r;
	return r < 0 && r != -EUCLEAN ? r :
		fs_damaged(owner->fs, "inode %u: bad attribute value in inode %u", owner->ino, value->ino);
}

ssize_t xattr_value_read(struct e4_inode *owner, const struct ext2_ext_attr_entry *entry, void *buf)
{
	struct e4_inode *value;
	ssize_t r;

	if (le32toh(entry->e_value_inum) == owner->ino)
		return fs_damaged(owner->fs, "inode %u: is its own attribute value", owner->ino);
	r = inode_get_value(owner->fs, le32toh(entry->e_value_inum), &value);
	if (r < 0)
		return r == -ENOENT ? fs_damaged(owner->fs, "inode %u: lost attribute value", owner->ino) : r;
	r = read_checked(owner, value, entry, buf);
	e4_iput(value);
	return r;
}
