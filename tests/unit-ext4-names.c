/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What operations on names do and refuse: results, link counts, times, the shape of the tree; and
 * many threads at once. */
#include <errno.h>
#include <pthread.h>
#include <sys/sysmacros.h>

#include "ext4/dir.h"
#include "tests/dev/image.h"
#include "tests/dev/volume.h"
#include "tests/unit.h"

enum { MIB = 1 << 20 };

static struct volume volume;
static struct e4_inode *a, *b; /* two directories in the root */

static void setup(void)
{
	CU_ASSERT_EQUAL_FATAL(volume_make(&volume, 32 * MIB, "-b 1024 -N 4096", NULL), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "a", &a), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "b", &b), 0);
}

static void drop_dirs(void)
{
	e4_iput(a);
	e4_iput(b);
}

/* What is left must be sound. */
static void teardown(void)
{
	drop_dirs();
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	volume_close(&volume);
}

static int make_file(struct e4_inode *dir, const char *name)
{
	return volume_create(dir, name, S_IFREG | 0644);
}

static struct e4_inode *get(struct e4_inode *dir, const char *name)
{
	struct e4_inode *inode = NULL;

	CU_ASSERT_EQUAL_FATAL(e4_lookup(dir, name, strlen(name), &inode), 0);
	return inode;
}

static int64_t parent_of(struct e4_inode *dir)
{
	return volume_ino(dir, "..");
}

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

static void test_rename_marked(void)
{
	const struct e4_create what = {.mode = S_IFCHR, .uid = 7};
	struct e4_inode *mark, *dir, *gone = NULL;
	struct e4_attr attr;

	setup();
	CU_ASSERT_EQUAL(make_file(a, "from"), 0);
	CU_ASSERT_EQUAL(make_file(b, "to"), 0);
	CU_ASSERT_EQUAL_FATAL(e4_tmpfile(a, &what, &mark), 0);
	CU_ASSERT_EQUAL(e4_rename_marked(a, "from", 4, b, "to", 2, RENAME_EXCHANGE, mark, &gone),
		-EINVAL);
	CU_ASSERT_EQUAL(e4_rename_marked(a, "from", 4, b, "to", 2, RENAME_NOREPLACE, mark, &gone),
		-EEXIST);
	CU_ASSERT_EQUAL(volume_nlink(mark), 0);
	CU_ASSERT_EQUAL(e4_rename_marked(a, "from", 4, b, "to", 2, 0, mark, &gone), 0);
	e4_iput(gone);
	CU_ASSERT_EQUAL(volume_ino(a, "from"), e4_ino(mark));
	CU_ASSERT_EQUAL(volume_nlink(mark), 1);
	e4_getattr(mark, &attr);
	CU_ASSERT_EQUAL(attr.mode, S_IFCHR);
	CU_ASSERT_EQUAL(attr.uid, 7);
	e4_iput(mark);

	/* a folder leaves one behind, in place and across: its parent loses a link only across */
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(a, "dir", &dir), 0);
	e4_iput(dir);
	CU_ASSERT_EQUAL_FATAL(e4_tmpfile(a, &what, &mark), 0);
	CU_ASSERT_EQUAL(e4_rename_marked(a, "dir", 3, a, "dir2", 4, 0, mark, &gone), 0);
	CU_ASSERT_PTR_NULL(gone);
	CU_ASSERT_EQUAL(volume_nlink(a), 3);
	e4_iput(mark);
	CU_ASSERT_EQUAL_FATAL(e4_tmpfile(a, &what, &mark), 0);
	CU_ASSERT_EQUAL(e4_rename_marked(a, "dir2", 4, b, "dir", 3, 0, mark, &gone), 0);
	CU_ASSERT_EQUAL(volume_nlink(a), 2);
	CU_ASSERT_EQUAL(volume_nlink(b), 3);
	CU_ASSERT_EQUAL(volume_ino(a, "dir2"), e4_ino(mark));
	e4_iput(mark);
	teardown();
}

