/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What operations on names do and refuse: results, link counts, times. */
#include <errno.h>
#include <pthread.h>
#include <sys/sysmacros.h>

#include "ext4/dir.h"
#include "tests/dev/image.h"
#include "tests/ext4-two-dirs.h"

static void test_types(void)
{
	const struct {
		const char *name;
		uint32_t mode, rdev;
	} types[] = {
		{"file", S_IFREG | 0640, 0},
		{"dir", S_IFDIR | 0711, 0},
		{"link", S_IFLNK | 0777, 0},
		{"fifo", S_IFIFO | 0600, 0},
		{"socket", S_IFSOCK | 0600, 0},
		{"char", S_IFCHR | 0600, makedev(1, 3)},
		{"block", S_IFBLK | 0600, makedev(259, 70000)},
	};

	setup();
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct e4_create what = {
			.mode = types[i].mode,
			.uid = 1000,
			.gid = 70000,
			.rdev = types[i].rdev,
			.symlink_target = "somewhere",
		};
		struct e4_inode *inode;
		struct e4_attr attr;

		CU_ASSERT_EQUAL_FATAL(
			e4_create(a, types[i].name, strlen(types[i].name), &what, &inode), 0);
		e4_iput(inode);
		drop_dirs();
		CU_ASSERT_EQUAL_FATAL(volume_judge(&volume), 0);
		a = get(volume.root, "a");
		b = get(volume.root, "b");
		inode = get(a, types[i].name);
		e4_getattr(inode, &attr);
		CU_ASSERT_EQUAL(attr.mode, types[i].mode);
		CU_ASSERT_EQUAL(attr.rdev, types[i].rdev);
		CU_ASSERT_EQUAL(attr.uid, 1000);
		CU_ASSERT_EQUAL(attr.gid, 70000);
		CU_ASSERT_EQUAL(attr.nlink, S_ISDIR(attr.mode) ? 2 : 1);
		e4_iput(inode);
	}
	CU_ASSERT_EQUAL(volume_create(a, "what", 0644), -EINVAL);
	CU_ASSERT_EQUAL(volume_nlink(a), 3);
	teardown();
}

static void test_bad_names(void)
{
	char longest[257];
	struct e4_inode *inode;
	struct e4_create what = {.mode = S_IFREG | 0644};

	memset(longest, 'x', 256);
	longest[256] = 0;
	setup();
	CU_ASSERT_EQUAL(make_file(a, longest), -ENAMETOOLONG);
	CU_ASSERT_EQUAL(volume_ino(a, longest), -ENAMETOOLONG);
	CU_ASSERT_EQUAL(make_file(a, longest + 1), 0);
	CU_ASSERT_EQUAL(make_file(a, ""), -ENOENT);
	CU_ASSERT_EQUAL(make_file(a, "x/y"), -EINVAL);
	CU_ASSERT_EQUAL(e4_create(a, "x\0y", 3, &what, &inode), -EINVAL);
	CU_ASSERT_EQUAL(make_file(a, "."), -EEXIST);
	CU_ASSERT_EQUAL(make_file(a, ".."), -EEXIST);
	CU_ASSERT_EQUAL(make_file(a, "..."), 0);
	CU_ASSERT_EQUAL(volume_unlink(a, "."), -EISDIR);
	CU_ASSERT_EQUAL(volume_rmdir(a, "."), -EINVAL);
	CU_ASSERT_EQUAL(volume_rmdir(a, ".."), -ENOTEMPTY);
	CU_ASSERT_EQUAL(volume_rename(a, "..", b, "x", 0), -EBUSY);
	CU_ASSERT_EQUAL(volume_rename(a, "...", b, "..", 0), -EBUSY);
	CU_ASSERT_EQUAL(volume_rename(a, "...", b, longest, 0), -ENAMETOOLONG);
	CU_ASSERT_EQUAL(volume_ino(a, "."), e4_ino(a));
	CU_ASSERT_EQUAL(volume_ino(a, ".."), E4_ROOT_INO);
	CU_ASSERT_EQUAL(volume_ino(volume.root, ".."), E4_ROOT_INO);
	teardown();
}

