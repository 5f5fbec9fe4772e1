/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directories that live in their inode: the rules, moves between folders, no space, damage. Random
 * changes and listings are in unit-ext4-dir.c. */
#include <errno.h>

#include "ext4/dir-inline.h"
#include "ext4/ialloc.h"
#include "tests/dev/image.h"
#include "tests/dev/memdev.h"
#include "tests/dev/volume.h"
#include "tests/unit.h"

enum { MIB = 1 << 20 };

static struct volume volume;
static struct e4_inode *dir;

static void begin(const char *options)
{
	CU_ASSERT_EQUAL_FATAL(volume_make(&volume, 16 * MIB, options, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "d", &dir), 0);
}

static void judge(void)
{
	e4_iput(dir);
	CU_ASSERT_EQUAL_FATAL(volume_judge(&volume), 0);
	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "d", 1, &dir), 0);
}

static void finish(void)
{
	judge();
	e4_iput(dir);
	volume_close(&volume);
}

static struct e4_attr attr_of(struct e4_inode *inode)
{
	struct e4_attr attr;

	e4_getattr(inode, &attr);
	return attr;
}

static int create(unsigned i)
{
	char name[16];

	snprintf(name, sizeof(name), "name%u", i);
	return volume_create(dir, name, S_IFREG | 0644);
}

/* Sizes and blocks as the kernel shows them. */
static void test_rules(void)
{
	begin("-b 1024 -I 256 -O inline_data");
	CU_ASSERT_EQUAL(attr_of(dir).size, 60);
	CU_ASSERT_EQUAL(attr_of(dir).blocks_512, 0);
	CU_ASSERT(dir_is_inline(dir));
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(create(i), 0);
	CU_ASSERT_EQUAL(attr_of(dir).size, 60);
	CU_ASSERT_EQUAL(create(3), 0);
	CU_ASSERT_EQUAL(attr_of(dir).size, 128);
	for (unsigned i = 4; i < 7; i++)
		CU_ASSERT_EQUAL(create(i), 0);
	CU_ASSERT_EQUAL(attr_of(dir).blocks_512, 0);
	CU_ASSERT(dir_is_inline(dir));
	judge();
	CU_ASSERT_EQUAL(create(7), 0);
	CU_ASSERT_FALSE(dir_is_inline(dir));
	CU_ASSERT_EQUAL(attr_of(dir).size, 1024);
	CU_ASSERT_EQUAL(attr_of(dir).blocks_512, 2);
	CU_ASSERT_EQUAL(volume_ino(dir, ".."), E4_ROOT_INO);
	judge();
	for (unsigned i = 0; i < 8; i++) {
		char name[16];

		snprintf(name, sizeof(name), "name%u", i);
		CU_ASSERT(volume_ino(dir, name) > 0);
		CU_ASSERT_EQUAL(volume_unlink(dir, name), 0);
	}
	/* never back */
	CU_ASSERT_EQUAL(attr_of(dir).size, 1024);
	finish();
}

/* The largest name does not fit, whatever the inode: straight to a block. */
static void test_long_name(void)
{
	char name[256];

	memset(name, 'n', 255);
	name[255] = 0;
	begin("-b 1024 -I 256 -O inline_data");
	CU_ASSERT_EQUAL(create(0), 0);
	CU_ASSERT_EQUAL(volume_create(dir, name, S_IFREG | 0644), 0);
	CU_ASSERT_FALSE(dir_is_inline(dir));
	CU_ASSERT(volume_ino(dir, name) > 0);
	CU_ASSERT(volume_ino(dir, "name0") > 0);
	finish();
}

/* An inode and a block of one size: a directory that moves out of a full one splits at once. */
static void test_full_inode(void)
{
	char name[256];

	memset(name, 'n', 255);
	name[255] = 0;
	begin("-b 1024 -I 1024 -O inline_data");
	for (unsigned i = 0; i < 54; i++)
		CU_ASSERT_EQUAL_FATAL(create(i), 0);
	CU_ASSERT_EQUAL(attr_of(dir).size, 896);
	CU_ASSERT(dir_is_inline(dir));
	CU_ASSERT_EQUAL(volume_create(dir, name, S_IFREG | 0644), 0);
	CU_ASSERT_FALSE(dir_is_inline(dir));
	CU_ASSERT(attr_of(dir).flags & EXT2_INDEX_FL);
	CU_ASSERT(volume_ino(dir, name) > 0);
	CU_ASSERT(volume_ino(dir, "name53") > 0);
	finish();
}

