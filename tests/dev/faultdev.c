/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fault injection.
 *
 * 1. lock guards everything of struct faultdev but the lower device.
 * 2. Whether a call fails is decided before it reaches the lower device; a failed call leaves no
 *    trace there, but for the torn bytes of a write.
 * 3. While recording, lock is held over the lower call too, so that the order of the records is
 *    the order in which the lower device saw them.
 */
#include "tests/dev/faultdev.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

struct fault {
	uint64_t countdown; /* 0: none */
	int err;
	bool for_ever;
};

struct faultdev {
	struct blkdev dev;
	struct blkdev *lower;

	pthread_mutex_t lock;
	struct fault faults[FAULT_OPS];
	uint64_t calls[FAULT_OPS];
	size_t torn_bytes;
	bool gone, recording;
	struct fault_record *records;
	size_t record_count, record_room;
};

static struct faultdev *faultdev_of(struct blkdev *dev)
{
	return container_of(dev, struct faultdev, dev);
}

/* Counts a call; 0 or the error it fails with. lock held. */
static int fault_hit(struct faultdev *fd, enum fault_op op)
{
	struct fault *fault = &fd->faults[op];

	fd->calls[op]++;
	if (fd->gone)
		return -ENODEV;
	if (fault->countdown == 0)
		return 0;
	if (fault->countdown > 1) {
		fault->countdown--;
		return 0;
	}
	if (!fault->for_ever)
		fault->countdown = 0;
	return fault->err;
}

/* lock held */
static int record_add(struct faultdev *fd, enum fault_op op, const void *data, uint64_t len, uint64_t off)
{
	struct fault_record record = {.op = op, .off = off, .len = len};

	if (fd->record_count == fd->record_room) {
		size_t room = fd->record_room ? 2 * fd->record_room : 64;
		struct fault_record *records = realloc(fd->records, room * sizeof(*records));

		if (!records)
			return -ENOMEM;
		fd->records = records;
		fd->record_room = room;
	}
	if (data) {
		record.data = malloc(len);
		if (!record.data)
			return -ENOMEM;
		memcpy(record.data, data, len);
	}
	fd->records[fd->record_count++] = record;
	return 0;
}

static void records_drop(struct faultdev *fd)
{
	for (size_t i = 0; i < fd->record_count; i++)
		free(fd->records[i].data);
	fd->record_count = 0;
}

static int faultdev_read(struct blkdev *dev, void *buf, size_t len, uint64_t off)
{
	struct faultdev *fd = faultdev_of(dev);

	pthread_mutex_lock(&fd->lock);
	int r = fault_hit(fd, FAULT_READ);
	pthread_mutex_unlock(&fd->lock);
	return r < 0 ? r : blkdev_read(fd->lower, buf, len, off);
}

static int faultdev_write(struct blkdev *dev, void *buf, size_t len, uint64_t off,
	const struct blkdev_write *how)
{
	struct faultdev *fd = faultdev_of(dev);

	pthread_mutex_lock(&fd->lock);
	int r = fault_hit(fd, FAULT_WRITE);
	size_t torn = r == 0 || fd->gone ? 0 : fd->torn_bytes < len ? fd->torn_bytes : len;

	if (r == 0 && fd->recording) {
		r = record_add(fd, FAULT_WRITE, buf, len, off);
		if (r == 0)
			r = blkdev_write_how(fd->lower, buf, len, off, how);
		pthread_mutex_unlock(&fd->lock);
		return r;
	}
	pthread_mutex_unlock(&fd->lock);
	if (r == 0)
		return blkdev_write_how(fd->lower, buf, len, off, how);
	if (torn > 0 && blkdev_write(fd->lower, buf, torn, off) < 0)
		return -EIO;
	return r;
}

