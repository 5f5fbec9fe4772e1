/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The checks that every block device can rely on, then the call. */
#include "base/blkdev.h"

#include <errno.h>

#include "base/bytes.h"

int blkdev_read(struct blkdev *dev, void *buf, size_t len, uint64_t off)
{
	if (!range_inside(off, len, dev->size_bytes))
		return -EINVAL;
	if (len == 0)
		return 0;
	return dev->ops->read(dev, buf, len, off);
}

static int blkdev_write_flags(struct blkdev *dev, void *buf, size_t len, uint64_t off, unsigned flags)
{
	if (dev->read_only)
		return -EROFS;
	if (!range_inside(off, len, dev->size_bytes))
		return -EINVAL;
	if (len == 0)
		return 0;
	return dev->ops->write(dev, buf, len, off, flags);
}

int blkdev_write(struct blkdev *dev, const void *buf, size_t len, uint64_t off)
{
	/* Without BLKDEV_MAY_CLOBBER no device writes to the buffer. */
	return blkdev_write_flags(dev, (void *)buf, len, off, 0);
}

int blkdev_write_clobber(struct blkdev *dev, void *buf, size_t len, uint64_t off)
{
	return blkdev_write_flags(dev, buf, len, off, BLKDEV_MAY_CLOBBER);
}

int blkdev_flush(struct blkdev *dev)
{
	return dev->ops->flush(dev);
}

int blkdev_discard(struct blkdev *dev, uint64_t off, uint64_t len)
{
	if (dev->read_only)
		return -EROFS;
	if (!range_inside(off, len, dev->size_bytes))
		return -EINVAL;
	if (!dev->discards || !dev->ops->discard)
		return -EOPNOTSUPP;
	if (len == 0)
		return 0;
	return dev->ops->discard(dev, off, len);
}

int blkdev_refresh(struct blkdev *dev, size_t len, uint64_t off)
{
	if (!range_inside(off, len, dev->size_bytes))
		return -EINVAL;
	return dev->ops->refresh ? dev->ops->refresh(dev, len, off) : 0;
}

int blkdev_lock(struct blkdev *dev)
{
	return dev->ops->lock ? dev->ops->lock(dev) : 0;
}

void blkdev_unlock(struct blkdev *dev)
{
	if (dev->ops->unlock)
		dev->ops->unlock(dev);
}

void blkdev_close(struct blkdev *dev)
{
	if (dev)
		dev->ops->close(dev);
}
