/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mkdir(2), mknod(2), mkfifo(3), symlink(2), readlink(2), rmdir(2). */
#include "tests/posix/posix.h"

#include <sys/sysmacros.h>

CASE(mkdir, attributes, 0, "a new folder: mode without umask, two links, '.' and '..' only")
{
	struct stat st, up;

	umask(022);
	OK(mkdir("folder", 0777));
	st = stat_of("folder");
	HOLDS(S_ISDIR(st.st_mode));
	SAME(st.st_mode & 07777, 0755);
	SAME(st.st_nlink, 2);
	SAME(st.st_uid, geteuid());
	SAME(st.st_gid, getegid());
	HOLDS(st.st_size > 0);
	SAME(strcmp(names_in("folder"), ""), 0);
	up = stat_of(".");
	SAME(stat_of("folder/.").st_ino, st.st_ino);
	SAME(stat_of("folder/..").st_ino, up.st_ino);
}

CASE(mkdir, sticky_kept, 0, "mkdir keeps the sticky bit asked for, and not set-id bits")
{
	OK(mkdir("folder", 07777));
	SAME(mode_of("folder"), 01755);
}

CASE(mkdir, parent_links, 0, "each folder adds a link to its parent, each rmdir takes it")
{
	nlink_t before = stat_of(".").st_nlink;

	OK(mkdir("one", 0755));
	OK(mkdir("two", 0755));
	OK(mkdir("two/three", 0755));
	SAME(stat_of(".").st_nlink, before + 2);
	SAME(stat_of("two").st_nlink, 3);
	OK(rmdir("two/three"));
	OK(rmdir("one"));
	SAME(stat_of("two").st_nlink, 2);
	SAME(stat_of(".").st_nlink, before + 1);
	make_file("file");
	SAME(stat_of(".").st_nlink, before + 1);
}

CASE(mkdir, slashes, 0, "mkdir with slashes behind the new name works; through a dangling link not")
{
	OK(mkdir("folder//", 0755));
	HOLDS(S_ISDIR(stat_of("folder").st_mode));
	OK(symlink("nowhere", "dangling"));
	FAILS(EEXIST, mkdir("dangling", 0755));
	FAILS(EEXIST, mkdir("dangling/", 0755));
	FAILS(ENOENT, mkdir("missing/.", 0755));
}

CASE(mkdir, at, 0, "mkdirat: relative to a folder; EBADF, ENOTDIR")
{
	int fd, file;

	OK(mkdir("folder", 0755));
	make_file("file");
	fd = open_ok("folder", O_RDONLY);
	file = open_ok("file", O_RDONLY);
	OK(mkdirat(fd, "sub", 0755));
	HOLDS(S_ISDIR(stat_of("folder/sub").st_mode));
	FAILS(EBADF, mkdirat(-5, "x", 0755));
	FAILS(ENOTDIR, mkdirat(file, "x", 0755));
}

CASE(mknod, types, 0, "mknod: files, FIFOs and sockets, with their modes")
{
	OK(mknod("file", S_IFREG | 0600, 0));
	OK(mknod("fifo", S_IFIFO | 0640, 0));
	OK(mknod("socket", S_IFSOCK | 0604, 0));
	OK(mknod("zero", 0644, 0));
	SAME(stat_of("file").st_mode, S_IFREG | 0600);
	SAME(stat_of("fifo").st_mode, S_IFIFO | 0640);
	SAME(stat_of("socket").st_mode, S_IFSOCK | 0604);
	SAME(stat_of("zero").st_mode, S_IFREG | 0644);
	SAME(stat_of("fifo").st_nlink, 1);
	SAME(stat_of("fifo").st_size, 0);
}

CASE(mknod, bad_types, 0, "mknod of a folder: EPERM; of a link or nonsense: EINVAL")
{
	FAILS(EPERM, mknod("x", S_IFDIR | 0755, 0));
	FAILS(EINVAL, mknod("x", S_IFLNK | 0755, 0));
	FAILS(EINVAL, mknod("x", 0170000 | 0755, 0));
}

CASE(mknod, devices, NEEDS_ROOT, "device numbers, old and new ones, come back")
{
	static const struct {
		unsigned major, minor;
	} rows[] = {{1, 3}, {255, 255}, {8, 256}, {256, 1}, {4095, 0xfffff}, {0, 1}, {259, 65537}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		dev_t dev = makedev(rows[i].major, rows[i].minor);

		OK(mknod("char", S_IFCHR | 0600, dev));
		OK(mknod("block", S_IFBLK | 0600, dev));
		SAME(stat_of("char").st_rdev, dev);
		SAME(stat_of("block").st_rdev, dev);
		SAME(stat_of("char").st_mode, S_IFCHR | 0600);
		SAME(stat_of("block").st_mode, S_IFBLK | 0600);
		OK(unlink("char"));
		OK(unlink("block"));
	}
}

