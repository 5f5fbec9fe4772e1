/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/blockrun.h"

#include <errno.h>
#include <stdlib.h>

enum { RUN_BYTES = 1024 * 1024 };

int blockrun_init(struct blockrun *run, struct e4_fs *fs)
{
	*run = (struct blockrun){.fs = fs, .bytes = malloc(RUN_BYTES)};
	return run->bytes ? 0 : -ENOMEM;
}

void blockrun_free(struct blockrun *run)
{
	free(run->bytes);
	run->bytes = NULL;
}

int blockrun_write(struct blockrun *run)
{
	int r;

	if (run->count == 0)
		return 0;
	atomic_fetch_add(&run->fs->bytes_written, (uint64_t)run->count << run->fs->block_bits);
	r = blkdev_write_clobber(run->fs->dev, run->bytes, (size_t)run->count << run->fs->block_bits,
		fs_blocks_to_bytes(run->fs, run->first));
	run->count = 0;
	return r;
}

int blockrun_next(struct blockrun *run, uint64_t block, uint8_t **ret_data)
{
	uint32_t bits = run->fs->block_bits;
	int r = 0;

	if (run->count && (block != run->first + run->count || ((run->count + 1ULL) << bits) > RUN_BYTES))
		r = blockrun_write(run);
	if (r < 0)
		return r;
	if (run->count == 0)
		run->first = block;
	*ret_data = run->bytes + ((size_t)run->count++ << bits);
	return 0;
}

int blockrun_add(struct blockrun *run, uint64_t block, const void *data)
{
	uint8_t *to;
	int r = blockrun_next(run, block, &to);

	if (r == 0)
		memcpy(to, data, run->fs->block_bytes);
	return r;
}
