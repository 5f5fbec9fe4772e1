/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A read-only mount: what changes nothing works, everything else is EROFS. */
#include "tests/posix/calls.h"

#include "tests/posix/run.h"

#include <sys/mman.h>
#include <sys/statvfs.h>

static int prepare(void)
{
	int fd;

	if (mkdir("prepared", 0755) < 0 || chdir("prepared") < 0)
		return -1;
	fd = open("file", O_WRONLY | O_CREAT, 0666);
	if (fd < 0 || write(fd, "text", 4) != 4 || close(fd) < 0)
		return -1;
	if (mkdir("folder", 0755) < 0 || mkdir("empty", 0755) < 0 || symlink("file", "link") < 0 ||
		mkfifo("fifo", 0666) < 0)
		return -1;
	fd = open("folder/inside", O_WRONLY | O_CREAT, 0644);
	return fd < 0 ? -1 : close(fd);
}

int prepare_read_only(const char *dir)
{
	umask(022);
	if (chdir(dir) == 0 && prepare() == 0)
		return 0;
	perror(dir);
	return 1;
}

CASE(readonly, reads, READ_ONLY, "reading, listing, looking work")
{
	struct statvfs fs;
	char target[10];

	HOLDS(file_is("file", "text"));
	SAME(strcmp(names_in("."), "empty fifo file folder link "), 0);
	SAME(readlink("link", target, sizeof(target)), 4);
	OK(statvfs(".", &fs));
	HOLDS(fs.f_flag & ST_RDONLY);
	OK(access("file", R_OK));
	OK(fsync(open_ok("file", O_RDONLY)));
	FAILS(ENOENT, access("missing", F_OK));
}

CASE(readonly, opens, READ_ONLY, "opening for writing, O_CREAT of something new, O_TRUNC: EROFS")
{
	FAILS(EROFS, open("file", O_WRONLY));
	FAILS(EROFS, open("file", O_RDWR));
	FAILS(EROFS, open("file", O_RDONLY | O_TRUNC));
	FAILS(EROFS, open("new", O_WRONLY | O_CREAT, 0644));
	FAILS(EROFS, open("new", O_RDONLY | O_CREAT, 0644));
	FAILS(EROFS, open(".", O_TMPFILE | O_RDWR, 0644));
	OK(close(open_ok("file", O_RDONLY | O_CREAT)));
	FAILS(EEXIST, open("file", O_RDONLY | O_CREAT | O_EXCL, 0644));
	FAILS(ENOENT, open("missing", O_WRONLY));
	FAILS(EISDIR, open("folder", O_WRONLY));
}

CASE(readonly, makes, READ_ONLY, "making names: EROFS; of existing ones: EEXIST")
{
	FAILS(EROFS, mkdir("new", 0755));
	FAILS(EROFS, mkfifo("new", 0644));
	FAILS(EROFS, mknod("new", S_IFREG | 0644, 0));
	FAILS(EROFS, symlink("x", "new"));
	FAILS(EROFS, link("file", "new"));
	FAILS(EEXIST, mkdir("folder", 0755));
	FAILS(EEXIST, mkdir("file", 0755));
	FAILS(EEXIST, symlink("x", "file"));
	FAILS(EEXIST, link("file", "link"));
}

CASE(readonly, removes, READ_ONLY, "removing and renaming: EROFS")
{
	FAILS(EROFS, unlink("file"));
	FAILS(EROFS, rmdir("empty"));
	FAILS(EROFS, rename("file", "new"));
	FAILS(EROFS, rename("file", "link"));
	FAILS(EROFS, rename("folder", "empty"));
	FAILS(EROFS, renameat2(AT_FDCWD, "file", AT_FDCWD, "link", RENAME_EXCHANGE));
}

CASE(readonly, attributes, READ_ONLY, "changing attributes and sizes: EROFS")
{
	const struct timespec times[2] = {{1, 1}, {2, 2}};

	FAILS(EROFS, chmod("file", 0600));
	FAILS(EROFS, fchmod(open_ok("file", O_RDONLY), 0600));
	FAILS(EROFS, chown("file", geteuid(), getegid()));
	FAILS(EROFS, lchown("link", geteuid(), getegid()));
	FAILS(EROFS, utimensat(AT_FDCWD, "file", times, 0));
	FAILS(EROFS, utimensat(AT_FDCWD, "file", NULL, 0));
	FAILS(EROFS, truncate("file", 0));
	FAILS(EROFS, access("file", W_OK));
	FAILS(EROFS, access("folder", W_OK));
}

CASE(readonly, fifo, READ_ONLY, "a FIFO can be written: nothing on the drive changes")
{
	int fd = open_ok("fifo", O_RDWR | O_NONBLOCK);

	SAME(write(fd, "x", 1), 1);
	OK(access("fifo", W_OK));
}

CASE(readonly, maps, READ_ONLY, "shared mappings for reading, private ones for writing")
{
	int fd = open_ok("file", O_RDONLY);
	char *map = mmap(NULL, 4, PROT_READ, MAP_SHARED, fd, 0);

	OK(map == MAP_FAILED ? -1 : 0);
	SAME(memcmp(map, "text", 4), 0);
	map = mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	OK(map == MAP_FAILED ? -1 : 0);
	map[0] = 'n';
	HOLDS(file_is("file", "text"));
}

CASE(readonly, times_stay, READ_ONLY, "reading moves no time")
{
	struct stamps before = stamps_get("file"), folder = stamps_get("folder");

	HOLDS(file_is("file", "text"));
	SAME(strcmp(names_in("folder"), "inside "), 0);
	STAMPS("file", before, "");
	STAMPS("folder", folder, "");
}