CASE(mknod, devices_right, 0, "devices are for root: EPERM")
{
	OK(chmod(".", 0777));
	become_ordinary();
	FAILS(EPERM, mknod("x", S_IFCHR | 0600, makedev(1, 3)));
	FAILS(EPERM, mknod("x", S_IFBLK | 0600, makedev(7, 0)));
	HOLDS(!exists("x"));
}

CASE(mknod, slash, 0, "mknod, mkfifo, symlink and link with a slash behind the name: ENOENT")
{
	make_file("file");
	FAILS(ENOENT, mknod("x/", S_IFREG | 0644, 0));
	FAILS(ENOENT, mkfifo("x/", 0644));
	FAILS(ENOENT, symlink("target", "x/"));
	FAILS(ENOENT, link("file", "x/"));
}

CASE(mknod, at, 0, "mknodat, mkfifoat, symlinkat, readlinkat: relative; EBADF, ENOTDIR")
{
	int fd, file;
	char target[20];

	OK(mkdir("folder", 0755));
	make_file("file");
	fd = open_ok("folder", O_RDONLY);
	file = open_ok("file", O_RDONLY);
	OK(mknodat(fd, "node", S_IFREG | 0644, 0));
	OK(mkfifoat(fd, "fifo", 0644));
	OK(symlinkat("target", fd, "link"));
	SAME(readlinkat(fd, "link", target, sizeof(target)), 6);
	SAME(strcmp(names_in("folder"), "fifo link node "), 0);
	FAILS(EBADF, mknodat(-5, "x", S_IFREG, 0));
	FAILS(EBADF, symlinkat("x", -5, "x"));
	FAILS(EBADF, readlinkat(-5, "x", target, sizeof(target)));
	FAILS(ENOTDIR, mknodat(file, "x", S_IFREG, 0));
	FAILS(ENOTDIR, symlinkat("x", file, "x"));
	FAILS(ENOTDIR, readlinkat(file, "x", target, sizeof(target)));
}

static void link_of_length(size_t len)
{
	char got[PATH_MAX + 10], *target = repeat('t', len);

	OK(symlink(target, "link"));
	SAME(stat_of("link").st_size, len);
	SAME(readlink("link", got, sizeof(got)), len);
	SAME(memcmp(got, target, len), 0);
	SAME(stat_of("link").st_blocks == 0, len < 60);
	OK(unlink("link"));
}

CASE(symlink, lengths, 0, "targets of 1 to 4095 bytes; short ones take no block")
{
	static const size_t lengths[] = {1, 2, 58, 59, 60, 61, 255, 256, 1000, 1023, 1024, 2047, 4094};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		link_of_length(lengths[i]);
}

CASE(symlink, longest, 0, "a target of 4095 bytes, the longest path there is")
{
	link_of_length(PATH_MAX - 1);
}

CASE(symlink, too_long, 0, "a target of 4096 bytes: ENAMETOOLONG")
{
	FAILS(ENAMETOOLONG, symlink(repeat('t', PATH_MAX), "link"));
	HOLDS(!exists("link"));
}

CASE(symlink, empty, 0, "an empty target: ENOENT")
{
	FAILS(ENOENT, symlink("", "link"));
}

CASE(symlink, attributes, 0, "a link has mode 0777, one link, its target's length as size")
{
	struct stat st;

	OK(symlink("some/target", "link"));
	st = stat_of("link");
	SAME(st.st_mode, S_IFLNK | 0777);
	SAME(st.st_nlink, 1);
	SAME(st.st_size, 11);
	SAME(st.st_uid, geteuid());
}

CASE(symlink, bytes, 0, "a target is bytes: neither checked nor changed")
{
	const char target[] = "//a\x01/\xff\xfe/../\n *?\\ \x7f/";
	char got[100];

	OK(symlink(target, "link"));
	SAME(readlink("link", got, sizeof(got)), sizeof(target) - 1);
	SAME(memcmp(got, target, sizeof(target) - 1), 0);
}

CASE(readlink, short_buffer, 0, "readlink into a short buffer cuts; of size 0: EINVAL")
{
	char got[10] = "..........";
	volatile size_t none = 0;

	OK(symlink("0123456789", "link"));
	SAME(readlink("link", got, 4), 4);
	SAME(memcmp(got, "0123......", 10), 0);
	FAILS(EINVAL, readlink("link", got, none));
}

