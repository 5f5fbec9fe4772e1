/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which times each call moves, of the file and of its folder, and which it does not; and that a call
 * that fails moves none.
 */
#include "tests/posix/posix.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

/* What moves, of the folder "in" and of what is in it. Each row is a case; set-up comes first. */
struct row {
	const char *name, *what;
	int (*prepare)(void);
	int (*act)(void);
	const char *path; /* whose times; NULL: only the folder's */
	const char *moved, *folder_moved;
};

static int fd_kept = -1; /* opened by a row's prepare */

static int nothing(void)
{
	return 0;
}

static int file(void)
{
	make_sized("in/file", 5000);
	OK(link("in/file", "in/second"));
	OK(fsync(open_ok("in/file", O_RDONLY)));
	return 0;
}

static int file_open(void)
{
	file();
	fd_kept = open_ok("in/file", O_RDWR);
	return 0;
}

/* Nothing of its data is in memory. */
static int file_cold(void)
{
	file_open();
	return posix_fadvise(fd_kept, 0, 0, POSIX_FADV_DONTNEED) == 0 ? 0 : -1;
}

/* All of its data is in memory, and stays there whatever else goes on: it is mapped. */
static int file_warm(void)
{
	volatile char *map;

	file_open();
	map = mmap(NULL, 5000, PROT_READ, MAP_SHARED, fd_kept, 0);
	return map == MAP_FAILED || map[0] == map[4999] + 1000 ? -1 : 0;
}

static int file_cold_and_outside(void)
{
	make_file("outside");
	return file_cold();
}

static int folder(void)
{
	return mkdir("in/folder", 0755);
}

static int full_folder(void)
{
	folder();
	make_file("in/folder/file");
	return 0;
}

static int symbolic(void)
{
	return symlink("file", "in/link");
}

static int fifo(void)
{
	return mkfifo("in/fifo", 0644);
}

static int outside(void)
{
	make_file("outside");
	return 0;
}

static int outside_and_file(void)
{
	outside();
	return file();
}

static int creat_new(void)
{
	return close(open("in/new", O_WRONLY | O_CREAT, 0644));
}

static int open_creat_old(void)
{
	return close(open("in/file", O_WRONLY | O_CREAT, 0644));
}

static int open_excl_fails(void)
{
	return open("in/file", O_WRONLY | O_CREAT | O_EXCL, 0644) < 0 ? 0 : -1;
}

static int open_trunc(void)
{
	return close(open("in/file", O_WRONLY | O_TRUNC));
}

static int open_read_close(void)
{
	return close(open("in/file", O_RDONLY));
}

static int read_some(void)
{
	char c;

	return pread(fd_kept, &c, 1, 0) == 1 ? 0 : -1;
}

static int read_nothing(void)
{
	char c;

	return pread(fd_kept, &c, 0, 0) == 0 ? 0 : -1;
}

static int write_some(void)
{
	return pwrite(fd_kept, "x", 1, 100) == 1 ? 0 : -1;
}

static int write_nothing(void)
{
	return pwrite(fd_kept, "", 0, 100) == 0 ? 0 : -1;
}

static int write_beyond(void)
{
	return pwrite(fd_kept, "x", 1, 50000) == 1 ? 0 : -1;
}

static int seek(void)
{
	return lseek(fd_kept, 0, SEEK_END) < 0 ? -1 : 0;
}

static int fsync_it(void)
{
	return fsync(fd_kept);
}

static int truncate_shorter(void)
{
	return truncate("in/file", 10);
}

static int truncate_longer(void)
{
	return truncate("in/file", 10000);
}

static int truncate_same(void)
{
	return truncate("in/file", 5000);
}

static int ftruncate_same(void)
{
	return ftruncate(fd_kept, 5000);
}

static int ftruncate_shorter(void)
{
	return ftruncate(fd_kept, 1);
}

static int truncate_fails(void)
{
	return truncate("in/file", -1) < 0 ? 0 : -1;
}

static int chmod_it(void)
{
	return chmod("in/file", 0600);
}

static int chmod_same(void)
{
	return chmod("in/file", 0644);
}

static int chmod_folder(void)
{
	return chmod("in/folder", 0700);
}

static int chown_it(void)
{
	return chown("in/file", geteuid(), getegid());
}

static int chown_none(void)
{
	return chown("in/file", (uid_t)-1, (gid_t)-1);
}

static int lchown_link(void)
{
	return lchown("in/link", geteuid(), getegid());
}

static int lchown_none(void)
{
	return lchown("in/link", (uid_t)-1, (gid_t)-1);
}

static int link_it(void)
{
	return link("in/file", "in/third");
}

