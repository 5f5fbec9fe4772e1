/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Written blocks (of lower's block_bytes; the last one may be shorter) lie in a hash table.
 *
 * 1. A block that is in the table never leaves it, and counts before the one of the lower device.
 * 2. `lock` is held over every access of the table. Content is plaintext, and wiped at close.
 */
#include "kernel-shim/overlay.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/bytes.h"
#include "base/secret.h"

enum { BUCKETS = 1 << 14 };

struct block {
	struct block *next;
	uint64_t number;
	uint8_t data[];
};

struct overlay {
	struct blkdev dev;
	struct blkdev *lower;
	pthread_mutex_t lock;
	struct block *buckets[BUCKETS];
};

static struct block **find(struct overlay *overlay, uint64_t number)
{
	struct block **at = &overlay->buckets[number % BUCKETS];

	while (*at && (*at)->number != number)
		at = &(*at)->next;
	return at;
}

/* The part of block `number` that lies in [off, off + len). */
static void part_of(const struct overlay *overlay, uint64_t number, uint64_t off, size_t len,
	uint64_t *ret_from, uint64_t *ret_to)
{
	uint64_t start = number * overlay->dev.block_bytes;

	*ret_from = max_u64(off, start);
	*ret_to = min_u64(off + len, start + overlay->dev.block_bytes);
}

static int overlay_read(struct blkdev *dev, void *buf, size_t len, uint64_t off)
{
	struct overlay *overlay = container_of(dev, struct overlay, dev);
	uint32_t size = dev->block_bytes;
	int r = blkdev_read(overlay->lower, buf, len, off);

	pthread_mutex_lock(&overlay->lock);
	for (uint64_t n = off / size; r == 0 && n * size < off + len; n++) {
		const struct block *block = *find(overlay, n);
		uint64_t from, to;

		if (!block)
			continue;
		part_of(overlay, n, off, len, &from, &to);
		memcpy((uint8_t *)buf + (from - off), block->data + (from - n * size), to - from);
	}
	pthread_mutex_unlock(&overlay->lock);
	return r;
}

/* A new block with what the lower device has there. */
static int block_make(struct overlay *overlay, uint64_t number, struct block **at)
{
	uint32_t size = overlay->dev.block_bytes;
	struct block *block = calloc(1, sizeof(*block) + size);
	int r;

	if (!block)
		return -ENOMEM;
	block->number = number;
	r = blkdev_read(overlay->lower, block->data,
		min_u64(size, overlay->dev.size_bytes - number * size), number * size);
	if (r < 0)
		free(block);
	else
		*at = block;
	return r;
}

static int overlay_write(struct blkdev *dev, void *buf, size_t len, uint64_t off,
	const struct blkdev_write *how)
{
	struct overlay *overlay = container_of(dev, struct overlay, dev);
	uint32_t size = dev->block_bytes;
	int r = 0;

	pthread_mutex_lock(&overlay->lock);
	for (uint64_t n = off / size; r == 0 && n * size < off + len; n++) {
		struct block **at = find(overlay, n);
		uint64_t from, to;

		if (!*at)
			r = block_make(overlay, n, at);
		if (r < 0)
			break;
		part_of(overlay, n, off, len, &from, &to);
		memcpy((*at)->data + (from - n * size), (const uint8_t *)buf + (from - off), to - from);
	}
	pthread_mutex_unlock(&overlay->lock);
	return r;
}

static int overlay_flush(struct blkdev *dev)
{
	return 0;
}

static void overlay_close(struct blkdev *dev)
{
	struct overlay *overlay = container_of(dev, struct overlay, dev);

	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct block *block = overlay->buckets[i], *next; block; block = next) {
			next = block->next;
			bytes_wipe(block->data, dev->block_bytes);
			free(block);
		}
	}
	pthread_mutex_destroy(&overlay->lock);
	free(overlay);
}

static const struct blkdev_ops overlay_ops = {
	.read = overlay_read,
	.write = overlay_write,
	.flush = overlay_flush,
	.close = overlay_close,
};

int overlay_new(struct blkdev *lower, struct blkdev **ret_dev)
{
	struct overlay *overlay = calloc(1, sizeof(*overlay));

	if (!overlay)
		return -ENOMEM;
	overlay->dev = (struct blkdev){
		.ops = &overlay_ops,
		.size_bytes = lower->size_bytes,
		.block_bytes = lower->block_bytes,
	};
	overlay->lower = lower;
	pthread_mutex_init(&overlay->lock, NULL);
	*ret_dev = &overlay->dev;
	return 0;
}
