/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* link(2), linkat(2), unlink(2), unlinkat(2), and files that live on without names. */
#include "tests/posix/posix.h"

#include <sys/mman.h>
#include <sys/statvfs.h>

CASE(link, same_inode, 0, "a link is the same file: inode, count, attributes, data")
{
	struct stat one, two;

	write_file("one", "text");
	OK(link("one", "two"));
	one = stat_of("one");
	two = stat_of("two");
	SAME(one.st_ino, two.st_ino);
	SAME(one.st_nlink, 2);
	SAME(two.st_nlink, 2);
	OK(chmod("two", 0600));
	SAME(mode_of("one"), 0600);
	write_file("two", "changed");
	HOLDS(file_is("one", "changed"));
	OK(unlink("one"));
	SAME(stat_of("two").st_nlink, 1);
	HOLDS(file_is("two", "changed"));
}

CASE(link, folder, 0, "a link to a folder: EPERM")
{
	OK(mkdir("folder", 0755));
	FAILS(EPERM, link("folder", "link"));
	FAILS(EPERM, link(".", "link"));
	HOLDS(!exists("link"));
}

CASE(link, existing, 0, "onto something: EEXIST, whatever it is")
{
	make_file("file");
	make_file("other");
	OK(mkdir("folder", 0755));
	OK(symlink("nowhere", "dangling"));
	FAILS(EEXIST, link("file", "other"));
	FAILS(EEXIST, link("file", "file"));
	FAILS(EEXIST, link("file", "folder"));
	FAILS(EEXIST, link("file", "dangling"));
	SAME(stat_of("file").st_nlink, 1);
}

CASE(link, of_symlink, 0, "link does not follow a link, linkat with AT_SYMLINK_FOLLOW does")
{
	make_file("file");
	OK(symlink("file", "link"));
	OK(link("link", "link-2"));
	HOLDS(S_ISLNK(stat_of("link-2").st_mode));
	SAME(stat_of("link").st_nlink, 2);
	OK(linkat(AT_FDCWD, "link", AT_FDCWD, "file-2", AT_SYMLINK_FOLLOW));
	HOLDS(S_ISREG(stat_of("file-2").st_mode));
	SAME(stat_of("file").st_nlink, 2);
}

CASE(link, special, 0, "FIFOs and sockets can be linked")
{
	OK(mkfifo("fifo", 0644));
	OK(mknod("socket", S_IFSOCK | 0644, 0));
	OK(link("fifo", "fifo-2"));
	OK(link("socket", "socket-2"));
	SAME(stat_of("fifo").st_nlink, 2);
	SAME(stat_of("socket-2").st_nlink, 2);
	HOLDS(S_ISFIFO(stat_of("fifo-2").st_mode));
}

CASE(link, across, NEEDS_OTHER, "onto another file system: EXDEV")
{
	char *path;

	make_file("file");
	OK(asprintf(&path, "%s/link-across", other_dir));
	FAILS(EXDEV, link("file", path));
	SAME(stat_of("file").st_nlink, 1);
}

CASE(link, at, 0, "linkat: EBADF, ENOTDIR, EINVAL for unknown flags")
{
	int fd;

	make_file("file");
	fd = open_ok("file", O_RDONLY);
	FAILS(EBADF, linkat(-5, "file", AT_FDCWD, "x", 0));
	FAILS(EBADF, linkat(AT_FDCWD, "file", -5, "x", 0));
	FAILS(ENOTDIR, linkat(fd, "file", AT_FDCWD, "x", 0));
	FAILS(ENOTDIR, linkat(AT_FDCWD, "file", fd, "x", 0));
	FAILS(EINVAL, linkat(AT_FDCWD, "file", AT_FDCWD, "x", 0x10000000));
	FAILS(ENOENT, linkat(fd, "", AT_FDCWD, "x", 0));
}

CASE(link, into_removed, 0, "into a removed folder: ENOENT, the count stays")
{
	int fd;

	make_file("file");
	OK(mkdir("folder", 0755));
	fd = open_ok("folder", O_RDONLY);
	OK(rmdir("folder"));
	FAILS(ENOENT, linkat(AT_FDCWD, "file", fd, "x", 0));
	SAME(stat_of("file").st_nlink, 1);
}

CASE(link, rights, NEEDS_ROOT, "without the right to write the folder: EACCES")
{
	make_file("file");
	OK(chown("file", 1001, 1001));
	OK(mkdir("folder", 0755));
	become(1001, 1001);
	FAILS(EACCES, link("file", "folder/link"));
	become_root();
	SAME(stat_of("file").st_nlink, 1);
}

CASE(link, many, NEEDS_TIME, "65000 links, and not one more: EMLINK")
{
	enum { LINKS_MAX = 65000 };
	char name[20];

	make_file("file");
	for (int i = 2; i <= LINKS_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i);
		OK(link("file", name));
	}
	SAME(stat_of("file").st_nlink, LINKS_MAX);
	FAILS(EMLINK, link("file", "more"));
	HOLDS(!exists("more"));
	OK(unlink("2"));
	OK(link("file", "more"));
}