static int link_outside(void)
{
	return link("in/file", "third");
}

static int link_fails(void)
{
	return link("in/file", "in/second") < 0 ? 0 : -1;
}

static int unlink_it(void)
{
	return unlink("in/second");
}

static int unlink_fails(void)
{
	return unlink("in/missing") < 0 ? 0 : -1;
}

static int rename_it(void)
{
	return rename("in/second", "in/renamed");
}

static int rename_out(void)
{
	return rename("in/file", "moved");
}

static int rename_in_over(void)
{
	return rename("outside", "in/second");
}

static int rename_same(void)
{
	return rename("in/file", "in/second");
}

static int rename_fails(void)
{
	return rename("in/missing", "in/file") < 0 ? 0 : -1;
}

static int rename_folder(void)
{
	return rename("in/folder", "in/renamed");
}

static int rename_folder_out(void)
{
	return rename("in/folder", "moved");
}

static int mkdir_it(void)
{
	return mkdir("in/new", 0755);
}

static int mkdir_fails(void)
{
	return mkdir("in/folder", 0755) < 0 ? 0 : -1;
}

static int rmdir_it(void)
{
	return rmdir("in/folder");
}

static int rmdir_fails(void)
{
	return rmdir("in/folder") < 0 ? 0 : -1;
}

static int mkfifo_it(void)
{
	return mkfifo("in/new", 0644);
}

static int mknod_it(void)
{
	return mknod("in/new", S_IFREG | 0644, 0);
}

static int symlink_it(void)
{
	return symlink("x", "in/new");
}

static int make_below(void)
{
	return mkdir("in/folder/sub", 0755);
}

static int stat_it(void)
{
	stat_of("in/file");
	return access("in/file", R_OK);
}

static int readlink_it(void)
{
	char c;

	return readlink("in/link", &c, 1) == 1 ? 0 : -1;
}

static int follow_it(void)
{
	return access("in/link/", F_OK) < 0 && errno == ENOENT ? 0 : -1;
}

static int list_it(void)
{
	names_in("in/folder");
	return 0;
}

static int look_below(void)
{
	return access("in/folder/missing", F_OK) < 0 ? 0 : -1;
}

static int chdir_it(void)
{
	return chdir("in/folder") < 0 ? -1 : chdir("../..");
}

static int map_write(void)
{
	char *map = mmap(NULL, 5000, PROT_READ | PROT_WRITE, MAP_SHARED, fd_kept, 0);

	if (map == MAP_FAILED)
		return -1;
	map[10] = 'x';
	return msync(map, 5000, MS_SYNC);
}

static int map_read(void)
{
	char *map = mmap(NULL, 5000, PROT_READ, MAP_SHARED, fd_kept, 0);

	return map == MAP_FAILED ? -1 : *(volatile char *)map == 77 ? -1 : 0;
}

static int allocate_same(void)
{
	return fallocate(fd_kept, FALLOC_FL_KEEP_SIZE, 100000, 4096);
}

static int allocate_longer(void)
{
	return fallocate(fd_kept, 0, 5000, 5000);
}

static int punch(void)
{
	return fallocate(fd_kept, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 4096);
}

static int lock_it(void)
{
	struct flock lock = {.l_type = F_WRLCK};

	return fcntl(fd_kept, F_SETLK, &lock);
}

static int sendfile_it(void)
{
	off_t off = 0;

	return sendfile(open("outside", O_WRONLY), fd_kept, &off, 1) == 1 ? 0 : -1;
}

static int copy_range(void)
{
	off_t from = 0, to = 4096;

	return copy_file_range(fd_kept, &from, fd_kept, &to, 100, 0) == 100 ? 0 : -1;
}

