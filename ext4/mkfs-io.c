/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libext2fs' I/O manager over a block device. The device is handed to open() by a thread-local
 * variable, because the only thing that passes through libext2fs is a name.
 */
#include "ext4/mkfs-io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static _Thread_local struct blkdev *next_dev;
static _Thread_local int first_error;

/* libext2fs replaces some errors by its own, and might overlook one: the first is kept here. */
static errcode_t io_error(int r)
{
	if (r < 0 && first_error == 0)
		first_error = r;
	return r < 0 ? -r : 0;
}

static errcode_t io_close(io_channel channel)
{
	if (--channel->refcount > 0)
		return 0;
	free(channel->name);
	free(channel);
	return 0;
}

static errcode_t io_set_blksize(io_channel channel, int block_bytes)
{
	channel->block_size = block_bytes;
	return 0;
}

/* libext2fs' counts: blocks, or bytes when negative. */
static bool io_range(io_channel channel, unsigned long long block, int count, uint64_t *ret_off,
	size_t *ret_len)
{
	*ret_len = count < 0 ? (size_t) - (long long)count : (size_t)count * channel->block_size;
	return mul_u64(block, channel->block_size, ret_off);
}

static errcode_t io_read_blk64(io_channel channel, unsigned long long block, int count, void *data)
{
	uint64_t off;
	size_t len;

	if (!io_range(channel, block, count, &off, &len))
		return EINVAL;
	return io_error(blkdev_read(channel->private_data, data, len, off));
}

static errcode_t io_write_blk64(
	io_channel channel, unsigned long long block, int count, const void *data)
{
	uint64_t off;
	size_t len;

	if (!io_range(channel, block, count, &off, &len))
		return EINVAL;
	return io_error(blkdev_write(channel->private_data, data, len, off));
}

static errcode_t io_read_blk(io_channel channel, unsigned long block, int count, void *data)
{
	return io_read_blk64(channel, block, count, data);
}

static errcode_t io_write_blk(io_channel channel, unsigned long block, int count, const void *data)
{
	return io_write_blk64(channel, block, count, data);
}

static errcode_t io_write_byte(io_channel channel, unsigned long off, int count, const void *data)
{
	if (count < 0)
		return EINVAL;
	return io_error(blkdev_write(channel->private_data, data, count, off));
}

static errcode_t io_flush(io_channel channel)
{
	return io_error(blkdev_flush(channel->private_data));
}

static errcode_t io_open(const char *name, int flags, io_channel *ret_channel);

static struct struct_io_manager manager = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER,
	.name = "sealdrive block device",
	.open = io_open,
	.close = io_close,
	.set_blksize = io_set_blksize,
	.read_blk = io_read_blk,
	.write_blk = io_write_blk,
	.flush = io_flush,
	.write_byte = io_write_byte,
	.read_blk64 = io_read_blk64,
	.write_blk64 = io_write_blk64,
};

static errcode_t io_open(const char *name, int flags, io_channel *ret_channel)
{
	io_channel channel;

	if (!next_dev)
		return ENODEV;
	channel = calloc(1, sizeof(*channel));
	if (!channel)
		return EXT2_ET_NO_MEMORY;
	channel->name = strdup(name);
	if (!channel->name) {
		free(channel);
		return EXT2_ET_NO_MEMORY;
	}
	channel->magic = EXT2_ET_MAGIC_IO_CHANNEL;
	channel->manager = &manager;
	channel->block_size = 1024;
	channel->refcount = 1;
	channel->private_data = next_dev;
	next_dev = NULL;
	*ret_channel = channel;
	return 0;
}

io_manager mkfs_io_manager(struct blkdev *dev)
{
	next_dev = dev;
	first_error = 0;
	return &manager;
}

int mkfs_io_error(void)
{
	return first_error;
}
