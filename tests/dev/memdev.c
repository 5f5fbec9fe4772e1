/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/dev/memdev.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"

struct memdev {
	struct blkdev dev;
	uint8_t *data;
};

static struct memdev *memdev_of(struct blkdev *dev)
{
	return container_of(dev, struct memdev, dev);
}

static int memdev_read(struct blkdev *dev, void *buf, size_t len, uint64_t off)
{
	memcpy(buf, memdev_of(dev)->data + off, len);
	return 0;
}

static int memdev_write(struct blkdev *dev, void *buf, size_t len, uint64_t off,
	const struct blkdev_write *how)
{
	memcpy(memdev_of(dev)->data + off, buf, len);
	/* Whoever promises not to need the buffer again must not find it unharmed by chance. */
	if (how->may_clobber)
		memset(buf, 0xdb, len);
	return 0;
}

static int memdev_flush(struct blkdev *dev)
{
	return 0;
}

static int memdev_discard(struct blkdev *dev, uint64_t off, uint64_t len)
{
	uint8_t *data = memdev_of(dev)->data;
	uint64_t end = off + len, page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t first = min_u64(round_up_u64(off, page), end);
	uint64_t last = max_u64(round_down_u64(end, page), first);

	memset(data + off, 0, first - off);
	if (last > first && madvise(data + first, last - first, MADV_DONTNEED) < 0)
		return -errno;
	memset(data + last, 0, end - last);
	return 0;
}

static void memdev_close(struct blkdev *dev)
{
	struct memdev *mem = memdev_of(dev);

	munmap(mem->data, dev->size_bytes);
	free(mem);
}

static const struct blkdev_ops memdev_ops = {
	.read = memdev_read,
	.write = memdev_write,
	.flush = memdev_flush,
	.discard = memdev_discard,
	.close = memdev_close,
};

int memdev_new(uint64_t size_bytes, uint32_t block_bytes, struct blkdev **ret_dev)
{
	CLEANUP_FREE struct memdev *mem = calloc(1, sizeof(*mem));

	if (!mem)
		return -ENOMEM;
	mem->data = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem->data == MAP_FAILED)
		return -errno;
	mem->dev = (struct blkdev){
		.ops = &memdev_ops,
		.size_bytes = size_bytes,
		.block_bytes = block_bytes,
		.discards = true,
	};
	*ret_dev = &take_ptr(mem)->dev;
	return 0;
}

void *memdev_data(struct blkdev *dev)
{
	return memdev_of(dev)->data;
}
