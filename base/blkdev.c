/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The checks that every block device can rely on, then the call. */
#include "base/blkdev.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

static int copy_to(void *buf, const void *from, size_t len, size_t at)
{
	uint8_t *to = (uint8_t *)buf + at;

	if (to != from)
		memcpy(to, from, len);
	return 0;
}

static int copy_from(void *buf, void *to, size_t len, size_t at)
{
	memcpy(to, (const uint8_t *)buf + at, len);
	return 0;
}

int blkdev_read(struct blkdev *dev, void *buf, size_t len, uint64_t off)
{
	if (!range_inside(off, len, dev->size_bytes))
		return -EINVAL;
	if (len == 0)
		return 0;
	if (!dev->ops->read)
		return dev->ops->read_to(dev, buf, copy_to, buf, len, off);
	return dev->ops->read(dev, buf, len, off);
}

int blkdev_read_to(struct blkdev *dev, void *buf, blkdev_take_fn fn, void *ctx, size_t len,
	uint64_t off)
{
	int r;

	if (dev->ops->read_to && len > 0 && range_inside(off, len, dev->size_bytes))
		return dev->ops->read_to(dev, buf, fn, ctx, len, off);
	r = blkdev_read(dev, buf, len, off);
	return r < 0 || len == 0 ? r : fn(ctx, buf, len, 0);
}

int blkdev_write_how(struct blkdev *dev, void *buf, size_t len, uint64_t off,
	const struct blkdev_write *how)
{
	if (dev->read_only)
		return -EROFS;
	if (!range_inside(off, len, dev->size_bytes))
		return -EINVAL;
	if (len == 0)
		return 0;
	if (!dev->ops->write)
		return dev->ops->write_from(dev, copy_from, buf, len, off, how);
	return dev->ops->write(dev, buf, len, off, how);
}

int blkdev_write_from(struct blkdev *dev, blkdev_fill_fn fn, void *ctx, size_t len, uint64_t off,
	const struct blkdev_write *how)
{
	if (!dev->ops->write_from)
		return -EOPNOTSUPP;
	if (dev->read_only)
		return -EROFS;
	if (!range_inside(off, len, dev->size_bytes))
		return -EINVAL;
	if (len == 0)
		return 0;
	return dev->ops->write_from(dev, fn, ctx, len, off, how);
}

int blkdev_write(struct blkdev *dev, const void *buf, size_t len, uint64_t off)
{
	/* No device writes to a buffer that it may not clobber. */
	return blkdev_write_how(dev, (void *)(uintptr_t)buf, len, off, &(struct blkdev_write){0});
}

int blkdev_write_clobber(struct blkdev *dev, void *buf, size_t len, uint64_t off)
{
	return blkdev_write_how(dev, buf, len, off, &(struct blkdev_write){.may_clobber = true});
}

int blkdev_flush(struct blkdev *dev)
{
	return dev->ops->flush(dev);
}

int blkdev_lost(struct blkdev *dev, blkdev_lost_fn fn, void *ctx)
{
	return dev->ops->lost ? dev->ops->lost(dev, fn, ctx) : -EOPNOTSUPP;
}

int blkdev_watch(struct blkdev *dev, uint64_t len, uint64_t off)
{
	if (!range_inside(off, len, dev->size_bytes))
		return -EINVAL;
	return dev->ops->watch && len > 0 ? dev->ops->watch(dev, len, off) : 0;
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
