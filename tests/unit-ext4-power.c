/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a power failure at one chosen moment leaves: the drive as it is then, mounted again. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "ext4/fs.h"
#include "ext4/txn.h"
#include "tests/dev/faultdev.h"
#include "tests/dev/image.h"
#include "tests/dev/memdev.h"
#include "tests/dev/volume.h"
#include "tests/unit.h"

/* More than are kept in memory when nobody uses them. */
enum { INODES_OTHER = 4400 };

static struct volume volume, after;

static void setup(uint64_t size, const char *options)
{
	volume = (struct volume){0};
	CU_ASSERT_EQUAL_FATAL(image_make(size, options, &volume.dev), 0);
	CU_ASSERT_EQUAL_FATAL(faultdev_new(volume.dev, &volume.top), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
}

/* Of volume.dev: what is on the medium now. Nothing of what waits in memory is in it. */
static struct blkdev *copy_of(struct blkdev *dev)
{
	struct blkdev *copy;

	CU_ASSERT_EQUAL_FATAL(memdev_new(dev->size_bytes, dev->block_bytes, &copy), 0);
	memcpy(memdev_data(copy), memdev_data(dev), (size_t)dev->size_bytes);
	return copy;
}

static void power_is_back(struct blkdev *dev)
{
	after = (struct volume){.dev = dev, .top = dev};
	CU_ASSERT_EQUAL_FATAL(volume_mount(&after), 0);
}

static void power_judge(void)
{
	CU_ASSERT_EQUAL(after.errors, 0);
	CU_ASSERT_EQUAL(volume_judge(&after), 0);
	volume_close(&after);
}

/* What fsync is for may be out of memory by then, and still be in no commit. */
static void test_fsync_of_what_was_dropped(void)
{
	uint32_t first = 0;
	struct e4_inode *inode;
	char name[20];

	setup(64 << 20, "-b 4096 -J size=8 -N 6000");
	for (int i = 0; i < INODES_OTHER; i++) {
		snprintf(name, sizeof(name), "other-%d", i);
		CU_ASSERT_EQUAL_FATAL(volume_create(volume.root, name, S_IFREG | 0600), 0);
		if (i == 0)
			first = (uint32_t)volume_ino(volume.root, name);
	}
	CU_ASSERT_EQUAL_FATAL(e4_sync(volume.fs), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "folder", &inode), 0);
	e4_iput(inode);
	for (uint32_t i = 0; i < INODES_OTHER; i++) {
		CU_ASSERT_EQUAL_FATAL(e4_iget(volume.fs, first + i, &inode), 0);
		e4_iput(inode);
	}

	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "folder", 6, &inode), 0);
	CU_ASSERT_EQUAL(e4_fsync(inode, true), 0);
	e4_iput(inode);
	power_is_back(copy_of(volume.dev));
	CU_ASSERT(volume_ino(after.root, "folder") > 0);
	power_judge();
	volume_close(&volume);
}

/* What a log holds that nobody is to replay (debugfs has taken "needs recovery" off) does not come back later. */
static void test_log_that_was_dropped(void)
{
	struct blkdev *dropped;
	char name[20];

	setup(8 << 20, "-b 1024 -J size=1 -N 64");
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "logged-%d", i);
		CU_ASSERT_EQUAL_FATAL(volume_create(volume.root, name, S_IFREG | 0600), 0);
		CU_ASSERT_EQUAL_FATAL(e4_sync(volume.fs), 0);
	}
	dropped = copy_of(volume.dev);
	volume_close(&volume);
	CU_ASSERT_EQUAL_FATAL(image_debugfs(dropped, "feature -needs_recovery", true), 0);

	volume = (struct volume){.dev = dropped, .top = dropped};
	CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
	CU_ASSERT_EQUAL(volume_ino(volume.root, "logged-0"), -ENOENT);
	CU_ASSERT_EQUAL_FATAL(volume_create(volume.root, "new-1", S_IFREG | 0600), 0);
	CU_ASSERT_EQUAL_FATAL(e4_sync(volume.fs), 0);
	power_is_back(copy_of(volume.dev));
	CU_ASSERT(volume_ino(after.root, "new-1") > 0);
	CU_ASSERT_EQUAL(volume_ino(after.root, "logged-1"), -ENOENT);
	power_judge();
	volume_close(&volume);
}

