/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Replaying onto the drive. The log stays as it is until all blocks are in their places and flushed;
 * whatever interrupts this, the next one begins anew with the same result.
 */
#include <errno.h>

#include "ext4/blockrun.h"
#include "ext4/recovery.h"

static int read_block(struct e4_fs *fs, const struct replay_block *block, uint8_t *to)
{
	be32 magic = be32_make((uint32_t)JBD2_MAGIC);
	int r = blkdev_read(fs->dev, to, fs->block_bytes, fs_blocks_to_bytes(fs, block->in_log));

	if (r == 0 && block->escaped)
		memcpy(to, &magic, sizeof(magic));
	return r;
}

static int write_blocks(struct e4_fs *fs, const struct replay *replay)
{
	CLEANUP_BLOCKRUN struct blockrun run = {0};
	int r = blockrun_init(&run, fs);

	for (size_t i = 0; r == 0 && i < replay->count; i++) {
		uint8_t *to;

		r = blockrun_next(&run, replay->blocks[i].block, &to);
		if (r == 0)
			r = read_block(fs, &replay->blocks[i], to);
	}
	r = r < 0 ? r : blockrun_write(&run);
	return r < 0 ? r : fs_flush(fs);
}

int replay_write(struct journal *j, const struct replay *replay)
{
	int r = write_blocks(j->fs, replay);

	return r < 0 ? r : journal_super_write(j, 0, replay->next_tid);
}
