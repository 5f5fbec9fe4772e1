/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rename(2), renameat(2), renameat2(2). */
#include "tests/posix/posix.h"

#ifndef RENAME_WHITEOUT
#define RENAME_WHITEOUT (1 << 2)
#endif

CASE(rename, file, 0, "a file: same inode under the new name, nothing under the old")
{
	struct stat before;

	write_file("old", "text");
	before = stat_of("old");
	OK(rename("old", "new"));
	HOLDS(!exists("old"));
	SAME(stat_of("new").st_ino, before.st_ino);
	SAME(stat_of("new").st_nlink, 1);
	HOLDS(file_is("new", "text"));
}

CASE(rename, over_file, 0, "over a file: it is replaced; who has it open keeps it")
{
	struct stat st;
	char text[10];
	int fd;

	write_file("old", "old");
	write_file("new", "replaced");
	OK(link("new", "new-link"));
	fd = open_ok("new", O_RDONLY);
	OK(rename("old", "new"));
	HOLDS(file_is("new", "old"));
	SAME(strcmp(names_in("."), "new new-link "), 0);
	OK(fstat(fd, &st));
	SAME(st.st_nlink, 1);
	SAME(read(fd, text, sizeof(text)), 8);
	HOLDS(file_is("new-link", "replaced"));
}

CASE(rename, same_inode, 0, "between two names of one file: nothing happens")
{
	make_file("one");
	OK(link("one", "two"));
	OK(rename("one", "two"));
	OK(rename("one", "one"));
	SAME(strcmp(names_in("."), "one two "), 0);
	SAME(stat_of("one").st_nlink, 2);
}

CASE(rename, types, 0, "file over folder: EISDIR; folder over file: ENOTDIR")
{
	make_file("file");
	OK(mkdir("folder", 0755));
	OK(symlink("folder", "link"));
	OK(mkfifo("fifo", 0644));
	FAILS(EISDIR, rename("file", "folder"));
	FAILS(ENOTDIR, rename("folder", "file"));
	FAILS(ENOTDIR, rename("folder", "link"));
	FAILS(ENOTDIR, rename("folder", "fifo"));
	FAILS(EISDIR, rename("fifo", "folder"));
	FAILS(EISDIR, rename("link", "folder"));
	OK(rename("file", "link"));
	OK(rename("fifo", "link"));
	HOLDS(S_ISFIFO(stat_of("link").st_mode));
}

CASE(rename, over_empty_folder, 0, "a folder over an empty one replaces it")
{
	nlink_t links = stat_of(".").st_nlink;
	struct stat before;

	OK(mkdir("old", 0755));
	make_file("old/file");
	OK(mkdir("new", 0700));
	before = stat_of("old");
	OK(rename("old", "new"));
	SAME(stat_of("new").st_ino, before.st_ino);
	SAME(strcmp(names_in("new"), "file "), 0);
	SAME(stat_of(".").st_nlink, links + 1);
}

CASE(rename, over_full_folder, 0, "a folder over a full one: ENOTEMPTY")
{
	OK(mkdir("old", 0755));
	OK(mkdir("new", 0755));
	make_file("new/file");
	FAILS(ENOTEMPTY, rename("old", "new"));
	HOLDS(exists("old"));
	HOLDS(exists("new/file"));
}

CASE(rename, below_itself, 0, "a folder below itself: EINVAL; over one above it: ENOTEMPTY")
{
	OK(mkdir("one", 0755));
	OK(mkdir("one/two", 0755));
	OK(mkdir("one/two/three", 0755));
	FAILS(EINVAL, rename("one", "one/new"));
	FAILS(EINVAL, rename("one", "one/two"));
	FAILS(EINVAL, rename("one", "one/two/three/new"));
	FAILS(ENOTEMPTY, rename("one/two/three", "one"));
	FAILS(ENOTEMPTY, rename("one/two", "one"));
	HOLDS(exists("one/two/three"));
}

CASE(rename, dots, 0, "'.' and '..' cannot be renamed, nor replaced: EBUSY")
{
	OK(mkdir("folder", 0755));
	OK(mkdir("folder/sub", 0755));
	FAILS(EBUSY, rename(".", "x"));
	FAILS(EBUSY, rename("folder/.", "x"));
	FAILS(EBUSY, rename("folder/..", "x"));
	FAILS(EBUSY, rename("folder", "folder/sub/."));
	FAILS(EBUSY, rename("folder", "folder/.."));
}