static const struct row rows[] = {
	{"creat", "creat of a new file", nothing, creat_new, NULL, "", "mc"},
	{"creat_old", "O_CREAT of an old file", file, open_creat_old, "in/file", "", ""},
	{"creat_excl", "a failing O_EXCL", file, open_excl_fails, "in/file", "", ""},
	{"open_trunc", "O_TRUNC", file, open_trunc, "in/file", "mc", ""},
	{"open", "open and close", file, open_read_close, "in/file", "", ""},
	{"read", "read", file_cold, read_some, "in/file", "a", ""},
	{"read_cached", "read of what is in memory", file_warm, read_some, "in/file", "a", ""},
	{"read_nothing", "read of no bytes", file_open, read_nothing, "in/file", "", ""},
	{"write", "write", file_open, write_some, "in/file", "mc", ""},
	{"write_nothing", "write of no bytes", file_open, write_nothing, "in/file", "", ""},
	{"write_beyond", "write beyond the end", file_open, write_beyond, "in/file", "mc", ""},
	{"lseek", "lseek", file_open, seek, "in/file", "", ""},
	{"fsync", "fsync", file_open, fsync_it, "in/file", "", ""},
	{"truncate", "truncate", file, truncate_shorter, "in/file", "mc", ""},
	{"truncate_longer", "truncate that grows", file, truncate_longer, "in/file", "mc", ""},
	{"truncate_same", "truncate to the same size", file, truncate_same, "in/file", "mc", ""},
	{"ftruncate", "ftruncate", file_open, ftruncate_shorter, "in/file", "mc", ""},
	{"ftruncate_same", "ftruncate to the same size", file_open, ftruncate_same, "in/file", "mc", ""},
	{"truncate_fails", "a failing truncate", file, truncate_fails, "in/file", "", ""},
	{"chmod", "chmod", file, chmod_it, "in/file", "c", ""},
	{"chmod_same", "chmod to the same mode", file, chmod_same, "in/file", "c", ""},
	{"chmod_folder", "chmod of a folder", folder, chmod_folder, "in/folder", "c", ""},
	{"chown", "chown", file, chown_it, "in/file", "c", ""},
	{"chown_none", "chown that names neither owner nor group", file, chown_none, "in/file", "c", ""},
	{"lchown", "lchown of a link", symbolic, lchown_link, "in/link", "c", ""},
	{"lchown_none", "lchown of a link that names neither", symbolic, lchown_none, "in/link", "c", ""},
	{"link", "link", file, link_it, "in/file", "c", "mc"},
	{"link_outside", "link in another folder", file, link_outside, "in/file", "c", ""},
	{"link_fails", "a failing link", file, link_fails, "in/file", "", ""},
	{"unlink", "unlink", file, unlink_it, "in/file", "c", "mc"},
	{"unlink_fails", "a failing unlink", file, unlink_fails, "in/file", "", ""},
	{"rename", "rename", file, rename_it, "in/file", "c", "mc"},
	{"rename_out", "rename into another folder", file, rename_out, "moved", "c", "mc"},
	{"rename_over", "rename over it", outside_and_file, rename_in_over, "in/file", "c", "mc"},
	{"rename_same", "rename between names of one file", file, rename_same, "in/file", "", ""},
	{"rename_fails", "a failing rename", file, rename_fails, "in/file", "", ""},
	{"rename_folder", "rename of a folder", folder, rename_folder, "in/renamed", "c", "mc"},
	{"rename_folder_out", "rename of a folder into another", full_folder, rename_folder_out, "moved",
		"c", "mc"},
	{"mkdir", "mkdir", nothing, mkdir_it, NULL, "", "mc"},
	{"mkdir_fails", "a failing mkdir", folder, mkdir_fails, "in/folder", "", ""},
	{"mkdir_below", "mkdir in it", folder, make_below, "in/folder", "mc", ""},
	{"rmdir", "rmdir", folder, rmdir_it, NULL, "", "mc"},
	{"rmdir_fails", "a failing rmdir", full_folder, rmdir_fails, "in/folder", "", ""},
	{"mkfifo", "mkfifo", nothing, mkfifo_it, NULL, "", "mc"},
	{"mknod", "mknod", nothing, mknod_it, NULL, "", "mc"},
	{"symlink", "symlink", nothing, symlink_it, NULL, "", "mc"},
	{"stat", "stat and access", file, stat_it, "in/file", "", ""},
	{"readlink", "readlink", symbolic, readlink_it, "in/link", "a", ""},
	{"follow", "following a link", symbolic, follow_it, "in/link", "a", ""},
	{"readdir", "readdir", full_folder, list_it, "in/folder", "a", ""},
	{"lookup", "looking up a name", folder, look_below, "in/folder", "", ""},
	{"chdir", "chdir", folder, chdir_it, "in/folder", "", ""},
	{"map_write", "a write through a mapping, with msync", file_cold, map_write, "in/file", "amc", ""},
	{"map_read", "a read through a mapping", file_cold, map_read, "in/file", "a", ""},
	{"map_cached", "a read through a mapping of what is in memory", file_warm, map_read, "in/file",
		"a", ""},
	{"fallocate", "fallocate that grows", file_open, allocate_longer, "in/file", "mc", ""},
	{"fallocate_keep", "fallocate that keeps the size", file_open, allocate_same, "in/file", "mc", ""},
	{"punch", "punching a hole", file_open, punch, "in/file", "mc", ""},
	{"lock", "a lock", file_open, lock_it, "in/file", "", ""},
	{"sendfile", "sendfile from it", file_cold_and_outside, sendfile_it, "in/file", "a", ""},
	{"copy_range", "copy_file_range within it", file_cold, copy_range, "in/file", "amc", ""},
	{"fifo_stat", "nothing at all, for a FIFO", fifo, nothing, "in/fifo", "", ""},
};