static void test_wrong_types(void)
{
	struct e4_inode *file, *sub;

	setup();
	CU_ASSERT_EQUAL(make_file(a, "file"), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(a, "sub", &sub), 0);
	file = get(a, "file");
	CU_ASSERT_EQUAL(make_file(a, "file"), -EEXIST);
	CU_ASSERT_EQUAL(make_file(a, "sub"), -EEXIST);
	CU_ASSERT_EQUAL(volume_unlink(a, "sub"), -EISDIR);
	CU_ASSERT_EQUAL(volume_rmdir(a, "file"), -ENOTDIR);
	CU_ASSERT_EQUAL(volume_unlink(a, "none"), -ENOENT);
	CU_ASSERT_EQUAL(volume_rmdir(a, "none"), -ENOENT);
	CU_ASSERT_EQUAL(e4_link(sub, a, "new", 3, false), -EPERM);
	CU_ASSERT_EQUAL(e4_link(file, a, "sub", 3, false), -EEXIST);
	CU_ASSERT_EQUAL(make_file(file, "x"), -ENOTDIR);
	CU_ASSERT_EQUAL(volume_ino(file, "x"), -ENOTDIR);
	CU_ASSERT_EQUAL(volume_unlink(file, "x"), -ENOTDIR);
	CU_ASSERT_EQUAL(volume_rename(a, "sub", a, "file", 0), -ENOTDIR);
	CU_ASSERT_EQUAL(volume_rename(a, "file", a, "sub", 0), -EISDIR);
	CU_ASSERT_EQUAL(volume_rename(a, "none", a, "sub", 0), -ENOENT);
	CU_ASSERT_EQUAL(volume_rename(a, "file", a, "sub", RENAME_NOREPLACE), -EEXIST);
	CU_ASSERT_EQUAL(volume_rename(a, "file", b, "none", RENAME_EXCHANGE), -ENOENT);
	CU_ASSERT_EQUAL(
		volume_rename(a, "file", b, "new", RENAME_EXCHANGE | RENAME_NOREPLACE), -EINVAL);
	CU_ASSERT_EQUAL(volume_rename(a, "file", b, "new", 1 << 2), -EINVAL);
	CU_ASSERT_EQUAL(make_file(sub, "in"), 0);
	CU_ASSERT_EQUAL(volume_rmdir(a, "sub"), -ENOTEMPTY);
	CU_ASSERT_EQUAL(volume_rename(volume.root, "b", a, "sub", 0), -ENOTEMPTY);
	e4_iput(file);
	e4_iput(sub);
	teardown();
}

static void test_removed_directory(void)
{
	struct e4_inode *sub, *gone = NULL, *file;
	unsigned count = 0;

	setup();
	CU_ASSERT_EQUAL(make_file(a, "file"), 0);
	file = get(a, "file");
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(a, "sub", &sub), 0);
	CU_ASSERT_EQUAL(volume_nlink(a), 3);
	CU_ASSERT_EQUAL(e4_rmdir(a, "sub", 3, &gone), 0);
	CU_ASSERT_PTR_EQUAL(gone, sub);
	e4_iput(gone);
	CU_ASSERT_EQUAL(volume_nlink(a), 2);
	CU_ASSERT_EQUAL(volume_nlink(sub), 0);
	CU_ASSERT_EQUAL(make_file(sub, "x"), -ENOENT);
	CU_ASSERT_EQUAL(volume_ino(sub, "x"), -ENOENT);
	CU_ASSERT_EQUAL(e4_link(file, sub, "x", 1, false), -ENOENT);
	CU_ASSERT_EQUAL(volume_rename(a, "file", sub, "x", 0), -ENOENT);
	CU_ASSERT_EQUAL(e4_readdir(sub, 0, (e4_readdir_fn)NULL, &count), -ENOENT);
	e4_iput(sub);
	e4_iput(file);
	teardown();
}