CASE(rename, parent_moves, 0, "a folder in another parent: '..' and link counts follow")
{
	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	OK(mkdir("a/sub", 0755));
	make_file("a/sub/file");
	OK(rename("a/sub", "b/moved"));
	SAME(stat_of("a").st_nlink, 2);
	SAME(stat_of("b").st_nlink, 3);
	SAME(stat_of("b/moved/..").st_ino, stat_of("b").st_ino);
	HOLDS(exists("b/moved/file"));
	SAME(strcmp(names_in("a"), ""), 0);
}

CASE(rename, over_folder_elsewhere, 0, "over an empty folder in another parent: counts stay right")
{
	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	OK(mkdir("a/sub", 0755));
	OK(mkdir("b/sub", 0755));
	OK(rename("a/sub", "b/sub"));
	SAME(stat_of("a").st_nlink, 2);
	SAME(stat_of("b").st_nlink, 3);
	SAME(stat_of("b/sub").st_nlink, 2);
}

CASE(rename, open_folder, 0, "an open folder keeps its identity over a rename")
{
	int fd;

	OK(mkdir("old", 0755));
	fd = open_ok("old", O_RDONLY);
	OK(mkdir("up", 0755));
	OK(rename("old", "up/new"));
	OK(close((int)OK(openat(fd, "file", O_WRONLY | O_CREAT, 0644))));
	HOLDS(exists("up/new/file"));
	OK(close((int)OK(openat(fd, "../in-up", O_WRONLY | O_CREAT, 0644))));
	HOLDS(exists("up/in-up"));
}

CASE(rename, replaced_open_folder, 0, "a replaced folder that is open: gone, nothing made in it")
{
	struct stat st;
	int fd;

	OK(mkdir("old", 0755));
	OK(mkdir("new", 0755));
	fd = open_ok("new", O_RDONLY);
	OK(rename("old", "new"));
	OK(fstat(fd, &st));
	SAME(st.st_nlink, 0);
	FAILS(ENOENT, openat(fd, "x", O_WRONLY | O_CREAT, 0644));
	SAME(strcmp(names_in("new"), ""), 0);
}

CASE(rename, symlink_itself, 0, "a link itself is renamed, and itself replaced")
{
	make_file("file");
	OK(symlink("file", "link"));
	OK(rename("link", "link-2"));
	HOLDS(S_ISLNK(stat_of("link-2").st_mode));
	make_file("other");
	OK(rename("other", "link-2"));
	HOLDS(S_ISREG(stat_of("link-2").st_mode));
	HOLDS(exists("file"));
}

CASE(rename, slashes, 0, "slashes behind: fine for folders, ENOTDIR for files")
{
	make_file("file");
	OK(mkdir("folder", 0755));
	FAILS(ENOTDIR, rename("file/", "new"));
	FAILS(ENOTDIR, rename("file", "new/"));
	OK(rename("folder/", "new/"));
	OK(rename("new//", "newer"));
	HOLDS(exists("newer"));
	HOLDS(exists("file"));
}

CASE(rename, across, NEEDS_OTHER, "to another file system: EXDEV")
{
	char *path;

	make_file("file");
	OK(mkdir("folder", 0755));
	OK(asprintf(&path, "%s/renamed", other_dir));
	FAILS(EXDEV, rename("file", path));
	FAILS(EXDEV, rename("folder", path));
}

CASE(rename, into_removed, 0, "into a removed folder: ENOENT, nothing is lost")
{
	int fd;

	make_file("file");
	OK(mkdir("folder", 0755));
	fd = open_ok("folder", O_RDONLY);
	OK(rmdir("folder"));
	FAILS(ENOENT, renameat(AT_FDCWD, "file", fd, "file"));
	HOLDS(exists("file"));
}

