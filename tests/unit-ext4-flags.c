/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Flags of chattr(1) and generations: what they forbid, who inherits them. */
#include <errno.h>

#include "ext4/inode.h"
#include "tests/ext4-two-dirs.h"

static void set_flags(struct e4_inode *inode, uint32_t flags)
{
	pthread_rwlock_wrlock(&inode->lock);
	inode->flags = (inode->flags & ~(uint32_t)(EXT2_IMMUTABLE_FL | EXT2_APPEND_FL)) | flags;
	pthread_rwlock_unlock(&inode->lock);
}

static void test_immutable(void)
{
	struct e4_inode *file;

	setup();
	CU_ASSERT_EQUAL(make_file(a, "file"), 0);
	file = get(a, "file");
	set_flags(file, EXT2_IMMUTABLE_FL);
	CU_ASSERT_EQUAL(volume_unlink(a, "file"), -EPERM);
	CU_ASSERT_EQUAL(volume_rename(a, "file", b, "file", 0), -EPERM);
	CU_ASSERT_EQUAL(e4_link(file, b, "link", 4, false), -EPERM);
	set_flags(file, EXT2_APPEND_FL);
	CU_ASSERT_EQUAL(volume_unlink(a, "file"), -EPERM);
	set_flags(file, 0);
	set_flags(a, EXT2_APPEND_FL);
	CU_ASSERT_EQUAL(make_file(a, "new"), 0);
	CU_ASSERT_EQUAL(volume_unlink(a, "file"), -EPERM);
	CU_ASSERT_EQUAL(volume_rename(a, "file", b, "file", 0), -EPERM);
	set_flags(a, EXT2_IMMUTABLE_FL);
	CU_ASSERT_EQUAL(make_file(a, "newer"), -EPERM);
	CU_ASSERT_EQUAL(make_file(b, "other"), 0);
	CU_ASSERT_EQUAL(volume_rename(b, "other", a, "other", 0), -EPERM);
	set_flags(a, 0);
	CU_ASSERT_EQUAL(volume_unlink(a, "file"), 0);
	e4_iput(file);
	teardown();
}

/* What chattr may change, and that data which was taken before is written all the same. */
static void test_flags(void)
{
	const struct e4_attr attr = {.mode = 0600};
	struct e4_inode *file, *child;
	char data[] = "data";

	setup();
	CU_ASSERT_EQUAL(make_file(a, "file"), 0);
	file = get(a, "file");
	CU_ASSERT_EQUAL(e4_set_flags(file, EXT4_EXTENTS_FL | EXT2_DIRSYNC_FL), -EOPNOTSUPP);
	CU_ASSERT_EQUAL(e4_set_flags(file, EXT4_EXTENTS_FL | EXT4_HUGE_FILE_FL), -EOPNOTSUPP);
	CU_ASSERT_EQUAL(e4_set_flags(file, EXT4_EXTENTS_FL | EXT2_NODUMP_FL | EXT2_INDEX_FL), 0);
	CU_ASSERT_EQUAL(e4_get_flags(file), EXT4_EXTENTS_FL | EXT2_NODUMP_FL);
	CU_ASSERT_EQUAL(e4_set_flags(file, EXT4_EXTENTS_FL | EXT2_IMMUTABLE_FL), 0);
	CU_ASSERT_EQUAL(e4_set_flags(file, EXT4_EXTENTS_FL | EXT2_IMMUTABLE_FL | EXT2_NODUMP_FL),
		-EPERM);
	CU_ASSERT_EQUAL(e4_write(file, data, 4, 0, 0), -EPERM);
	CU_ASSERT_EQUAL(e4_write(file, data, 4, 0, E4_WRITE_HELD), 4);
	CU_ASSERT_EQUAL(e4_fallocate(file, 0, 0, 9), -EPERM);
	CU_ASSERT_EQUAL(e4_setattr(file, &attr, E4_SET_MODE), -EPERM);
	CU_ASSERT_EQUAL(e4_setattr(file, &attr, E4_SET_MTIME | E4_SET_CTIME), -EPERM);
	CU_ASSERT_EQUAL(e4_setattr(file, &attr, E4_SET_MTIME | E4_SET_CTIME | E4_SET_HELD), 0);
	CU_ASSERT_EQUAL(e4_set_flags(file, EXT4_EXTENTS_FL | EXT2_APPEND_FL), 0);
	CU_ASSERT_EQUAL(e4_setattr(file, &attr, E4_SET_SIZE), -EPERM);
	CU_ASSERT_EQUAL(e4_setattr(file, &attr, E4_SET_ATIME | E4_SET_GIVEN_TIMES), -EPERM);
	CU_ASSERT_EQUAL(e4_setattr(file, &attr, E4_SET_ATIME), 0);
	CU_ASSERT_EQUAL(e4_set_flags(file, EXT4_EXTENTS_FL), 0);
	CU_ASSERT_EQUAL(e4_set_generation(file, 5), -ENOTTY);
	e4_iput(file);
	CU_ASSERT_EQUAL(e4_set_flags(a, EXT4_EXTENTS_FL | EXT2_TOPDIR_FL | EXT2_NOATIME_FL), 0);
	CU_ASSERT_EQUAL(make_file(a, "child"), 0);
	child = get(a, "child");
	CU_ASSERT_EQUAL(e4_get_flags(child), EXT4_EXTENTS_FL | EXT2_NOATIME_FL);
	e4_iput(child);
	teardown();
}

/* What belongs to the inode in the cache stays its own. */
static void test_generation(void)
{
	struct e4_inode *dir;

	CU_ASSERT_EQUAL_FATAL(
		volume_make(&volume, 8 * MIB, "-b 1024 -N 64 -O ^metadata_csum", NULL), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "d", &dir), 0);
	CU_ASSERT_EQUAL(volume_create(dir, "before", S_IFREG | 0600), 0);
	CU_ASSERT_EQUAL(e4_set_generation(dir, 5), 0);
	CU_ASSERT_EQUAL(e4_generation(dir), 5);
	CU_ASSERT(volume_ino(dir, "before") > 0);
	CU_ASSERT_EQUAL(volume_create(dir, "after", S_IFREG | 0600), 0);
	CU_ASSERT_EQUAL(volume.errors, 0);
	e4_iput(dir);
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	volume_close(&volume);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_immutable), UNIT(test_flags), UNIT(test_generation));
}
