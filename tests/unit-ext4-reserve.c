/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* On a volume that is full but for what is reserved for root, who may use that gets a block for whatever
 * needs one, and nobody else does. (Data: unit-ext4-fallocate, unit-ext4-file.) */
#include <errno.h>

#include "tests/dev/volume.h"
#include "tests/unit.h"

enum { MIB = 1 << 20 };

static const char long_target[] =
	"a/target/that/does/not/fit/into/the/sixty/bytes/which/inodes/have/for/those/of/links";
static const char *const access_acl = "system.posix_acl_access", *const default_acl = "system.posix_acl_default";

static struct volume volume;
static struct e4_inode *folder, *file, *filler;

static void open_file(const char *name, struct e4_inode **ret_inode)
{
	CU_ASSERT_EQUAL_FATAL(volume_create(volume.root, name, S_IFREG | 0644), 0);
	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, name, strlen(name), ret_inode), 0);
}

static void setup(const char *options)
{
	CU_ASSERT_EQUAL_FATAL(volume_make(&volume, 16 * MIB, options, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "folder", &folder), 0);
	open_file("file", &file);
	open_file("filler", &filler);
}

static void fill(void)
{
	static uint8_t zeroes[64 << 10];
	struct e4_statfs st;
	uint64_t off = 0;
	ssize_t n;

	while ((n = e4_write(filler, zeroes, sizeof(zeroes), off, 0)) > 0)
		off += (uint64_t)n;
	CU_ASSERT_EQUAL(n, -ENOSPC);
	e4_statfs(volume.fs, &st);
	CU_ASSERT_EQUAL(st.blocks_avail, 0);
	CU_ASSERT(st.blocks_free > 1000);
}

static void teardown(void)
{
	e4_iput(folder);
	e4_iput(file);
	e4_iput(filler);
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	CU_ASSERT_EQUAL(volume.errors, 0);
	volume_close(&volume);
}

static int create(struct e4_inode *dir, const char *name, uint32_t mode, bool use_reserve)
{
	struct e4_create what = {.mode = mode, .symlink_target = long_target, .use_reserve = use_reserve};
	struct e4_inode *inode;
	int r = e4_create(dir, name, strlen(name), &what, &inode);

	if (r == 0)
		e4_iput(inode);
	return r;
}

/* Names until there is one for which the folder needs another block: that one. */
static void fill_folder(char *name, size_t size)
{
	static unsigned count;
	int r;

	do {
		snprintf(name, size, "%0200u", count++);
		r = create(folder, name, S_IFREG | 0600, false);
	} while (r == 0);
	CU_ASSERT_EQUAL_FATAL(r, -ENOSPC);
}

static void make_all(const char *options)
{
	char name[E4_NAME_MAX + 1];
	struct e4_inode *gone;

	setup(options);
	fill();
	CU_ASSERT_EQUAL(create(volume.root, "a", S_IFDIR | 0755, false), -ENOSPC);
	CU_ASSERT_EQUAL(create(volume.root, "a", S_IFDIR | 0755, true), 0);
	CU_ASSERT_EQUAL(create(volume.root, "b", S_IFLNK | 0777, false), -ENOSPC);
	CU_ASSERT_EQUAL(create(volume.root, "b", S_IFLNK | 0777, true), 0);
	fill_folder(name, sizeof(name));
	CU_ASSERT_EQUAL(create(folder, name, S_IFREG | 0600, true), 0);
	fill_folder(name, sizeof(name));
	CU_ASSERT_EQUAL(e4_link(file, folder, name, strlen(name), false), -ENOSPC);
	CU_ASSERT_EQUAL(e4_link(file, folder, name, strlen(name), true), 0);
	fill_folder(name, sizeof(name));
	CU_ASSERT_EQUAL(volume_rename(volume.root, "file", folder, name, 0), -ENOSPC);
	CU_ASSERT_EQUAL(volume_ino(volume.root, "file"), e4_ino(file));
	CU_ASSERT_EQUAL_FATAL(e4_rename(volume.root, "a", 1, folder, name, strlen(name),
				      E4_RENAME_USE_RESERVE, &gone), 0);
	CU_ASSERT_PTR_NULL(gone);
	/* What frees, or moves within what there is, asks for nothing. */
	CU_ASSERT_EQUAL(volume_rmdir(folder, name), 0);
	CU_ASSERT_EQUAL(volume_rename(volume.root, "b", volume.root, "x", 0), 0);
	teardown();
}

static void test_names(void)
{
	make_all("-b 1024 -m 20 -N 4096");
	make_all("-b 1024 -m 20 -N 4096 -O ^extent,^64bit,^dir_index,^metadata_csum");
}

/* Space for the ACLs that something new inherits, and for attributes that are no longer shared. */
static void test_attributes(void)
{
	/* Version 2; owner rwx, user 7 r--, group r-x, mask r-x, others --- (acl(5), linux/posix_acl_xattr.h). */
	static const uint8_t acl[] = {2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 4, 0, 7, 0, 0, 0,
		4, 0, 5, 0, 255, 255, 255, 255, 16, 0, 5, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255};
	struct e4_create what = {.mode = S_IFREG | 0666};
	struct e4_inode *inode;

	setup("-q -b 1024 -m 20 -I 128");
	CU_ASSERT_EQUAL_FATAL(e4_setxattr(folder, default_acl, acl, sizeof(acl), 0), 0);
	for (unsigned i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(e4_setxattr(i ? file : filler, "user.a", "1", 1, 0), 0);
		CU_ASSERT_EQUAL(e4_setxattr(i ? file : filler, "user.b", "2", 1, 0), 0);
	}
	fill();
	CU_ASSERT_EQUAL(create(folder, "f", S_IFREG | 0666, false), -ENOSPC);
	CU_ASSERT_EQUAL(e4_tmpfile(folder, &what, &inode), -ENOSPC);
	what.use_reserve = true;
	CU_ASSERT_EQUAL_FATAL(e4_tmpfile(folder, &what, &inode), 0);
	CU_ASSERT(e4_getxattr(inode, access_acl, NULL, 0) > 0);
	/* Now there is a block to share. */
	CU_ASSERT_EQUAL(create(folder, "f", S_IFREG | 0666, false), 0);
	e4_iput(inode);
	CU_ASSERT_EQUAL(e4_removexattr(file, "user.a", 0), -ENOSPC);
	CU_ASSERT_EQUAL(e4_getxattr(file, "user.a", NULL, 0), 1);
	CU_ASSERT_EQUAL(e4_removexattr(file, "user.a", E4_XATTR_USE_RESERVE), 0);
	CU_ASSERT_EQUAL(e4_removexattr(filler, "user.b", 0), 0);
	CU_ASSERT_EQUAL(e4_getxattr(filler, "user.a", NULL, 0), 1);
	CU_ASSERT_EQUAL(e4_getxattr(file, "user.b", NULL, 0), 1);
	teardown();
}

int main(void)
{
	return UNIT_RUN(UNIT(test_names), UNIT(test_attributes));
}