static void test_unlink_while_open(void)
{
	struct e4_inode *file, *gone = NULL;
	struct e4_statfs before, open, after;
	char data[5000];

	setup();
	CU_ASSERT_EQUAL(e4_sync(volume.fs), 0);
	e4_statfs(volume.fs, &before);
	CU_ASSERT_EQUAL(make_file(a, "file"), 0);
	file = get(a, "file");
	memset(data, 'd', sizeof(data));
	CU_ASSERT_EQUAL(e4_write(file, data, sizeof(data), 0, 0), (ssize_t)sizeof(data));
	CU_ASSERT_EQUAL(e4_unlink(a, "file", 4, &gone), 0);
	CU_ASSERT_PTR_EQUAL(gone, file);
	e4_iput(gone);
	CU_ASSERT_EQUAL(volume_ino(a, "file"), -ENOENT);
	CU_ASSERT_EQUAL(e4_link(file, a, "again", 5, false), -ENOENT);
	memset(data, 0, sizeof(data));
	CU_ASSERT_EQUAL(e4_read(file, data, sizeof(data), 0), (ssize_t)sizeof(data));
	CU_ASSERT_EQUAL(data[4999], 'd');
	CU_ASSERT_EQUAL(e4_sync(volume.fs), 0);
	e4_statfs(volume.fs, &open);
	CU_ASSERT_EQUAL(open.inodes_free, before.inodes_free - 1);
	e4_iput(file);
	CU_ASSERT_EQUAL(e4_sync(volume.fs), 0);
	e4_statfs(volume.fs, &after);
	CU_ASSERT_EQUAL(after.inodes_free, before.inodes_free);
	CU_ASSERT_EQUAL(after.blocks_free, before.blocks_free);
	teardown();
}

/* Without a name from the beginning: gone with its last reference, or named, once. */
static void test_tmpfile(void)
{
	const struct e4_create what = {.mode = S_IFREG | 0600, .uid = 5, .gid = 6};
	const struct e4_create folder = {.mode = S_IFDIR | 0700};
	struct e4_inode *file = NULL, *gone = NULL;
	struct e4_statfs before, after;
	char data[5000] = "data";

	setup();
	CU_ASSERT_EQUAL(e4_sync(volume.fs), 0);
	e4_statfs(volume.fs, &before);
	CU_ASSERT_EQUAL(e4_tmpfile(a, &folder, &file), -EINVAL);
	CU_ASSERT_EQUAL_FATAL(e4_tmpfile(a, &what, &file), 0);
	CU_ASSERT_EQUAL(volume_nlink(file), 0);
	CU_ASSERT_EQUAL(e4_write(file, data, sizeof(data), 0, 0), (ssize_t)sizeof(data));
	CU_ASSERT_EQUAL(e4_sync(volume.fs), 0);
	e4_statfs(volume.fs, &after);
	CU_ASSERT_EQUAL(after.inodes_free, before.inodes_free - 1);
	e4_iput(file);
	CU_ASSERT_EQUAL(e4_sync(volume.fs), 0);
	e4_statfs(volume.fs, &after);
	CU_ASSERT_EQUAL(after.inodes_free, before.inodes_free);
	CU_ASSERT_EQUAL(after.blocks_free, before.blocks_free);

	CU_ASSERT_EQUAL_FATAL(e4_tmpfile(a, &what, &file), 0);
	CU_ASSERT_EQUAL(e4_link(file, b, "named", 5, false), 0);
	CU_ASSERT_EQUAL(volume_nlink(file), 1);
	CU_ASSERT_EQUAL(volume_ino(b, "named"), e4_ino(file));
	CU_ASSERT_EQUAL(e4_unlink(b, "named", 5, &gone), 0);
	e4_iput(gone);
	CU_ASSERT_EQUAL(e4_link(file, b, "again", 5, false), -ENOENT);
	e4_iput(file);

	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "c", &gone), 0);
	CU_ASSERT_EQUAL(volume_rmdir(volume.root, "c"), 0);
	CU_ASSERT_EQUAL(e4_tmpfile(gone, &what, &file), -EPERM);
	e4_iput(gone);
	teardown();
}

