/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A device as it will be after recovery, for mounts that may not write: reads of blocks that would be
 * replayed come from the log. Constant after it was made, so it needs no lock.
 */
#include <errno.h>
#include <stdlib.h>

#include "ext4/recovery.h"

struct replaydev {
	struct blkdev dev;
	struct blkdev *lower;
	struct replay replay;
	uint32_t block_bytes;
};

/* The first block of the replay that is not before `block`. */
static size_t find(const struct replay *replay, uint64_t block)
{
	size_t low = 0, high = replay->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (replay->blocks[middle].block < block)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Bytes [from, to) of the block from the log into buf. */
static int read_from_log(struct replaydev *d, const struct replay_block *block, uint8_t *buf,
	uint32_t from, uint32_t to)
{
	be32 magic = be32_make((uint32_t)JBD2_MAGIC);
	int r = blkdev_read(d->lower, buf, to - from, block->in_log * d->block_bytes + from);

	if (r == 0 && block->escaped && from < sizeof(magic))
		memcpy(buf, (const uint8_t *)&magic + from, min_u64(sizeof(magic), to) - from);
	return r;
}

static int replaydev_read(struct blkdev *dev, void *buf, size_t len, uint64_t off)
{
	struct replaydev *d = container_of(dev, struct replaydev, dev);
	uint64_t end = off + len;
	int r = blkdev_read(d->lower, buf, len, off);

	for (size_t i = find(&d->replay, off / d->block_bytes); r == 0 && i < d->replay.count; i++) {
		const struct replay_block *block = &d->replay.blocks[i];
		uint64_t start = block->block * d->block_bytes;
		uint64_t from = max_u64(off, start), to = min_u64(end, start + d->block_bytes);

		if (start >= end)
			break;
		r = read_from_log(d, block, (uint8_t *)buf + (from - off), (uint32_t)(from - start),
			(uint32_t)(to - start));
	}
	return r;
}

static int replaydev_write(struct blkdev *dev, void *buf, size_t len, uint64_t off,
	const struct blkdev_write *how)
{
	return -EROFS;
}

static int replaydev_flush(struct blkdev *dev)
{
	return 0;
}

static int replaydev_watch(struct blkdev *dev, uint64_t len, uint64_t off)
{
	return blkdev_watch(container_of(dev, struct replaydev, dev)->lower, len, off);
}

static void replaydev_close(struct blkdev *dev)
{
	struct replaydev *d = container_of(dev, struct replaydev, dev);

	replay_free(&d->replay);
	free(d);
}

static const struct blkdev_ops replaydev_ops = {
	.read = replaydev_read,
	.write = replaydev_write,
	.flush = replaydev_flush,
	.watch = replaydev_watch,
	.close = replaydev_close,
};

int replaydev_new(struct blkdev *lower, uint32_t block_bytes, struct replay *replay,
	struct blkdev **ret_dev)
{
	struct replaydev *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	*d = (struct replaydev){
		.dev = {.ops = &replaydev_ops, .size_bytes = lower->size_bytes,
			.block_bytes = lower->block_bytes, .read_only = true},
		.lower = lower,
		.replay = *replay,
		.block_bytes = block_bytes,
	};
	*replay = (struct replay){0};
	*ret_dev = &d->dev;
	return 0;
}