static void test_replace(void)
{
	struct e4_inode *from, *to, *gone = NULL;

	setup();
	CU_ASSERT_EQUAL(make_file(a, "from"), 0);
	CU_ASSERT_EQUAL(make_file(b, "to"), 0);
	from = get(a, "from");
	to = get(b, "to");
	CU_ASSERT_EQUAL(e4_rename(a, "from", 4, b, "to", 2, 0, &gone), 0);
	CU_ASSERT_PTR_EQUAL(gone, to);
	CU_ASSERT_EQUAL(volume_nlink(gone), 0);
	CU_ASSERT_EQUAL(volume_ino(b, "to"), e4_ino(from));
	CU_ASSERT_EQUAL(volume_ino(a, "from"), -ENOENT);
	e4_iput(gone);
	e4_iput(to);
	e4_iput(from);

	/* directories: over an empty one, link counts of both parents */
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(a, "dir", &from), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(b, "dir", &to), 0);
	CU_ASSERT_EQUAL(make_file(from, "inside"), 0);
	gone = NULL;
	CU_ASSERT_EQUAL(e4_rename(a, "dir", 3, b, "dir", 3, 0, &gone), 0);
	CU_ASSERT_PTR_EQUAL(gone, to);
	CU_ASSERT_EQUAL(make_file(to, "x"), -ENOENT);
	CU_ASSERT_EQUAL(volume_nlink(a), 2);
	CU_ASSERT_EQUAL(volume_nlink(b), 3);
	CU_ASSERT_EQUAL(parent_of(from), e4_ino(b));
	CU_ASSERT(volume_ino(from, "inside") > 0);
	e4_iput(gone);
	e4_iput(to);
	e4_iput(from);

	/* within one directory */
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(b, "empty", &to), 0);
	e4_iput(to);
	CU_ASSERT_EQUAL(volume_nlink(b), 4);
	CU_ASSERT_EQUAL(volume_rename(b, "dir", b, "empty", 0), 0);
	CU_ASSERT_EQUAL(volume_nlink(b), 3);
	teardown();
}

static void test_move_directory(void)
{
	struct e4_inode *sub;

	setup();
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(a, "sub", &sub), 0);
	CU_ASSERT_EQUAL(volume_rename(a, "sub", b, "moved", 0), 0);
	CU_ASSERT_EQUAL(volume_nlink(a), 2);
	CU_ASSERT_EQUAL(volume_nlink(b), 3);
	CU_ASSERT_EQUAL(parent_of(sub), e4_ino(b));
	CU_ASSERT_EQUAL(volume_rename(b, "moved", b, "again", RENAME_NOREPLACE), 0);
	CU_ASSERT_EQUAL(volume_nlink(b), 3);
	e4_iput(sub);
	teardown();
}

static void test_exchange(void)
{
	struct e4_inode *sub, *file, *other;

	setup();
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(a, "x", &sub), 0);
	CU_ASSERT_EQUAL(make_file(b, "y"), 0);
	file = get(b, "y");
	CU_ASSERT_EQUAL(volume_rename(a, "x", b, "y", RENAME_EXCHANGE), 0);
	CU_ASSERT_EQUAL(volume_ino(a, "x"), e4_ino(file));
	CU_ASSERT_EQUAL(volume_ino(b, "y"), e4_ino(sub));
	CU_ASSERT_EQUAL(volume_nlink(a), 2);
	CU_ASSERT_EQUAL(volume_nlink(b), 3);
	CU_ASSERT_EQUAL(parent_of(sub), e4_ino(b));
	CU_ASSERT_EQUAL(volume_rename(a, "x", b, "y", RENAME_EXCHANGE), 0);
	CU_ASSERT_EQUAL(volume_nlink(a), 3);
	CU_ASSERT_EQUAL(volume_nlink(b), 2);

	/* two directories that are not empty; then within one directory */
	CU_ASSERT_EQUAL(make_file(sub, "in"), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(b, "z", &other), 0);
	CU_ASSERT_EQUAL(make_file(other, "in"), 0);
	CU_ASSERT_EQUAL(volume_rename(a, "x", b, "z", RENAME_EXCHANGE), 0);
	CU_ASSERT_EQUAL(parent_of(sub), e4_ino(b));
	CU_ASSERT_EQUAL(parent_of(other), e4_ino(a));
	CU_ASSERT_EQUAL(volume_nlink(a), 3);
	CU_ASSERT_EQUAL(volume_nlink(b), 3);
	CU_ASSERT_EQUAL(volume_rename(b, "y", b, "z", RENAME_EXCHANGE), 0);
	CU_ASSERT_EQUAL(volume_ino(b, "y"), e4_ino(sub));
	CU_ASSERT_EQUAL(volume_ino(b, "z"), e4_ino(file));
	e4_iput(sub);
	e4_iput(other);
	e4_iput(file);
	teardown();
}