static void test_moves(void)
{
	struct e4_inode *sub, *other;

	begin("-b 1024 -I 256 -O inline_data");
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "other", &other), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(dir, "sub", &sub), 0);
	CU_ASSERT_EQUAL(volume_nlink(dir), 3);
	CU_ASSERT_EQUAL(volume_ino(sub, ".."), e4_ino(dir));
	CU_ASSERT_EQUAL(volume_rename(dir, "sub", other, "moved", 0), 0);
	CU_ASSERT_EQUAL(volume_ino(sub, ".."), e4_ino(other));
	CU_ASSERT_EQUAL(volume_nlink(dir), 2);
	CU_ASSERT_EQUAL(volume_nlink(other), 3);
	CU_ASSERT_EQUAL(volume_rename(other, "moved", sub, "below-itself", 0), -EINVAL);
	CU_ASSERT_EQUAL(volume_create(sub, "x", S_IFREG | 0644), 0);
	CU_ASSERT_EQUAL(volume_rmdir(other, "moved"), -ENOTEMPTY);
	CU_ASSERT_EQUAL(volume_rename(dir, "nothing", sub, "x", 0), -ENOENT);
	/* exchanged with a file, replaced by a folder */
	CU_ASSERT_EQUAL(create(0), 0);
	CU_ASSERT_EQUAL(volume_rename(dir, "name0", other, "moved", 2), 0);
	CU_ASSERT_EQUAL(volume_ino(sub, ".."), e4_ino(dir));
	CU_ASSERT_EQUAL(volume_ino(dir, "name0"), e4_ino(sub));
	CU_ASSERT_EQUAL(volume_unlink(sub, "x"), 0);
	CU_ASSERT_EQUAL(volume_create(other, "folder", S_IFDIR | 0755), 0);
	CU_ASSERT_EQUAL(volume_rename(other, "folder", dir, "name0", 0), 0);
	e4_iput(sub);
	e4_iput(other);
	CU_ASSERT_EQUAL(volume_rmdir(dir, "name0"), 0);
	finish();
}

/* ---- what fails changes nothing ---- */

static void fill_volume(void)
{
	struct e4_create what = {.mode = S_IFREG | 0644};
	static uint8_t data[MIB];
	struct e4_inode *filler;
	uint64_t off = 0;
	ssize_t n;

	CU_ASSERT_EQUAL_FATAL(e4_create(volume.root, "filler", 6, &what, &filler), 0);
	while ((n = e4_write(filler, data, sizeof(data), off, 0)) > 0)
		off += (uint64_t)n;
	CU_ASSERT_EQUAL(n, -ENOSPC);
	e4_iput(filler);
}

static void test_no_space(void)
{
	begin("-b 1024 -I 256 -m 0 -O inline_data");
	for (unsigned i = 0; i < 7; i++)
		CU_ASSERT_EQUAL(create(i), 0);
	fill_volume();
	CU_ASSERT_EQUAL(create(7), -ENOSPC);
	CU_ASSERT(dir_is_inline(dir));
	CU_ASSERT_EQUAL(volume_ino(dir, "name7"), -ENOENT);
	CU_ASSERT(volume_ino(dir, "name6") > 0);
	/* new folders need no block */
	CU_ASSERT_EQUAL(volume_create(volume.root, "e", S_IFDIR | 0755), 0);
	CU_ASSERT_EQUAL(volume_unlink(dir, "name0"), 0);
	CU_ASSERT_EQUAL(create(7), 0);
	CU_ASSERT_EQUAL(volume_rmdir(volume.root, "e"), 0);
	judge();
	CU_ASSERT_EQUAL(volume_unlink(volume.root, "filler"), 0);
	CU_ASSERT_EQUAL(create(8), 0);
	CU_ASSERT_FALSE(dir_is_inline(dir));
	finish();
}

static void test_nothing_lost(void)
{
	struct e4_statfs before, after;

	begin("-b 1024 -I 256 -O inline_data");
	CU_ASSERT_EQUAL(e4_sync(volume.fs), 0);
	e4_statfs(volume.fs, &before);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 3 + round * 10; i++)
			CU_ASSERT_EQUAL(create(i), 0);
		for (unsigned i = 0; i < 3 + round * 10; i++) {
			char name[16];

			snprintf(name, sizeof(name), "name%u", i);
			CU_ASSERT_EQUAL(volume_unlink(dir, name), 0);
		}
		e4_iput(dir);
		CU_ASSERT_EQUAL(volume_rmdir(volume.root, "d"), 0);
		CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "d", &dir), 0);
	}
	CU_ASSERT_EQUAL(e4_sync(volume.fs), 0);
	e4_statfs(volume.fs, &after);
	CU_ASSERT_EQUAL(after.blocks_free, before.blocks_free);
	CU_ASSERT_EQUAL(after.inodes_free, before.inodes_free);
	finish();
}