static void test_hard_links(void)
{
	struct e4_inode *file, *gone = (struct e4_inode *)&volume;

	setup();
	CU_ASSERT_EQUAL(make_file(a, "file"), 0);
	file = get(a, "file");
	CU_ASSERT_EQUAL(e4_link(file, b, "other", 5, false), 0);
	CU_ASSERT_EQUAL(volume_nlink(file), 2);
	CU_ASSERT_EQUAL(volume_ino(b, "other"), e4_ino(file));
	/* two names of one inode: nothing happens */
	CU_ASSERT_EQUAL(e4_rename(a, "file", 4, b, "other", 5, 0, &gone), 0);
	CU_ASSERT_PTR_NULL(gone);
	CU_ASSERT_EQUAL(volume_ino(a, "file"), e4_ino(file));
	CU_ASSERT_EQUAL(volume_rename(a, "file", b, "other", RENAME_EXCHANGE), 0);
	CU_ASSERT_EQUAL(volume_rename(a, "file", b, "other", RENAME_NOREPLACE), -EEXIST);
	CU_ASSERT_EQUAL(volume_unlink(a, "file"), 0);
	CU_ASSERT_EQUAL(volume_nlink(file), 1);
	e4_iput(file);
	teardown();
}

static bool later(struct timespec x, struct timespec y)
{
	return x.tv_sec > y.tv_sec || (x.tv_sec == y.tv_sec && x.tv_nsec > y.tv_nsec);
}