static void test_no_loops(void)
{
	struct e4_inode *sub, *deep;

	setup();
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(a, "sub", &sub), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(sub, "deep", &deep), 0);
	CU_ASSERT_EQUAL(volume_rename(volume.root, "a", a, "x", 0), -EINVAL);
	CU_ASSERT_EQUAL(volume_rename(volume.root, "a", deep, "x", 0), -EINVAL);
	CU_ASSERT_EQUAL(volume_rename(volume.root, "a", sub, "deep", 0), -EINVAL);
	CU_ASSERT_EQUAL(volume_rename(a, "sub", deep, "x", 0), -EINVAL);
	CU_ASSERT_EQUAL(volume_rename(sub, "deep", volume.root, "a", 0), -ENOTEMPTY);
	CU_ASSERT_EQUAL(volume_rename(sub, "deep", volume.root, "a", RENAME_EXCHANGE), -EINVAL);
	CU_ASSERT_EQUAL(volume_rename(volume.root, "a", sub, "deep", RENAME_EXCHANGE), -EINVAL);
	/* up and down the tree is fine */
	CU_ASSERT_EQUAL(volume_rename(sub, "deep", volume.root, "up", 0), 0);
	CU_ASSERT_EQUAL(parent_of(deep), E4_ROOT_INO);
	CU_ASSERT_EQUAL(volume_rename(volume.root, "up", sub, "down", 0), 0);
	CU_ASSERT_EQUAL(parent_of(deep), e4_ino(sub));
	CU_ASSERT_EQUAL(volume_rename(volume.root, "b", deep, "b", 0), 0);
	e4_iput(sub);
	e4_iput(deep);
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

/* Points ".." of dir elsewhere, as a drive made to harm may. */
static void set_parent(struct e4_inode *dir, uint32_t ino)
{
	struct buf *buf;

	pthread_rwlock_wrlock(&dir->dir_lock);
	CU_ASSERT_EQUAL_FATAL(dir_block_get(dir, 0, &buf), 0);
	memcpy(buf->data + 12, &(le32){htole32(ino)}, sizeof(le32));
	buf_put(buf);
	pthread_rwlock_unlock(&dir->dir_lock);
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

static void test_hostile_parents(void)
{
	struct e4_inode *sub, *deep;

	for (int i = 0; i < 4; i++) {
		setup();
		CU_ASSERT_EQUAL_FATAL(volume_mkdir(a, "sub", &sub), 0);
		CU_ASSERT_EQUAL_FATAL(volume_mkdir(sub, "deep", &deep), 0);
		CU_ASSERT_EQUAL(make_file(deep, "file"), 0);
		if (i == 0)
			set_parent(a, e4_ino(deep)); /* a loop */
		else if (i == 1)
			set_parent(sub, e4_ino(sub)); /* a short one */
		else
			set_parent(sub, i == 2 ? 8 : UINT32_MAX); /* nothing there */
		CU_ASSERT_EQUAL(volume_rename(deep, "file", b, "file", 0), -EUCLEAN);
		CU_ASSERT(e4_is_read_only(volume.fs));
		e4_iput(sub);
		e4_iput(deep);
		drop_dirs();
		volume_close(&volume);
	}
	/* moved by its name, though it says that it is elsewhere */
	setup();
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(a, "sub", &sub), 0);
	set_parent(sub, E4_ROOT_INO);
	CU_ASSERT_EQUAL(volume_rename(a, "sub", b, "sub", 0), -EUCLEAN);
	CU_ASSERT_EQUAL(volume_ino(b, "sub"), -ENOENT);
	e4_iput(sub);
	drop_dirs();
	volume_close(&volume);
}

/* ---- threads ---- */

#ifdef __SANITIZE_THREAD__
/* Two directories are locked in the order of the tree, and the tree changes (under rename_lock);
 * the sanitizer knows only fixed orders. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "detect_deadlocks=0";
}
#endif

enum {
	THREADS = 6,
	DIRS = 4,
	STEPS = 2500,
};

static int walk(uint64_t *random, struct e4_inode **ret_dir)
{
	struct e4_inode *at = e4_iref(volume.root);
	unsigned depth = volume_random(random, 4);
	char name[16];

	for (unsigned i = 0; i < depth; i++) {
		struct e4_inode *next;

		snprintf(name, sizeof(name), "d%u", volume_random(random, DIRS));
		if (e4_lookup(at, name, strlen(name), &next) < 0)
			break;
		e4_iput(at);
		at = next;
	}
	*ret_dir = at;
	return 0;
}

static bool count_entry(void *ctx, const struct e4_dirent *entry)
{
	unsigned *count = ctx;

	return ++*count == 200;
}

static int torture_step(uint64_t *random, struct e4_inode *from, struct e4_inode *to)
{
	char name[32], other[32];
	unsigned count = 0;
	struct e4_inode *inode;
	int r;

	snprintf(name, sizeof(name), volume_random(random, 2) ? "d%u" : "name%u",
		volume_random(random, DIRS));
	snprintf(other, sizeof(other), volume_random(random, 2) ? "d%u" : "name%u",
		volume_random(random, DIRS));
	switch (volume_random(random, 12)) {
	case 0:
	case 1:
		return make_file(from, name);
	case 2:
	case 3:
		return volume_create(from, name, S_IFDIR | 0755);
	case 4:
		return volume_unlink(from, name);
	case 5:
		return volume_rmdir(from, name);
	case 6:
	case 7:
		return volume_rename(from, name, to, other, 0);
	case 8:
		return volume_rename(from, name, to, other, RENAME_EXCHANGE);
	case 9:
		r = e4_lookup(from, name, strlen(name), &inode);
		if (r == 0) {
			r = e4_link(inode, to, other, strlen(other), false);
			e4_iput(inode);
		}
		return r;
	case 10:
		/* big enough for an index now and then */
		for (unsigned i = 0; i < 30; i++) {
			snprintf(name, sizeof(name), "bulk-%u-with-a-longer-name", i);
			r = volume_random(random, 2) ? make_file(to, name)
						     : volume_unlink(to, name);
		}
		return r;
	default:
		return e4_readdir(from, 0, count_entry, &count);
	}
}