/* ---- damage ---- */

enum { I_BLOCK = 0x28, VALUE = 256 - 68 };

struct damage {
	const char *what;
	size_t at; /* in the record */
	uint8_t bytes[4];
	unsigned len;
};

/* Of a directory with seven names, 16 bytes each; four of them are in the value. */
static const struct damage damages[] = {
	{"a length of zero", I_BLOCK + 4 + 4, {0, 0}, 2},
	{"a length that is not aligned", I_BLOCK + 4 + 4, {17, 0}, 2},
	{"a length over the end of i_block", I_BLOCK + 4 + 4, {60, 0}, 2},
	{"a length of 64 KiB", I_BLOCK + 4 + 4, {0xfc, 0xff}, 2},
	{"a name longer than its entry", I_BLOCK + 4 + 6, {40}, 1},
	{"no name", I_BLOCK + 4 + 6, {0}, 1},
	{"a slash", I_BLOCK + 4 + 9, {'/'}, 1},
	{"a NUL", I_BLOCK + 4 + 9, {0}, 1},
	{"an inode number out of range", I_BLOCK + 4, {0xff, 0xff, 0xff, 0x7f}, 4},
	{"a length over the end of the value", VALUE + 4, {72, 0}, 2},
	{"a last length too short", VALUE + 48 + 4, {12, 0}, 2},
	{"a value of eight bytes", 128 + 32 + 4 + 8, {8, 0}, 2},
	{"no attributes", 128 + 32, {0}, 4},
};

static bool list_nothing(void *ctx, const struct e4_dirent *entry)
{
	(void)ctx;
	(void)entry;
	return false;
}

static void check_damaged(const struct damage *damage)
{
	int64_t found;

	CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "d", 1, &dir), 0);
	found = create(20);
	if (found != -EUCLEAN)
		printf("# %s: %lld\n", damage->what, (long long)found);
	CU_ASSERT_EQUAL(found, -EUCLEAN);
	CU_ASSERT_EQUAL(volume_ino(dir, "name5"), -EUCLEAN);
	CU_ASSERT_EQUAL(volume_ino(dir, ".."), -EUCLEAN);
	CU_ASSERT_EQUAL(e4_readdir(dir, 0, list_nothing, NULL), -EUCLEAN);
	CU_ASSERT_EQUAL(volume_unlink(dir, "name5"), -EUCLEAN);
	CU_ASSERT_EQUAL(volume_rmdir(volume.root, "d"), -EUCLEAN);
	CU_ASSERT_EQUAL(volume.errors, 1);
	e4_iput(dir);
	CU_ASSERT_EQUAL(volume_unmount(&volume), -EUCLEAN);
}

static void test_damage(void)
{
	uint8_t *good = malloc(16 * MIB);
	uint32_t offset;
	struct buf *buf;

	begin("-b 1024 -I 256 -O inline_data,^metadata_csum,^metadata_csum_seed");
	for (unsigned i = 0; i < 7; i++)
		CU_ASSERT_EQUAL(create(i), 0);
	CU_ASSERT_EQUAL(attr_of(dir).size, 128);
	CU_ASSERT_EQUAL_FATAL(ialloc_table_block(dir->fs, e4_ino(dir), &buf, &offset), 0);

	uint64_t at = buf->block * 1024 + offset;

	buf_put(buf);
	e4_iput(dir);
	CU_ASSERT_EQUAL_FATAL(volume_unmount(&volume), 0);
	memcpy(good, memdev_data(volume.dev), 16 * MIB);
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		uint8_t *data = memdev_data(volume.dev);

		memcpy(data, good, 16 * MIB);
		memcpy(data + at + damages[i].at, damages[i].bytes, damages[i].len);
		check_damaged(&damages[i]);
	}
	memcpy(memdev_data(volume.dev), good, 16 * MIB);
	CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "d", 1, &dir), 0);
	finish();
	free(good);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_rules), UNIT(test_long_name), UNIT(test_full_inode),
		UNIT(test_moves), UNIT(test_no_space), UNIT(test_nothing_lost), UNIT(test_damage));
}