CASE(rename, at, 0, "renameat: EBADF, ENOTDIR; relative to folders")
{
	int from, to, file;

	OK(mkdir("from", 0755));
	OK(mkdir("to", 0755));
	make_file("from/file");
	make_file("file");
	from = open_ok("from", O_RDONLY);
	to = open_ok("to", O_RDONLY);
	file = open_ok("file", O_RDONLY);
	FAILS(EBADF, renameat(-5, "file", to, "x"));
	FAILS(EBADF, renameat(from, "file", -5, "x"));
	FAILS(ENOTDIR, renameat(file, "file", to, "x"));
	FAILS(ENOTDIR, renameat(from, "file", file, "x"));
	OK(renameat(from, "file", to, "x"));
	HOLDS(exists("to/x"));
}

CASE(rename, noreplace, 0, "RENAME_NOREPLACE: EEXIST when the name is taken, whatever by")
{
	make_file("file");
	make_file("taken");
	OK(mkdir("folder", 0755));
	OK(symlink("nowhere", "dangling"));
	FAILS(EEXIST, renameat2(AT_FDCWD, "file", AT_FDCWD, "taken", RENAME_NOREPLACE));
	FAILS(EEXIST, renameat2(AT_FDCWD, "file", AT_FDCWD, "folder", RENAME_NOREPLACE));
	FAILS(EEXIST, renameat2(AT_FDCWD, "file", AT_FDCWD, "dangling", RENAME_NOREPLACE));
	FAILS(EEXIST, renameat2(AT_FDCWD, "file", AT_FDCWD, "file", RENAME_NOREPLACE));
	FAILS(EEXIST, renameat2(AT_FDCWD, "folder", AT_FDCWD, "folder/..", RENAME_NOREPLACE));
	OK(renameat2(AT_FDCWD, "file", AT_FDCWD, "new", RENAME_NOREPLACE));
	OK(renameat2(AT_FDCWD, "folder", AT_FDCWD, "new-folder", RENAME_NOREPLACE));
	SAME(strcmp(names_in("."), "dangling new new-folder taken "), 0);
}

