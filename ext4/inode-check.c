/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/inode-check.h"

#include <errno.h>
#include <sys/stat.h>

#include "ext4/blockmap.h"
#include "ext4/extent-node.h"

uint64_t inode_max_bytes(const struct e4_inode *inode)
{
	const struct e4_fs *fs = inode->fs;
	uint64_t blocks = EXTENT_LBLK_MAX + 1ull;

	/* What is inline gets the better kind when it gets blocks. */
	if (!extent_is_tree(inode) && !((inode->flags & EXT4_INLINE_DATA_FL) &&
					      fs_has_incompat(fs, EXT3_FEATURE_INCOMPAT_EXTENTS)))
		return blockmap_max_bytes(fs);
	/* i_blocks counts 512-byte units in 32 bits without huge_file. */
	if (!fs_has_ro_compat(fs, EXT4_FEATURE_RO_COMPAT_HUGE_FILE))
		blocks = min_u64(blocks, UINT32_MAX >> (fs->block_bits - 9));
	return fs_blocks_to_bytes(fs, blocks);
}

static bool mode_known(const struct e4_inode *inode)
{
	switch (inode->type) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return true;
	default:
		return false;
	}
}

static int check_flags(struct e4_inode *inode)
{
	struct e4_fs *fs = inode->fs;

	if ((inode->flags & EXT4_EXTENTS_FL) && !fs_has_incompat(fs, EXT3_FEATURE_INCOMPAT_EXTENTS))
		return fs_damaged(fs, "inode %u: extents without the feature", inode->ino);
	if ((inode->flags & EXT4_INLINE_DATA_FL) &&
		!fs_has_incompat(fs, EXT4_FEATURE_INCOMPAT_INLINE_DATA))
		return fs_damaged(fs, "inode %u: inline data without the feature", inode->ino);
	if ((inode->flags & EXT4_INLINE_DATA_FL) && (inode->flags & EXT4_EXTENTS_FL))
		return fs_damaged(fs, "inode %u: both inline data and extents", inode->ino);
	return 0;
}

int inode_check(struct e4_inode *inode)
{
	struct e4_fs *fs = inode->fs;
	int r;

	if (!mode_known(inode))
		return fs_damaged(fs, "inode %u: unknown file type", inode->ino);
	r = check_flags(inode);
	if (r < 0)
		return r;
	/* Directories and links hold far less; whoever reads them checks their blocks. Behind what
	 * a block map reaches there is one more hole. */
	if (inode->size > fs_blocks_to_bytes(fs, EXTENT_LBLK_MAX + 1ull))
		return fs_damaged(fs, "inode %u: size too large", inode->ino);
	if (inode->file_acl &&
		(inode->file_acl <= fs->first_data_block || inode->file_acl >= fs->blocks_count))
		return fs_damaged(fs, "inode %u: attribute block outside the volume", inode->ino);
	if (inode->flags & EXT4_EXTENTS_FL)
		return extent_node_verify(fs, inode->ino, inode->i_block, EXTENT_ROOT_ENTRIES);
	return 0;
}