static int faultdev_flush(struct blkdev *dev)
{
	struct faultdev *fd = faultdev_of(dev);

	pthread_mutex_lock(&fd->lock);
	int r = fault_hit(fd, FAULT_FLUSH);

	if (r == 0 && fd->recording)
		r = record_add(fd, FAULT_FLUSH, NULL, 0, 0);
	pthread_mutex_unlock(&fd->lock);
	return r < 0 ? r : blkdev_flush(fd->lower);
}

static int faultdev_discard(struct blkdev *dev, uint64_t off, uint64_t len)
{
	struct faultdev *fd = faultdev_of(dev);

	pthread_mutex_lock(&fd->lock);
	int r = fault_hit(fd, FAULT_DISCARD);

	if (r == 0 && fd->recording)
		r = record_add(fd, FAULT_DISCARD, NULL, len, off);
	if (r == 0)
		r = blkdev_discard(fd->lower, off, len);
	pthread_mutex_unlock(&fd->lock);
	return r;
}

static void faultdev_close(struct blkdev *dev)
{
	struct faultdev *fd = faultdev_of(dev);

	blkdev_close(fd->lower);
	records_drop(fd);
	free(fd->records);
	pthread_mutex_destroy(&fd->lock);
	free(fd);
}

static const struct blkdev_ops faultdev_ops = {
	.read = faultdev_read,
	.write = faultdev_write,
	.flush = faultdev_flush,
	.discard = faultdev_discard,
	.close = faultdev_close,
};

int faultdev_new(struct blkdev *lower, struct blkdev **ret_dev)
{
	struct faultdev *fd = calloc(1, sizeof(*fd));

	if (!fd)
		return -ENOMEM;
	pthread_mutex_init(&fd->lock, NULL);
	fd->lower = lower;
	fd->dev = *lower;
	fd->dev.ops = &faultdev_ops;
	*ret_dev = &fd->dev;
	return 0;
}

static void fault_plan(struct blkdev *dev, enum fault_op op, struct fault fault)
{
	struct faultdev *fd = faultdev_of(dev);

	pthread_mutex_lock(&fd->lock);
	fd->faults[op] = fault;
	pthread_mutex_unlock(&fd->lock);
}

void faultdev_fail_once(struct blkdev *dev, enum fault_op op, uint64_t nth, int err)
{
	fault_plan(dev, op, (struct fault){.countdown = nth, .err = err});
}

void faultdev_fail_from(struct blkdev *dev, enum fault_op op, uint64_t nth, int err)
{
	fault_plan(dev, op, (struct fault){.countdown = nth, .err = err, .for_ever = true});
}

void faultdev_set_torn(struct blkdev *dev, size_t torn_bytes)
{
	struct faultdev *fd = faultdev_of(dev);

	pthread_mutex_lock(&fd->lock);
	fd->torn_bytes = torn_bytes;
	pthread_mutex_unlock(&fd->lock);
}

void faultdev_set_gone(struct blkdev *dev, bool gone)
{
	struct faultdev *fd = faultdev_of(dev);

	pthread_mutex_lock(&fd->lock);
	fd->gone = gone;
	pthread_mutex_unlock(&fd->lock);
}

uint64_t faultdev_calls(struct blkdev *dev, enum fault_op op)
{
	struct faultdev *fd = faultdev_of(dev);

	pthread_mutex_lock(&fd->lock);
	uint64_t calls = fd->calls[op];
	pthread_mutex_unlock(&fd->lock);
	return calls;
}

void faultdev_record(struct blkdev *dev, bool on)
{
	struct faultdev *fd = faultdev_of(dev);

	pthread_mutex_lock(&fd->lock);
	records_drop(fd);
	fd->recording = on;
	pthread_mutex_unlock(&fd->lock);
}

const struct fault_record *faultdev_records(struct blkdev *dev, size_t *ret_count)
{
	struct faultdev *fd = faultdev_of(dev);

	pthread_mutex_lock(&fd->lock);
	*ret_count = fd->record_count;
	pthread_mutex_unlock(&fd->lock);
	return fd->records;
}
