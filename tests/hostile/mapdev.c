/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/hostile/mapdev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"

struct mapdev {
	struct blkdev dev;
	uint8_t *data;
	atomic_ulong changes;
};

static struct mapdev *mapdev_of(struct blkdev *dev)
{
	return container_of(dev, struct mapdev, dev);
}

static int mapdev_read(struct blkdev *dev, void *buf, size_t len, uint64_t off)
{
	memcpy(buf, mapdev_of(dev)->data + off, len);
	return 0;
}

static int mapdev_write(struct blkdev *dev, void *buf, size_t len, uint64_t off,
	const struct blkdev_write *how)
{
	(void)how;
	atomic_fetch_add(&mapdev_of(dev)->changes, 1);
	memcpy(mapdev_of(dev)->data + off, buf, len);
	return 0;
}

static int mapdev_flush(struct blkdev *dev)
{
	(void)dev;
	return 0;
}

static int mapdev_discard(struct blkdev *dev, uint64_t off, uint64_t len)
{
	atomic_fetch_add(&mapdev_of(dev)->changes, 1);
	memset(mapdev_of(dev)->data + off, 0, len);
	return 0;
}

static void mapdev_close(struct blkdev *dev)
{
	munmap(mapdev_of(dev)->data, dev->size_bytes);
	free(mapdev_of(dev));
}

static const struct blkdev_ops mapdev_ops = {
	.read = mapdev_read,
	.write = mapdev_write,
	.flush = mapdev_flush,
	.discard = mapdev_discard,
	.close = mapdev_close,
};

int mapdev_new(const char *path, bool scratch, struct blkdev **ret_dev)
{
	CLEANUP_FD int fd = open(path, O_RDWR | O_CLOEXEC);
	CLEANUP_FREE struct mapdev *map = calloc(1, sizeof(*map));
	struct stat st;

	if (!map)
		return -ENOMEM;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	map->data = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
		scratch ? MAP_PRIVATE : MAP_SHARED, fd, 0);
	if (map->data == MAP_FAILED)
		return -errno;
	map->dev = (struct blkdev){
		.ops = &mapdev_ops,
		.size_bytes = (uint64_t)st.st_size,
		.block_bytes = 512,
		.discards = true,
	};
	*ret_dev = &take_ptr(map)->dev;
	return 0;
}

uint8_t *mapdev_data(struct blkdev *dev)
{
	return mapdev_of(dev)->data;
}

void mapdev_reset(struct blkdev *dev)
{
	/* A private mapping forgets its own copies. */
	if (madvise(mapdev_of(dev)->data, dev->size_bytes, MADV_DONTNEED) < 0)
		abort();
	atomic_store(&mapdev_of(dev)->changes, 0);
}

unsigned long mapdev_changes(struct blkdev *dev)
{
	return atomic_load(&mapdev_of(dev)->changes);
}