CASE(rename, exchange_files, 0, "RENAME_EXCHANGE swaps two files, and any two types")
{
	write_file("a", "a");
	write_file("b", "b");
	OK(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
	HOLDS(file_is("a", "b"));
	HOLDS(file_is("b", "a"));
	OK(symlink("nowhere", "link"));
	OK(mkfifo("fifo", 0644));
	OK(renameat2(AT_FDCWD, "a", AT_FDCWD, "link", RENAME_EXCHANGE));
	OK(renameat2(AT_FDCWD, "b", AT_FDCWD, "fifo", RENAME_EXCHANGE));
	HOLDS(S_ISLNK(stat_of("a").st_mode));
	HOLDS(S_ISFIFO(stat_of("b").st_mode));
	HOLDS(file_is("link", "b"));
}

CASE(rename, exchange_folders, 0, "RENAME_EXCHANGE of folders and files in two parents: '..', counts")
{
	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	OK(mkdir("a/dir", 0755));
	make_file("a/dir/in-a");
	make_file("b/file");
	OK(renameat2(AT_FDCWD, "a/dir", AT_FDCWD, "b/file", RENAME_EXCHANGE));
	SAME(stat_of("a").st_nlink, 2);
	SAME(stat_of("b").st_nlink, 3);
	HOLDS(S_ISREG(stat_of("a/dir").st_mode));
	SAME(stat_of("b/file/..").st_ino, stat_of("b").st_ino);
	OK(mkdir("a/other", 0755));
	OK(renameat2(AT_FDCWD, "a/other", AT_FDCWD, "b/file", RENAME_EXCHANGE));
	SAME(stat_of("a").st_nlink, 3);
	SAME(stat_of("b").st_nlink, 3);
	HOLDS(exists("a/other/in-a"));
	SAME(stat_of("a/other/..").st_ino, stat_of("a").st_ino);
}

CASE(rename, exchange_full_folders, 0, "RENAME_EXCHANGE of two full folders")
{
	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	make_file("a/in-a");
	make_file("b/in-b");
	OK(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
	HOLDS(exists("a/in-b"));
	HOLDS(exists("b/in-a"));
}

CASE(rename, exchange_errors, 0, "RENAME_EXCHANGE: ENOENT without a partner, EINVAL below itself")
{
	OK(mkdir("one", 0755));
	OK(mkdir("one/two", 0755));
	make_file("file");
	FAILS(ENOENT, renameat2(AT_FDCWD, "file", AT_FDCWD, "missing", RENAME_EXCHANGE));
	FAILS(ENOENT, renameat2(AT_FDCWD, "missing", AT_FDCWD, "file", RENAME_EXCHANGE));
	FAILS(EINVAL, renameat2(AT_FDCWD, "one", AT_FDCWD, "one/two", RENAME_EXCHANGE));
	FAILS(EINVAL, renameat2(AT_FDCWD, "one/two", AT_FDCWD, "one", RENAME_EXCHANGE));
	FAILS(ENOTDIR, renameat2(AT_FDCWD, "file/", AT_FDCWD, "one", RENAME_EXCHANGE));
	OK(renameat2(AT_FDCWD, "file", AT_FDCWD, "file", RENAME_EXCHANGE));
}

CASE(rename, bad_flags, 0, "renameat2: contradicting and unknown flags: EINVAL")
{
	make_file("file");
	FAILS(EINVAL, renameat2(AT_FDCWD, "file", AT_FDCWD, "x",
		RENAME_NOREPLACE | RENAME_EXCHANGE));
	FAILS(EINVAL, renameat2(AT_FDCWD, "file", AT_FDCWD, "x", 1 << 10));
	HOLDS(exists("file"));
}

CASE(rename, whiteout, NEEDS_ROOT, "RENAME_WHITEOUT leaves a device 0:0 behind")
{
	struct stat st;

	make_file("file");
	OK(renameat2(AT_FDCWD, "file", AT_FDCWD, "new", RENAME_WHITEOUT));
	st = stat_of("file");
	HOLDS(S_ISCHR(st.st_mode));
	SAME(st.st_rdev, 0);
	HOLDS(S_ISREG(stat_of("new").st_mode));
}

CASE(rename, folder_rights, NEEDS_ROOT, "both folders must be writable: EACCES")
{
	OK(mkdir("open", 0777));
	OK(mkdir("closed", 0755));
	make_file("closed/file");
	make_file("open/file");
	become(1001, 1001);
	FAILS(EACCES, rename("closed/file", "open/new"));
	FAILS(EACCES, rename("open/file", "closed/new"));
	FAILS(EACCES, renameat2(AT_FDCWD, "open/file", AT_FDCWD, "closed/file", RENAME_EXCHANGE));
}

CASE(rename, moved_folder_right, NEEDS_ROOT,
	"a folder that gets another parent must be writable itself: EACCES")
{
	OK(chmod(".", 0777));
	become(1001, 1001);
	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	OK(mkdir("a/sub", 0555));
	FAILS(EACCES, rename("a/sub", "b/sub"));
	OK(rename("a/sub", "a/sub-2"));
	OK(chmod("a/sub-2", 0755));
	OK(rename("a/sub-2", "b/sub"));
}

CASE(rename, sticky_target, NEEDS_ROOT, "over another's file in a sticky folder: EPERM; one's own moves")
{
	OK(chmod(".", 01777));
	become(1001, 1001);
	make_file("theirs");
	become(1002, 1002);
	make_file("own");
	FAILS(EPERM, rename("own", "theirs"));
	FAILS(EPERM, renameat2(AT_FDCWD, "own", AT_FDCWD, "theirs", RENAME_EXCHANGE));
	OK(rename("own", "own-2"));
	OK(mkdir("own-folder", 0755));
	OK(rename("own-2", "own-folder/x"));
}

CASE(rename, names_kept, 0, "a rename changes case, adds and drops characters, and nothing else")
{
	make_file("name");
	OK(rename("name", "Name"));
	OK(rename("Name", "NAME.txt"));
	SAME(strcmp(names_in("."), "NAME.txt "), 0);
	FAILS(ENOENT, rename("name.txt", "x"));
}

CASE(rename, many_over_one, 0, "a hundred files renamed over one name: the last stays, links are right")
{
	char name[20];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "tmp-%d", i);
		write_file(name, name);
		OK(rename(name, "file"));
	}
	HOLDS(file_is("file", "tmp-99"));
	SAME(strcmp(names_in("."), "file "), 0);
	SAME(stat_of("file").st_nlink, 1);
}
