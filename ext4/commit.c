/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing a transaction in place, in an order that a crash does the least harm to:
 *
 *	flush (file data) -> bitmaps and descriptors -> flush -> everything else -> flush
 *
 * What power failure leaves, with blocks freed being reused only after the commit:
 * - before the second flush: space marked used that nobody refers to, or blocks of removed files
 *   marked free that the old metadata still holds, not overwritten by anybody;
 * - after it: some of the new names, inodes and extents, pointing to blocks marked used whose data
 *   is on the medium.
 * No state shows old disk content or one block in two files, but a check is due: the super block
 * says "not cleanly unmounted" for as long as the volume is mounted read-write.
 */
#include "ext4/commit.h"

#include <errno.h>
#include <stdlib.h>

enum { RUN_BYTES = 1024 * 1024 };

struct writer {
	struct e4_fs *fs;
	uint8_t *run; /* RUN_BYTES, may be NULL: then block by block */
	uint64_t first;
	uint32_t count;
};

static int writer_flush(struct writer *w)
{
	int r;

	if (w->count == 0)
		return 0;
	atomic_fetch_add(&w->fs->bytes_written, (uint64_t)w->count << w->fs->block_bits);
	r = blkdev_write_clobber(w->fs->dev, w->run, (size_t)w->count << w->fs->block_bits,
		fs_blocks_to_bytes(w->fs, w->first));
	w->count = 0;
	return r;
}

static int writer_add(struct writer *w, uint64_t block, const void *data)
{
	uint32_t bits = w->fs->block_bits;
	int r;

	if (!w->run)
		return blkdev_write(w->fs->dev, data, w->fs->block_bytes, block << bits);
	if (w->count && (block != w->first + w->count || ((w->count + 1ULL) << bits) > RUN_BYTES)) {
		r = writer_flush(w);
		if (r < 0)
			return r;
	}
	if (w->count == 0)
		w->first = block;
	memcpy(w->run + ((size_t)w->count << bits), data, w->fs->block_bytes);
	w->count++;
	return 0;
}

static int write_class(struct writer *w, const struct commit_list *list, bool allocation, size_t *ret_count)
{
	int r = 0;

	*ret_count = 0;
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		if (list->blocks[i].allocation != allocation)
			continue;
		r = writer_add(w, list->blocks[i].block, list->blocks[i].data);
		++*ret_count;
	}
	return r == 0 ? writer_flush(w) : r;
}

int commit_write(struct e4_fs *fs, const struct commit_list *list)
{
	struct writer w = {.fs = fs};
	size_t first = 0, rest = 0;
	int r = blkdev_flush(fs->dev);

	if (r < 0 || list->count == 0)
		return r;
	w.run = malloc(RUN_BYTES);
	r = write_class(&w, list, true, &first);
	if (r == 0 && first)
		r = blkdev_flush(fs->dev);
	if (r == 0)
		r = write_class(&w, list, false, &rest);
	if (r == 0 && rest)
		r = blkdev_flush(fs->dev);
	free(w.run);
	return r;
}