/* Until the clock of time stamps has moved on; it ticks a hundred times a second at least. */
static void tick(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

static void test_times(void)
{
	struct e4_inode *file;
	struct e4_attr dir[3], attr[3];

	setup();
	e4_getattr(a, &dir[0]);
	tick();
	CU_ASSERT_EQUAL(make_file(a, "file"), 0);
	e4_getattr(a, &dir[1]);
	CU_ASSERT(later(dir[1].mtime, dir[0].mtime));
	CU_ASSERT(later(dir[1].ctime, dir[0].ctime));
	file = get(a, "file");
	e4_getattr(file, &attr[0]);
	tick();
	CU_ASSERT_EQUAL(e4_link(file, b, "link", 4, false), 0);
	e4_getattr(file, &attr[1]);
	CU_ASSERT(later(attr[1].ctime, attr[0].ctime));
	CU_ASSERT_FALSE(later(attr[1].mtime, attr[0].mtime));
	e4_getattr(a, &dir[2]);
	CU_ASSERT_FALSE(later(dir[2].mtime, dir[1].mtime));
	tick();
	CU_ASSERT_EQUAL(volume_rename(a, "file", b, "file", 0), 0);
	e4_getattr(file, &attr[2]);
	CU_ASSERT(later(attr[2].ctime, attr[1].ctime));
	e4_getattr(a, &dir[2]);
	CU_ASSERT(later(dir[2].mtime, dir[1].mtime));
	tick();
	CU_ASSERT_EQUAL(volume_unlink(b, "link"), 0);
	e4_getattr(file, &attr[0]);
	CU_ASSERT(later(attr[0].ctime, attr[2].ctime));
	e4_iput(file);
	teardown();
}

static void test_setgid(void)
{
	struct e4_attr attr = {.mode = 02775};
	struct e4_inode *sub;

	setup();
	CU_ASSERT_EQUAL(e4_setattr(a, &attr, E4_SET_MODE), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(a, "sub", &sub), 0);
	e4_getattr(sub, &attr);
	CU_ASSERT_EQUAL(attr.mode, S_IFDIR | 02755);
	e4_iput(sub);
	CU_ASSERT_EQUAL(make_file(a, "file"), 0);
	sub = get(a, "file");
	e4_getattr(sub, &attr);
	CU_ASSERT_EQUAL(attr.mode, S_IFREG | 0644);
	e4_iput(sub);
	teardown();
}

static void set_nlink(struct e4_inode *inode, uint32_t nlink)
{
	pthread_rwlock_wrlock(&inode->lock);
	inode->nlink = nlink;
	pthread_rwlock_unlock(&inode->lock);
}

static void test_link_limits(void)
{
	struct e4_inode *file, *sub;
	char name[32];

	setup();
	CU_ASSERT_EQUAL(make_file(a, "file"), 0);
	file = get(a, "file");
	set_nlink(file, 64999);
	CU_ASSERT_EQUAL(e4_link(file, a, "link", 4, false), 0);
	CU_ASSERT_EQUAL(e4_link(file, a, "more", 4, false), -EMLINK);
	CU_ASSERT_EQUAL(volume_ino(a, "more"), -ENOENT);
	set_nlink(file, 2);
	e4_iput(file);

	/* a directory without an index cannot have more; one with an index stops counting */
	set_nlink(b, 65000);
	CU_ASSERT_EQUAL(volume_mkdir(b, "sub", &sub), -EMLINK);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(a, "sub", &sub), 0);
	e4_iput(sub);
	CU_ASSERT_EQUAL(volume_rename(a, "sub", b, "sub", 0), -EMLINK);
	CU_ASSERT_EQUAL(make_file(b, "file"), 0);
	CU_ASSERT_EQUAL(volume_rename(a, "sub", b, "file", RENAME_EXCHANGE), -EMLINK);
	CU_ASSERT_EQUAL(volume_rename(b, "file", a, "sub", RENAME_EXCHANGE), -EMLINK);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "name%u", i);
		CU_ASSERT_EQUAL(make_file(b, name), 0);
	}
	CU_ASSERT_EQUAL(volume_rename(a, "sub", b, "sub", 0), 0);
	CU_ASSERT_EQUAL(volume_nlink(b), 1);
	CU_ASSERT_EQUAL(volume_mkdir(b, "sub2", &sub), 0);
	e4_iput(sub);
	CU_ASSERT_EQUAL(volume_rmdir(b, "sub2"), 0);
	CU_ASSERT_EQUAL(volume_nlink(b), 1);
	set_nlink(b, 3);
	CU_ASSERT_EQUAL(make_file(b, "stored"), 0);
	CU_ASSERT_EQUAL(make_file(a, "stored"), 0);
	file = get(a, "file");
	CU_ASSERT_EQUAL(e4_setattr(file, &(struct e4_attr){.mode = 0600}, E4_SET_MODE), 0);
	e4_iput(file);
	teardown();
}

/* Numbers that programs ask for, of which the drive knows nothing: junk in a table that was never
 * written is not a damaged drive. */
static void test_numbers_of_programs(void)
{
	static const uint32_t never[] = {0, 1, 3, 7, 8, 10, 2049, UINT32_MAX};
	struct e4_inode *inode;

	volume = (struct volume){0};
	CU_ASSERT_EQUAL_FATAL(image_make_over_junk(16 * MIB, "-b 1024 -N 2048", &volume.dev), 0);
	volume.top = volume.dev;
	CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		CU_ASSERT_EQUAL(e4_iget_handle(volume.fs, never[i], &inode), -ENOENT);
	for (uint32_t ino = 12; ino <= 2048; ino++)
		CU_ASSERT_EQUAL(e4_iget_handle(volume.fs, ino, &inode), -ENOENT);
	CU_ASSERT_EQUAL_FATAL(e4_iget_handle(volume.fs, E4_ROOT_INO, &inode), 0);
	e4_iput(inode);
	CU_ASSERT_EQUAL(volume.errors, 0);
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	volume_close(&volume);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_types), UNIT(test_bad_names), UNIT(test_wrong_types),
		UNIT(test_removed_directory), UNIT(test_unlink_while_open), UNIT(test_tmpfile),
		UNIT(test_hard_links), UNIT(test_times), UNIT(test_setgid), UNIT(test_link_limits),
		UNIT(test_numbers_of_programs));
}
