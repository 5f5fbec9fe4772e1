/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Renaming: what it replaces and exchanges, the shape of the tree, and parents that a drive made up. */
#include <errno.h>

#include "ext4/dir.h"
#include "tests/ext4-two-dirs.h"

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

int main(void)
{
	return UNIT_RUN(UNIT(test_rename_marked), UNIT(test_replace), UNIT(test_move_directory),
		UNIT(test_exchange), UNIT(test_no_loops), UNIT(test_hostile_parents));
}
