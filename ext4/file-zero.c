/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Zeroes over what a file has on the drive. Holes and unwritten blocks are zero already. */
#include "ext4/file.h"

#include <errno.h>

#include "ext4/dataloss.h"

enum { ZERO_BYTES = 1 << 20 };

/* The beginning of [from, to), as much as one write takes. */
static int zero_part(struct e4_inode *inode, uint8_t *zero, size_t zero_len, uint64_t from,
	uint64_t to, uint64_t *ret_to)
{
	struct e4_fs *fs = inode->fs;
	uint64_t in_block = from & (fs->block_bytes - 1);
	struct blkdev_write how = dataloss_how(inode, false);
	struct extent_run run;
	uint64_t len;
	int r = file_map(inode, from >> fs->block_bits, &run);

	if (r < 0)
		return r;
	len = min_u64(to - from, fs_blocks_to_bytes(fs, run.count) - in_block);
	if (run.pblk && !run.unwritten) {
		len = min_u64(len, zero_len);
		r = blkdev_write_how(fs->dev, zero, (size_t)len,
			fs_blocks_to_bytes(fs, run.pblk) + in_block, &how);
	}
	if (r == 0)
		*ret_to = from + len;
	return r;
}

int file_zero_bytes(struct e4_inode *inode, uint64_t from, uint64_t to)
{
	CLEANUP_FREE uint8_t *zero = NULL;
	size_t len;
	int r = 0;

	if (from >= to)
		return 0;
	len = (size_t)min_u64(to - from, ZERO_BYTES);
	zero = calloc(1, len);
	if (!zero)
		return -ENOMEM;
	while (r == 0 && from < to)
		r = zero_part(inode, zero, len, from, to, &from);
	return r;
}

int file_zero_tail(struct e4_inode *inode, uint64_t from, uint64_t to)
{
	return file_zero_bytes(inode, from, min_u64(to, round_up_u64(from, inode->fs->block_bytes)));
}
