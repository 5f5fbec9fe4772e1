/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a power failure at one chosen moment leaves: the drive as it is then, mounted again. */
#include <errno.h>

#include "ext4/fs.h"
#include "ext4/txn.h"
#include "tests/dev/image.h"
#include "tests/dev/memdev.h"
#include "tests/dev/volume.h"
#include "tests/unit.h"

/* More than are kept in memory when nobody uses them. */
enum { INODES_OTHER = 4400 };

static struct volume volume, after;

/* What is on the medium now, recovered. Nothing of what waits in memory is in it. */
static void power_fails(void)
{
	uint64_t size = volume.dev->size_bytes;

	after = (struct volume){0};
	CU_ASSERT_EQUAL_FATAL(memdev_new(size, volume.dev->block_bytes, &after.dev), 0);
	memcpy(memdev_data(after.dev), memdev_data(volume.dev), (size_t)size);
	after.top = after.dev;
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

	CU_ASSERT_EQUAL_FATAL(volume_make(&volume, 64 << 20, "-b 4096 -J size=8 -N 6000", NULL), 0);
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
	power_fails();
	CU_ASSERT(volume_ino(after.root, "folder") > 0);
	power_judge();
	volume_close(&volume);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_fsync_of_what_was_dropped));
}