static void row_case(const void *arg)
{
	const struct row *row = arg;
	struct stamps before = {0}, folder_before;

	OK(mkdir("in", 0755));
	OK(row->prepare());
	if (row->path && strncmp(row->path, "in/", 3) == 0 && exists(row->path))
		before = stamps_set(row->path);
	else if (row->path)
		before = stamps_set(exists("in/file") ? "in/file" : "in/folder");
	folder_before = stamps_set("in");
	OK(row->act());
	if (row->path)
		STAMPS(row->path, before, row->moved);
	STAMPS("in", folder_before, row->folder_moved);
}

__attribute__((constructor)) static void register_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char what[200];

		snprintf(what, sizeof(what), "%s moves \"%s\", and of its folder \"%s\"", rows[i].what,
			rows[i].moved, rows[i].folder_moved);
		posix_register_row("times", rows[i].name, what, 0, row_case, &rows[i]);
	}
}

CASE(times, new_file_now, 0, "a new file's times are all the present, and alike")
{
	struct timespec now;
	struct stat st;

	make_file("file");
	clock_gettime(CLOCK_REALTIME, &now);
	st = stat_of("file");
	HOLDS(now.tv_sec - st.st_mtim.tv_sec <= 2 && now.tv_sec >= st.st_mtim.tv_sec);
	SAME(st.st_mtim.tv_sec, st.st_ctim.tv_sec);
	SAME(st.st_mtim.tv_nsec, st.st_ctim.tv_nsec);
	SAME(st.st_mtim.tv_nsec, st.st_atim.tv_nsec);
}

/* What is not in memory has to be asked for, so the file system hears of it. */
static void read_cold(int fd)
{
	char c;

	SAME(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	SAME(pread(fd, &c, 1, 0), 1);
}

CASE(times, relatime, 0, "a second read does not move atime again")
{
	struct stamps before;
	int fd;

	make_sized("file", 100);
	fd = open_ok("file", O_RDONLY);
	OK(fsync(fd));
	before = stamps_set("file");
	read_cold(fd);
	STAMPS("file", before, "a");
	before = stamps_get("file");
	nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	read_cold(fd);
	STAMPS("file", before, "");
}

CASE(times, flags_of_folder, 0, "FS_IOC_SETFLAGS of a folder moves its time of change")
{
	struct stamps before;
	int fd, flags;

	OK(mkdir("folder", 0755));
	fd = open_ok("folder", O_RDONLY);
	before = stamps_set("folder");
	OK(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags |= FS_NODUMP_FL;
	OK(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	STAMPS("folder", before, "c");
}

CASE(times, noatime_flag, 0, "O_NOATIME: a read moves nothing")
{
	struct stamps before;
	char c;
	int fd;

	make_sized("file", 100);
	fd = open_ok("file", O_RDONLY | O_NOATIME);
	before = stamps_set("file");
	SAME(pread(fd, &c, 1, 0), 1);
	STAMPS("file", before, "");
}

CASE(times, settable_after_write, 0, "times set after a write stay through fsync and close")
{
	const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000, .tv_nsec = 77}};
	int fd = open_ok("file", O_WRONLY | O_CREAT);

	SAME(write(fd, "text", 4), 4);
	OK(futimens(fd, times));
	OK(fsync(fd));
	OK(close(fd));
	SAME(stat_of("file").st_mtim.tv_sec, 2000);
	SAME(stat_of("file").st_mtim.tv_nsec, 77);
	SAME(stat_of("file").st_atim.tv_sec, 1000);
}

CASE(times, exchange, 0, "RENAME_EXCHANGE moves ctime of both, mtime and ctime of the folders")
{
	struct stamps a, b, in;

	OK(mkdir("in", 0755));
	make_file("in/a");
	make_file("b");
	a = stamps_set("in/a");
	b = stamps_set("b");
	in = stamps_set("in");
	OK(renameat2(AT_FDCWD, "in/a", AT_FDCWD, "b", RENAME_EXCHANGE));
	STAMPS("b", a, "c");
	STAMPS("in/a", b, "c");
	STAMPS("in", in, "mc");
}

CASE(times, replaced, 0, "the file that a rename replaces: ctime moves")
{
	struct stamps before;

	make_file("a");
	make_file("b");
	OK(link("b", "b-2"));
	before = stamps_set("b");
	OK(rename("a", "b"));
	STAMPS("b-2", before, "c");
}