CASE(unlink, folder, 0, "unlink of a folder: EISDIR")
{
	OK(mkdir("folder", 0755));
	FAILS(EISDIR, unlink("folder"));
	FAILS(EISDIR, unlink("."));
	FAILS(EISDIR, unlink(".."));
	FAILS(EISDIR, unlink("folder/"));
	FAILS(EISDIR, unlink("/"));
	HOLDS(exists("folder"));
}

CASE(unlink, symlink, 0, "unlink removes a link, not its target")
{
	make_file("file");
	OK(symlink("file", "link"));
	OK(symlink("nowhere", "dangling"));
	OK(unlink("link"));
	OK(unlink("dangling"));
	HOLDS(exists("file"));
	SAME(strcmp(names_in("."), "file "), 0);
}

CASE(unlink, open_file, 0, "an open file lives on: reads, writes, grows, changes, until closed")
{
	struct stat st;
	char text[20];
	int fd;

	write_file("file", "text");
	fd = open_ok("file", O_RDWR);
	OK(unlink("file"));
	HOLDS(!exists("file"));
	OK(fstat(fd, &st));
	SAME(st.st_nlink, 0);
	SAME(pwrite(fd, "more", 4, 4), 4);
	SAME(pread(fd, text, sizeof(text), 0), 8);
	SAME(memcmp(text, "textmore", 8), 0);
	OK(fchmod(fd, 0600));
	OK(ftruncate(fd, 100000));
	OK(fsync(fd));
	OK(futimens(fd, NULL));
	OK(fstat(fd, &st));
	SAME(st.st_size, 100000);
	SAME(st.st_mode & 07777, 0600);
	make_file("file");
	HOLDS(stat_of("file").st_ino != st.st_ino);
	OK(close(fd));
}

CASE(unlink, mapped, 0, "a mapped file lives on after unlink and close")
{
	char *map;
	int fd;

	make_sized("file", 10000);
	fd = open_ok("file", O_RDWR);
	map = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	OK(map == MAP_FAILED ? -1 : 0);
	OK(unlink("file"));
	OK(close(fd));
	SAME((uint8_t)map[9999], pattern_at(9999));
	map[5000] = 'x';
	OK(msync(map, 10000, MS_SYNC));
	SAME(map[5000], 'x');
	OK(munmap(map, 10000));
}

CASE(unlink, by_proc, 0, "an unlinked file can be opened again through /proc")
{
	char *path;
	int fd;

	write_file("file", "text");
	fd = open_ok("file", O_RDONLY);
	OK(unlink("file"));
	OK(asprintf(&path, "/proc/self/fd/%d", fd));
	HOLDS(file_is(path, "text"));
}

CASE(unlink, space_comes_back, 0, "blocks of an unlinked file come back when it is closed")
{
	enum { BYTES = 8 << 20 };
	struct statvfs before, after;
	int fd;

	make_sized("file", BYTES);
	fd = open_ok("file", O_RDONLY);
	OK(fsync(fd));
	OK(unlink("file"));
	OK(statvfs(".", &before));
	OK(close(fd));
	for (int i = 0; i < 100; i++) {
		OK(statvfs(".", &after));
		if (after.f_bfree >= before.f_bfree + BYTES / before.f_frsize)
			return;
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	}
	SAME(after.f_bfree, before.f_bfree + BYTES / before.f_frsize);
}

CASE(unlink, sticky, NEEDS_ROOT, "a sticky folder: only owner of file or folder removes: EPERM")
{
	OK(chmod(".", 01777));
	OK(chown(".", 1003, 1003));
	become(1001, 1001);
	make_file("file");
	make_file("file-2");
	OK(chmod("file", 0666));
	OK(mkdir("folder", 0777));
	become(1002, 1002);
	FAILS(EPERM, unlink("file"));
	FAILS(EPERM, rmdir("folder"));
	FAILS(EPERM, rename("file", "other"));
	make_file("own");
	FAILS(EPERM, rename("own", "file"));
	become(1001, 1001);
	OK(unlink("file"));
	OK(rmdir("folder"));
	become(1003, 1003);
	OK(unlink("file-2"));
	become_root();
	OK(unlink("own"));
}

CASE(unlink, rights_of_file, NEEDS_ROOT, "the file's own rights do not matter, the folder's do")
{
	make_file("file");
	OK(chmod("file", 0));
	OK(chmod(".", 0777));
	become(1001, 1001);
	OK(unlink("file"));
}

CASE(unlink, last_link_of_special, 0, "FIFOs, sockets and nodes can be removed")
{
	OK(mkfifo("fifo", 0644));
	OK(mknod("socket", S_IFSOCK | 0644, 0));
	OK(unlink("fifo"));
	OK(unlink("socket"));
	SAME(strcmp(names_in("."), ""), 0);
}