/* ---- what fails half-way, with a commit between its two transactions ---- */

enum { TIMES = 25 };

static atomic_bool committer_stop;

static void *committer(void *unused)
{
	while (!atomic_load(&committer_stop) && txn_commit(volume.fs, txn_running_id(volume.fs)) == 0)
		;
	return NULL;
}

/* Nothing that was begun in vain is on the drive without a name. e2fsck takes longer, so it sees few. */
static void judge_nothing_lost(struct blkdev *dev, const struct e4_statfs *expected, bool thoroughly)
{
	struct e4_statfs found;

	power_is_back(copy_of(dev));
	e4_statfs(after.fs, &found);
	CU_ASSERT_EQUAL(found.blocks_free, expected->blocks_free);
	CU_ASSERT_EQUAL(found.inodes_free, expected->inodes_free);
	if (thoroughly)
		power_judge();
	else
		volume_close(&after);
}

/* The drive after each flush that was recorded since `dev` was as it is. */
static void judge_flushes(struct blkdev *dev, const struct e4_statfs *expected)
{
	const struct fault_record *records;
	size_t count, judged = 0;

	records = faultdev_records(volume.top, &count);
	for (size_t i = 0; i < count; i++) {
		if (records[i].op == FAULT_WRITE)
			memcpy((uint8_t *)memdev_data(dev) + records[i].off, records[i].data, records[i].len);
		else if (i > 0 && records[i - 1].op == FAULT_WRITE)
			judge_nothing_lost(dev, expected, judged++ % 23 == 0);
	}
	CU_ASSERT(judged > TIMES);
}

/* All but `left` blocks, and the root folder's own. */
static void fill_up(unsigned left)
{
	char name[64];
	static uint8_t data[65536];
	struct e4_inode *file;
	uint64_t off = 0;
	ssize_t n;

	CU_ASSERT_EQUAL_FATAL(volume_create(volume.root, "all", S_IFREG | 0600), 0);
	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "all", 3, &file), 0);
	while ((n = e4_write(file, data, sizeof(data), off, E4_WRITE_USE_RESERVE)) > 0)
		off += (uint64_t)n;
	CU_ASSERT_EQUAL_FATAL(e4_setattr(file, &(struct e4_attr){.size = off - left * 1024}, E4_SET_SIZE), 0);
	e4_iput(file);
	CU_ASSERT_EQUAL_FATAL(e4_sync(volume.fs), 0);
	for (int i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "%050d", i);
		if (volume_create(volume.root, name, S_IFIFO | 0600) < 0)
			break;
	}
}

static void create_in_vain(uint32_t mode, const char *target, unsigned left)
{
	struct e4_create what = {.mode = mode, .symlink_target = target};
	struct e4_inode *inode;
	struct e4_statfs expected;
	struct blkdev *before;
	pthread_t thread;

	setup(4 << 20, "-b 1024 -J size=1 -N 64");
	fill_up(left);
	CU_ASSERT_EQUAL_FATAL(e4_sync(volume.fs), 0);
	faultdev_record(volume.top, true);
	before = copy_of(volume.dev);
	e4_statfs(volume.fs, &expected);
	atomic_store(&committer_stop, false);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, committer, NULL), 0);
	for (int i = 0; i < TIMES; i++)
		CU_ASSERT_EQUAL_FATAL(e4_create(volume.root, "vain", 4, &what, &inode), -ENOSPC);
	atomic_store(&committer_stop, true);
	pthread_join(thread, NULL);
	judge_flushes(before, &expected);
	blkdev_close(before);
	volume_close(&volume);
}

static void test_folder_in_vain(void)
{
	create_in_vain(S_IFDIR | 0755, NULL, 0);
	create_in_vain(S_IFDIR | 0755, NULL, 1);
}

static void test_link_in_vain(void)
{
	char target[200] = {0};

	memset(target, 'x', sizeof(target) - 1);
	create_in_vain(S_IFLNK | 0777, target, 0);
	create_in_vain(S_IFLNK | 0777, target, 1);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_fsync_of_what_was_dropped), UNIT(test_log_that_was_dropped),
		UNIT(test_folder_in_vain),
		UNIT(test_link_in_vain));
}