static bool is_expected(int r)
{
	return r == 0 || r == -ENOENT || r == -EEXIST || r == -ENOTEMPTY || r == -EISDIR ||
	       r == -ENOTDIR || r == -EINVAL || r == -EPERM;
}

static void *torture(void *arg)
{
	uint64_t random = (uintptr_t)arg * 0x9e3779b97f4a7c15 | 1;
	uintptr_t unexpected = 0;

	for (unsigned i = 0; i < STEPS; i++) {
		struct e4_inode *from, *to;

		walk(&random, &from);
		walk(&random, &to);
		unexpected += !is_expected(torture_step(&random, from, to));
		e4_iput(from);
		e4_iput(to);
		if (i % 500 == 499)
			unexpected += e4_sync(volume.fs) < 0;
	}
	return (void *)unexpected;
}

/* Directories are moved, exchanged, replaced and removed by all threads in one small tree. */
static void test_threads_tree(void)
{
	pthread_t threads[THREADS];
	void *unexpected;

	setup();
	alarm(500); /* threads that wait for each other never end */
	for (uintptr_t i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(
			pthread_create(&threads[i], NULL, torture, (void *)(i + 1)), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &unexpected);
		CU_ASSERT_PTR_NULL(unexpected);
	}
	alarm(0);
	teardown();
}

static void *create_many(void *arg)
{
	uintptr_t failed = 0;
	char name[32];

	for (unsigned i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "thread%u-%u", (unsigned)(uintptr_t)arg, i);
		failed += make_file(a, name) != 0;
		if (i % 3 == 0)
			failed += volume_unlink(a, name) != 0;
	}
	return (void *)failed;
}

static bool count_stable(void *ctx, const struct e4_dirent *entry)
{
	unsigned *count = ctx;

	*count += entry->name_len > 6 && !memcmp(entry->name, "stable", 6);
	return false;
}

/* Listing and looking up in a directory that grows, by other threads, from one block on. */
static void test_threads_one_directory(void)
{
	pthread_t threads[THREADS];
	char name[32];
	void *failed;

	setup();
	alarm(500);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "stable%u", i);
		CU_ASSERT_EQUAL(make_file(a, name), 0);
	}
	for (uintptr_t i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, create_many, (void *)i), 0);
	for (unsigned i = 0; i < 100; i++) {
		unsigned count = 0;

		CU_ASSERT_EQUAL(e4_readdir(a, 0, count_stable, &count), 0);
		CU_ASSERT_EQUAL(count, 20);
		snprintf(name, sizeof(name), "stable%u", i % 20);
		CU_ASSERT(volume_ino(a, name) > 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &failed);
		CU_ASSERT_PTR_NULL(failed);
	}
	alarm(0);
	teardown();
}

int main(void)
{
	return UNIT_RUN(UNIT(test_types), UNIT(test_bad_names), UNIT(test_wrong_types),
		UNIT(test_removed_directory), UNIT(test_unlink_while_open), UNIT(test_hard_links),
		UNIT(test_tmpfile),
		UNIT(test_rename_marked),
		UNIT(test_replace), UNIT(test_move_directory), UNIT(test_exchange),
		UNIT(test_no_loops), UNIT(test_times), UNIT(test_setgid), UNIT(test_link_limits),
		UNIT(test_immutable), UNIT(test_flags), UNIT(test_generation), UNIT(test_numbers_of_programs),
		UNIT(test_hostile_parents), UNIT(test_threads_tree),
		UNIT(test_threads_one_directory));
}
