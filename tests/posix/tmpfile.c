/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* O_TMPFILE: files without a name. */
#include "tests/posix/posix.h"

static int tmpfile_in(const char *path, int flags, mode_t mode)
{
	return (int)OK(open(path, O_TMPFILE | flags, mode));
}

static char *proc_path(int fd)
{
	char *path;

	OK(asprintf(&path, "/proc/self/fd/%d", fd));
	return path;
}

CASE(tmpfile, no_name, 0, "a file that no folder shows, without links, with its mode")
{
	int fd = tmpfile_in(".", O_RDWR, 0666);
	struct stat st;

	OK(fstat(fd, &st));
	SAME(st.st_nlink, 0);
	SAME(st.st_size, 0);
	SAME(st.st_mode, S_IFREG | 0644);
	SAME(st.st_uid, geteuid());
	SAME(strcmp(names_in("."), ""), 0);
}

CASE(tmpfile, reads_back, 0, "it reads what was written")
{
	int fd = tmpfile_in(".", O_RDWR, 0600);
	char text[10];

	SAME(write(fd, "hidden", 6), 6);
	OK(fsync(fd));
	SAME(pread(fd, text, 10, 0), 6);
	SAME(memcmp(text, "hidden", 6), 0);
	OK(ftruncate(fd, 2));
	SAME(pread(fd, text, 10, 0), 2);
}

CASE(tmpfile, linked, 0, "linkat gives it a name, once and again")
{
	int fd = tmpfile_in(".", O_RDWR, 0644);
	struct stat st;

	SAME(write(fd, "text", 4), 4);
	OK(linkat(AT_FDCWD, proc_path(fd), AT_FDCWD, "name", AT_SYMLINK_FOLLOW));
	OK(fstat(fd, &st));
	SAME(st.st_nlink, 1);
	SAME(stat_of("name").st_ino, st.st_ino);
	OK(linkat(AT_FDCWD, proc_path(fd), AT_FDCWD, "name-2", AT_SYMLINK_FOLLOW));
	SAME(stat_of("name").st_nlink, 2);
	OK(close(fd));
	HOLDS(file_is("name", "text"));
}

CASE(tmpfile, linked_empty_path, NEEDS_ROOT, "linkat with AT_EMPTY_PATH gives it a name")
{
	int fd = tmpfile_in(".", O_WRONLY, 0644);

	OK(linkat(fd, "", AT_FDCWD, "name", AT_EMPTY_PATH));
	SAME(stat_of("name").st_nlink, 1);
}

CASE(tmpfile, exclusive, 0, "with O_EXCL it never gets a name: ENOENT")
{
	int fd = tmpfile_in(".", O_RDWR | O_EXCL, 0644);

	FAILS(ENOENT, linkat(AT_FDCWD, proc_path(fd), AT_FDCWD, "name", AT_SYMLINK_FOLLOW));
}

CASE(tmpfile, unlinked_stays_unlinked, 0, "a file that lost its last name gets none again: ENOENT")
{
	int fd = open_ok("file", O_RDWR | O_CREAT);

	OK(unlink("file"));
	FAILS(ENOENT, linkat(AT_FDCWD, proc_path(fd), AT_FDCWD, "again", AT_SYMLINK_FOLLOW));
}

CASE(tmpfile, read_only, 0, "without the right to write: EINVAL")
{
	FAILS(EINVAL, open(".", O_TMPFILE | O_RDONLY, 0644));
}

CASE(tmpfile, not_a_folder, 0, "in a file: ENOTDIR; in nothing: ENOENT")
{
	make_file("file");
	FAILS(ENOTDIR, open("file", O_TMPFILE | O_RDWR, 0644));
	FAILS(ENOENT, open("missing", O_TMPFILE | O_RDWR, 0644));
}

CASE(tmpfile, folder_rights, 0, "in a folder that may not be written: EACCES")
{
	OK(mkdir("folder", 0555));
	become_ordinary();
	FAILS(EACCES, open("folder", O_TMPFILE | O_RDWR, 0644));
}

CASE(tmpfile, folder_untouched, 0, "the folder's times stay; linking moves them")
{
	struct stamps before = stamps_set(".");
	int fd = tmpfile_in(".", O_RDWR, 0644);

	STAMPS(".", before, "");
	OK(linkat(AT_FDCWD, proc_path(fd), AT_FDCWD, "name", AT_SYMLINK_FOLLOW));
	STAMPS(".", before, "mc");
}

CASE(tmpfile, setgid_folder, NEEDS_ROOT, "it gets the group of a set-group-id folder")
{
	struct stat st;
	int fd;

	OK(chown(".", 1001, 1005));
	OK(chmod(".", 02777));
	become(1002, 1003);
	fd = tmpfile_in(".", O_RDWR, 0644);
	OK(fstat(fd, &st));
	SAME(st.st_gid, 1005);
	SAME(st.st_uid, 1002);
}
