/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A look at the super block of a volume that is not opened. */
#include "base/bytes.h"
#include "ext4/ext4.h"
#include "ext4/super.h"

#include <ext2fs/ext2_fs.h>

enum {
	SUPER_OFFSET = 1024,
	BLOCK_LOG_MAX = 6, /* 64 KiB */
};

int e4_peek(struct blkdev *dev, struct e4_peek *ret_peek)
{
	struct ext2_super_block super;
	uint32_t block_log;
	uint64_t blocks;
	int r;

	if (dev->size_bytes < SUPER_OFFSET + sizeof(super))
		return -SDE_NOT_EXT4;
	r = blkdev_read(dev, &super, sizeof(super), SUPER_OFFSET);
	if (r < 0)
		return r;
	if (le16toh(super.s_magic) != EXT2_SUPER_MAGIC)
		return -SDE_NOT_EXT4;
	block_log = le32toh(super.s_log_block_size);
	blocks = le32toh(super.s_blocks_count);
	if (le32toh(super.s_feature_incompat) & EXT4_FEATURE_INCOMPAT_64BIT)
		blocks |= (uint64_t)le32toh(super.s_blocks_count_hi) << 32;
	if (block_log > BLOCK_LOG_MAX)
		return -SDE_FS_DAMAGED;
	ret_peek->block_bytes = EXT2_MIN_BLOCK_SIZE << block_log;
	if (!mul_u64(blocks, ret_peek->block_bytes, &ret_peek->size_bytes))
		return -SDE_FS_DAMAGED;
	ret_peek->needs_recovery =
		le32toh(super.s_feature_incompat) & EXT3_FEATURE_INCOMPAT_RECOVER;
	ret_peek->sure = !(le32toh(super.s_feature_ro_compat) & EXT4_FEATURE_RO_COMPAT_METADATA_CSUM) ||
		super_checksum_fits(&super);
	return 0;
}