CASE(readlink, not_a_link, 0, "readlink of anything else: EINVAL")
{
	char got[10];

	make_file("file");
	OK(mkfifo("fifo", 0644));
	FAILS(EINVAL, readlink("file", got, sizeof(got)));
	FAILS(EINVAL, readlink("fifo", got, sizeof(got)));
	FAILS(EINVAL, readlink(".", got, sizeof(got)));
}

CASE(readlink, bad_address, 0, "readlink into nowhere: EFAULT")
{
	char *volatile nowhere = (char *)-1L;

	OK(symlink("target", "link"));
	FAILS(EFAULT, readlink("link", nowhere, 10));
}

CASE(rmdir, not_empty, 0, "a folder with anything in it: ENOTEMPTY")
{
	OK(mkdir("folder", 0755));
	make_file("folder/file");
	FAILS(ENOTEMPTY, rmdir("folder"));
	OK(unlink("folder/file"));
	OK(mkdir("folder/sub", 0755));
	FAILS(ENOTEMPTY, rmdir("folder"));
	OK(rmdir("folder/sub"));
	OK(symlink("x", "folder/link"));
	FAILS(ENOTEMPTY, rmdir("folder"));
	OK(unlink("folder/link"));
	OK(rmdir("folder"));
	HOLDS(!exists("folder"));
}

CASE(rmdir, dots, 0, "rmdir of '.': EINVAL; of '..': ENOTEMPTY; of '/': EBUSY")
{
	OK(mkdir("folder", 0755));
	OK(mkdir("folder/sub", 0755));
	FAILS(EINVAL, rmdir("."));
	FAILS(EINVAL, rmdir("folder/."));
	FAILS(ENOTEMPTY, rmdir(".."));
	FAILS(ENOTEMPTY, rmdir("folder/sub/.."));
	FAILS(EBUSY, rmdir("/"));
}

CASE(rmdir, not_a_folder, 0, "rmdir of anything else: ENOTDIR, a link to a folder too")
{
	make_file("file");
	OK(mkfifo("fifo", 0644));
	OK(mkdir("folder", 0755));
	OK(symlink("folder", "link"));
	FAILS(ENOTDIR, rmdir("file"));
	FAILS(ENOTDIR, rmdir("fifo"));
	FAILS(ENOTDIR, rmdir("link"));
	FAILS(ENOTDIR, rmdir("link/"));
	HOLDS(exists("folder"));
}

CASE(rmdir, current, 0, "the current folder can be removed; nothing is found in it then")
{
	char *here = getcwd(NULL, 0), *path;
	struct stat st;

	OK(mkdir("folder", 0755));
	OK(chdir("folder"));
	OK(asprintf(&path, "%s/folder", here));
	OK(rmdir(path));
	OK(stat(".", &st));
	SAME(st.st_nlink, 0);
	FAILS(ENOENT, open("x", O_RDONLY));
	FAILS(ENOENT, getcwd(path, strlen(path)) ? 0 : -1);
	SAME(strcmp(names_in("."), ""), 0);
}

CASE(rmdir, open_folder, 0, "a removed folder that is open: no entries, and its name can be used again")
{
	int fd;
	struct stat st, again;

	OK(mkdir("folder", 0755));
	fd = open_ok("folder", O_RDONLY);
	OK(rmdir("folder"));
	OK(mkdir("folder", 0700));
	OK(fstat(fd, &st));
	again = stat_of("folder");
	SAME(st.st_nlink, 0);
	HOLDS(st.st_ino != again.st_ino);
	FAILS(ENOENT, openat(fd, "x", O_WRONLY | O_CREAT, 0644));
	FAILS(ENOENT, mkdirat(fd, "x", 0755));
	OK(fchmod(fd, 0500));
	OK(fstat(fd, &st));
	SAME(st.st_mode & 07777, 0500);
	SAME(mode_of("folder"), 0700);
}

CASE(rmdir, unlinkat_flag, 0, "unlinkat: AT_REMOVEDIR is for folders, other flags: EINVAL")
{
	OK(mkdir("folder", 0755));
	make_file("file");
	FAILS(EISDIR, unlinkat(AT_FDCWD, "folder", 0));
	FAILS(ENOTDIR, unlinkat(AT_FDCWD, "file", AT_REMOVEDIR));
	FAILS(EINVAL, unlinkat(AT_FDCWD, "file", AT_SYMLINK_FOLLOW));
	FAILS(EBADF, unlinkat(-5, "file", 0));
	OK(unlinkat(AT_FDCWD, "folder", AT_REMOVEDIR));
	OK(unlinkat(AT_FDCWD, "file", 0));
}
