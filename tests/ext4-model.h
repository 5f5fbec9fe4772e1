/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A volume made by mke2fs with one empty file, /f, and a model of that file in memory. Operations
 * go to both; check_all() and reload() compare them, the latter after unmounting, with e2fsck and
 * debugfs as judges. One user per program.
 */
#ifndef TESTS_EXT4_MODEL_H
#define TESTS_EXT4_MODEL_H

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <unistd.h>

#include "ext4/file.h"
#include "ext4/txn.h"
#include "tests/dev/faultdev.h"
#include "tests/dev/image.h"
#include "tests/dev/memdev.h"
#include "tests/unit.h"

enum { FILE_INO = 12, MODEL = 3 << 20, JUNK = 0xa5 };

static uint8_t model[MODEL];
static uint64_t model_size;
static uint8_t scratch[MODEL + 1];

static struct blkdev *mem, *dev;
static struct e4_fs *fs;
static struct e4_inode *inode;
static unsigned seed;

static inline uint32_t pick(uint32_t limit)
{
	return (uint32_t)rand_r(&seed) % limit;
}

static inline void open_all(void)
{
	struct e4_mount_options mount = {0};

	CU_ASSERT_EQUAL_FATAL(e4_mount(dev, &mount, &fs, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(e4_iget(fs, FILE_INO, &inode), 0);
}

static inline void close_all(void)
{
	e4_iput(inode);
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
}

/* Fills all free space with junk, then frees it. */
static inline void spread_junk(void)
{
	uint64_t off = 0;
	ssize_t n;

	do {
		memset(scratch, JUNK, sizeof(scratch));
		n = e4_write(inode, scratch, MODEL, off, 0);
		off += n > 0 ? (uint64_t)n : 0;
	} while (n > 0);
	CU_ASSERT_EQUAL(n, -ENOSPC);
	CU_ASSERT_EQUAL_FATAL(file_set_size(inode, 0), 0);
	CU_ASSERT_EQUAL_FATAL(e4_sync(fs), 0);
	CU_ASSERT_EQUAL(inode->blocks, 0);
}

static inline void setup(uint64_t size, const char *options, unsigned new_seed)
{
	char all[256], dir[] = "/tmp/sealdrive-file-XXXXXX", file[64];
	FILE *f;

	seed = new_seed;
	memset(model, 0, sizeof(model));
	model_size = 0;
	CU_ASSERT_FATAL(mkdtemp(dir) != NULL);
	snprintf(file, sizeof(file), "%s/f", dir);
	f = fopen(file, "w");
	CU_ASSERT_FATAL(f != NULL);
	fclose(f);
	snprintf(all, sizeof(all), "%s -d %s", options, dir);
	CU_ASSERT_EQUAL_FATAL(image_make(size, all, &mem), 0);
	unlink(file);
	rmdir(dir);
	CU_ASSERT_EQUAL_FATAL(faultdev_new(mem, &dev), 0);
	open_all();
}

static inline void finish(void)
{
	close_all();
	CU_ASSERT_EQUAL(image_check(mem), 0);
	blkdev_close(dev);
}

/* ---- operations on file and model ----------------------------------------------------------- */

static inline void do_write(uint64_t off, size_t len)
{
	unsigned flags = pick(2) ? E4_WRITE_MAY_CLOBBER : 0;

	for (size_t i = 0; i < len; i++)
		scratch[i] = model[off + i] = (uint8_t)(rand_r(&seed) | 1);
	CU_ASSERT_EQUAL_FATAL(e4_write(inode, scratch, len, off, flags), (ssize_t)len);
	if (!flags)
		CU_ASSERT_EQUAL(memcmp(scratch, model + off, len), 0);
	model_size = max_u64(model_size, off + len);
}

static inline void do_size(uint64_t size)
{
	struct e4_attr attr = {.size = size};

	CU_ASSERT_EQUAL_FATAL(e4_setattr(inode, &attr, E4_SET_SIZE), 0);
	if (size < model_size)
		memset(model + size, 0, model_size - size);
	model_size = size;
}

static inline void do_fallocate(uint64_t off, uint64_t len, int mode)
{
	CU_ASSERT_EQUAL_FATAL(e4_fallocate(inode, mode, off, len), 0);
	if (mode & ~FALLOC_FL_KEEP_SIZE)
		memset(model + off, 0, len);
	if (!(mode & FALLOC_FL_KEEP_SIZE))
		model_size = max_u64(model_size, off + len);
}

static inline void check_read(uint64_t off, size_t len)
{
	size_t want = off >= model_size ? 0 : (size_t)min_u64(len, model_size - off);

	memset(scratch, 0xee, len + 1);
	CU_ASSERT_EQUAL_FATAL(e4_read(inode, scratch, len, off), (ssize_t)want);
	CU_ASSERT_EQUAL_FATAL(memcmp(scratch, model + off, want), 0);
	CU_ASSERT_EQUAL(scratch[want], 0xee);
}

/* Data and holes take turns up to the end; what is a hole is zero in the model. */
static inline void check_seek(void)
{
	uint64_t at = 0, next;
	int r;

	while ((r = e4_seek(inode, at, SEEK_DATA, &next)) == 0) {
		CU_ASSERT_FATAL(next >= at && next < model_size);
		CU_ASSERT(bytes_all_zero(model + at, next - at));
		CU_ASSERT_EQUAL_FATAL(e4_seek(inode, next, SEEK_HOLE, &at), 0);
		CU_ASSERT_FATAL(at > next && at <= model_size);
		if (at == model_size)
			break;
	}
	if (r == -ENXIO && at < model_size)
		CU_ASSERT(bytes_all_zero(model + at, model_size - at));
	CU_ASSERT_EQUAL(e4_seek(inode, model_size, SEEK_HOLE, &at), -ENXIO);
}

static inline void check_all(void)
{
	struct e4_attr attr;

	e4_getattr(inode, &attr);
	CU_ASSERT_EQUAL_FATAL(attr.size, model_size);
	check_read(0, MODEL);
	check_seek();
}

/* The same bytes after unmounting: for debugfs, and for ourselves. */
static inline void reload(void)
{
	CLEANUP_FREE uint8_t *data = NULL;
	size_t len;

	close_all();
	CU_ASSERT_EQUAL_FATAL(image_check(mem), 0);
	CU_ASSERT_EQUAL_FATAL(image_dump(mem, "/f", &data, &len), 0);
	CU_ASSERT_EQUAL_FATAL(len, model_size);
	CU_ASSERT_EQUAL_FATAL(memcmp(data, model, len), 0);
	open_all();
}

#endif
