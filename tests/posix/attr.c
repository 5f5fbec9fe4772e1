/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stat(2), statx(2), statvfs(3), truncate(2), chmod(2), utimensat(2). */
#include "tests/posix/posix.h"

#include <linux/stat.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>

static int statx_of(int dirfd, const char *path, int flags, unsigned mask, struct statx *ret)
{
	return (int)syscall(SYS_statx, dirfd, path, flags, mask, ret);
}

CASE(stat, fields, 0, "size, blocks, block size, device, type")
{
	struct stat st, dir;

	make_sized("file", 10000);
	OK(close(open_ok("file", O_RDONLY)));
	OK(fsync(open_ok("file", O_RDONLY)));
	st = stat_of("file");
	dir = stat_of(".");
	SAME(st.st_size, 10000);
	HOLDS(st.st_blocks >= 20 && st.st_blocks <= 32);
	HOLDS(st.st_blksize >= 512 && st.st_blksize % 512 == 0);
	SAME(st.st_dev, dir.st_dev);
	HOLDS(st.st_ino != dir.st_ino);
}

CASE(stat, fstat_same, 0, "stat, lstat, fstat and fstatat agree")
{
	struct stat a, b, c, d;
	int fd;

	make_sized("file", 123);
	fd = open_ok("file", O_RDONLY);
	OK(stat("file", &a));
	OK(lstat("file", &b));
	OK(fstat(fd, &c));
	OK(fstatat(fd, "", &d, AT_EMPTY_PATH));
	SAME(memcmp(&a, &b, sizeof(a)), 0);
	SAME(memcmp(&a, &c, sizeof(a)), 0);
	SAME(memcmp(&a, &d, sizeof(a)), 0);
}

CASE(stat, follows, 0, "stat follows links, lstat and AT_SYMLINK_NOFOLLOW do not")
{
	struct stat st;

	make_file("file");
	OK(symlink("file", "link"));
	OK(stat("link", &st));
	HOLDS(S_ISREG(st.st_mode));
	OK(fstatat(AT_FDCWD, "link", &st, 0));
	HOLDS(S_ISREG(st.st_mode));
	OK(fstatat(AT_FDCWD, "link", &st, AT_SYMLINK_NOFOLLOW));
	HOLDS(S_ISLNK(st.st_mode));
	OK(lstat("link", &st));
	HOLDS(S_ISLNK(st.st_mode));
}

CASE(stat, bad_descriptor, 0, "EBADF, EINVAL for unknown flags, ENOTDIR")
{
	struct stat st;
	int fd;

	make_file("file");
	fd = open_ok("file", O_RDONLY);
	FAILS(EBADF, fstat(-1, &st));
	FAILS(EBADF, fstatat(-5, "x", &st, 0));
	FAILS(ENOTDIR, fstatat(fd, "x", &st, 0));
	FAILS(EINVAL, fstatat(AT_FDCWD, "file", &st, 0x20000000));
}

CASE(statx, basic, 0, "statx gives what stat gives, and says so in its mask")
{
	struct statx sx;
	struct stat st;

	make_sized("file", 5000);
	st = stat_of("file");
	OK(statx_of(AT_FDCWD, "file", AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &sx));
	SAME(sx.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	SAME(sx.stx_size, st.st_size);
	SAME(sx.stx_blocks, st.st_blocks);
	SAME(sx.stx_mode, st.st_mode);
	SAME(sx.stx_nlink, st.st_nlink);
	SAME(sx.stx_uid, st.st_uid);
	SAME(sx.stx_ino, st.st_ino);
	SAME(sx.stx_mtime.tv_sec, st.st_mtim.tv_sec);
	SAME(sx.stx_mtime.tv_nsec, st.st_mtim.tv_nsec);
	SAME(makedev(sx.stx_dev_major, sx.stx_dev_minor), st.st_dev);
}

CASE(statx, birth_time, 0, "the time of birth is there, and stays")
{
	struct statx before, after;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	make_file("file");
	OK(statx_of(AT_FDCWD, "file", 0, STATX_BTIME, &before));
	HOLDS(before.stx_mask & STATX_BTIME);
	HOLDS(before.stx_btime.tv_sec >= now.tv_sec - 1 && before.stx_btime.tv_sec <= now.tv_sec + 10);
	stamps_set("file");
	write_file("file", "text");
	OK(rename("file", "new"));
	OK(statx_of(AT_FDCWD, "new", 0, STATX_BTIME, &after));
	SAME(after.stx_btime.tv_sec, before.stx_btime.tv_sec);
	SAME(after.stx_btime.tv_nsec, before.stx_btime.tv_nsec);
}

CASE(statx, bad_arguments, 0, "EINVAL for a reserved mask and contradicting flags")
{
	struct statx sx;

	make_file("file");
	FAILS(EINVAL, statx_of(AT_FDCWD, "file", 0, STATX__RESERVED, &sx));
	FAILS(EINVAL, statx_of(AT_FDCWD, "file", AT_STATX_SYNC_TYPE, STATX_BASIC_STATS, &sx));
	FAILS(EFAULT, statx_of(AT_FDCWD, "file", 0, STATX_BASIC_STATS, (struct statx *)-1L));
}

CASE(statx, mount_id_and_root, 0, "no attribute says compressed, encrypted, immutable, append-only")
{
	struct statx sx;

	make_file("file");
	OK(statx_of(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &sx));
	SAME(sx.stx_attributes & (STATX_ATTR_COMPRESSED | STATX_ATTR_ENCRYPTED |
			STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND), 0);
}

CASE(statvfs, fields, 0, "statvfs and fstatvfs: sizes, counts, longest name")
{
	struct statvfs a, b;

	OK(statvfs(".", &a));
	OK(fstatvfs(open_ok(".", O_RDONLY), &b));
	SAME(a.f_namemax, 255);
	HOLDS(a.f_frsize >= 1024 && a.f_frsize <= 65536);
	SAME(a.f_frsize, b.f_frsize);
	SAME(a.f_blocks, b.f_blocks);
	SAME(a.f_files, b.f_files);
	HOLDS(a.f_blocks > a.f_bfree);
	HOLDS(a.f_bfree >= a.f_bavail);
	HOLDS(a.f_files > a.f_ffree);
	HOLDS(a.f_favail > 0 && a.f_favail <= a.f_ffree);
	SAME(a.f_flag & ST_RDONLY, 0);
	FAILS(EBADF, fstatvfs(-1, &a));
}

static fsfilcnt_t inodes_free(void)
{
	struct statvfs fs;

	OK(statvfs(".", &fs));
	return fs.f_ffree;
}

/* Inodes may be freed a little later than their names go, so another case's as well. */
static bool free_inodes_become(fsfilcnt_t wanted)
{
	for (int i = 0; i < 100; i++) {
		if (inodes_free() == wanted)
			return true;
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	}
	return false;
}

CASE(statvfs, counts_inodes, 0, "an inode more, an inode less")
{
	fsfilcnt_t before;

	nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
	before = inodes_free();
	make_file("file");
	OK(mkdir("folder", 0755));
	OK(symlink("x", "link"));
	SAME(before - inodes_free(), 3);
	OK(unlink("file"));
	OK(rmdir("folder"));
	OK(unlink("link"));
	HOLDS(free_inodes_become(before));
}

CASE(truncate, shrinks_and_grows, 0, "what is cut is gone, what is added is zero")
{
	char data[200];

	make_sized("file", 200);
	OK(truncate("file", 100));
	SAME(stat_of("file").st_size, 100);
	OK(truncate("file", 200));
	SAME(read(open_ok("file", O_RDONLY), data, 200), 200);
	for (int i = 0; i < 200; i++)
		SAME((uint8_t)data[i], i < 100 ? pattern_at((uint64_t)i) : 0);
}

CASE(truncate, ftruncate_growing, 0, "ftruncate grows without blocks, and leaves the offset")
{
	int fd = open_ok("file", O_RDWR | O_CREAT);

	SAME(write(fd, "abc", 3), 3);
	OK(ftruncate(fd, 10 << 20));
	SAME(lseek(fd, 0, SEEK_CUR), 3);
	SAME(lseek(fd, 0, SEEK_END), 10 << 20);
	OK(fsync(fd));
	HOLDS(stat_of("file").st_blocks <= 128);
	OK(ftruncate(fd, 0));
	SAME(stat_of("file").st_blocks, 0);
}

CASE(truncate, bad_arguments, 0, "EINVAL: negative, FIFO, not open for writing; EISDIR; EBADF")
{
	int fd;

	write_file("file", "text");
	OK(mkfifo("fifo", 0644));
	OK(mkdir("folder", 0755));
	FAILS(EINVAL, truncate("file", -1));
	FAILS(EINVAL, truncate("fifo", 0));
	FAILS(EISDIR, truncate("folder", 0));
	FAILS(EBADF, ftruncate(-1, 0));
	fd = open_ok("file", O_RDONLY);
	FAILS(EINVAL, ftruncate(fd, 0));
	fd = open_ok("file", O_RDWR);
	FAILS(EINVAL, ftruncate(fd, -1));
	FAILS(EINVAL, ftruncate(open_ok("folder", O_RDONLY), 0));
	HOLDS(file_is("file", "text"));
}

CASE(truncate, rights, NEEDS_ROOT, "truncate needs the right to write: EACCES")
{
	write_file("file", "text");
	become(1001, 1001);
	FAILS(EACCES, truncate("file", 0));
	HOLDS(file_is("file", "text"));
}

CASE(truncate, beyond_limit, 0, "beyond RLIMIT_FSIZE: EFBIG and SIGXFSZ")
{
	struct rlimit limit = {.rlim_cur = 10000, .rlim_max = 10000};
	int fd = open_ok("file", O_RDWR | O_CREAT);

	signal(SIGXFSZ, SIG_IGN);
	OK(setrlimit(RLIMIT_FSIZE, &limit));
	OK(ftruncate(fd, 10000));
	FAILS(EFBIG, ftruncate(fd, 10001));
	FAILS(EFBIG, pwrite(fd, "x", 1, 10000));
	SAME(pwrite(fd, "xyz", 3, 9999), 1);
	SAME(stat_of("file").st_size, 10000);
}

CASE(truncate, largest, 0, "the largest file that 4 KiB blocks can have, and not a byte more: EFBIG")
{
	const off_t largest = ((off_t)1 << 44) - 4096;
	int fd = open_ok("file", O_RDWR | O_CREAT);
	char c = 1;

	OK(ftruncate(fd, largest));
	SAME(stat_of("file").st_size, largest);
	SAME(pread(fd, &c, 1, largest - 1), 1);
	SAME(c, 0);
	FAILS(EFBIG, ftruncate(fd, largest + 1));
	FAILS(EFBIG, truncate("file", INT64_MAX));
	SAME(stat_of("file").st_size, largest);
	SAME(pwrite(fd, "x", 1, largest - 1), 1);
	OK(fsync(fd));
	OK(ftruncate(fd, 0));
}

CASE(truncate, fifo_and_links, 0, "truncate follows links")
{
	write_file("file", "text");
	OK(symlink("file", "link"));
	OK(truncate("link", 2));
	HOLDS(file_is("file", "te"));
}

CASE(chmod, all_modes, 0, "all 4096 modes of a file are kept")
{
	make_file("file");
	for (mode_t mode = 0; mode <= 07777; mode += 7) {
		OK(chmod("file", mode));
		SAME(mode_of("file"), mode);
	}
}

CASE(chmod, folder_modes, 0, "modes of folders, FIFOs, by path and by descriptor")
{
	int fd;

	OK(mkdir("folder", 0755));
	OK(chmod("folder", 07711));
	SAME(mode_of("folder"), 07711);
	fd = open_ok("folder", O_RDONLY);
	OK(fchmod(fd, 0700));
	SAME(mode_of("folder"), 0700);
	OK(mkfifo("fifo", 0644));
	OK(chmod("fifo", 0600));
	SAME(mode_of("fifo"), 0600);
	FAILS(EBADF, fchmod(-1, 0600));
	FAILS(EBADF, fchmodat(-5, "x", 0600, 0));
}

CASE(chmod, follows, 0, "chmod follows links; the mode of a link cannot be changed: EOPNOTSUPP")
{
	make_file("file");
	OK(symlink("file", "link"));
	OK(chmod("link", 0600));
	SAME(mode_of("file"), 0600);
	SAME(mode_of("link"), 0777);
	FAILS(EOPNOTSUPP, fchmodat(AT_FDCWD, "link", 0600, AT_SYMLINK_NOFOLLOW));
	SAME(mode_of("link"), 0777);
}

CASE(chmod, type_stays, 0, "type bits in the mode are ignored")
{
	make_file("file");
	OK(chmod("file", S_IFDIR | 0640));
	SAME(stat_of("file").st_mode, S_IFREG | 0640);
}

CASE(utimens, exact, 0, "times to the nanosecond, before 1970 and far ahead")
{
	static const struct timespec rows[][2] = {
		{{0, 0}, {0, 1}}, {{1, 999999999}, {2, 123456789}}, {{-1, 0}, {-1, 999999999}},
		{{-0x7fffffffL, 3}, {0x7fffffff, 999999999}}, {{0x80000000L, 5}, {0xffffffffL, 6}},
		{{0x100000000L, 7}, {0x37ffffffeL, 8}},
	};

	make_file("file");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stat st;

		OK(utimensat(AT_FDCWD, "file", rows[i], 0));
		st = stat_of("file");
		SAME(st.st_atim.tv_sec, rows[i][0].tv_sec);
		SAME(st.st_atim.tv_nsec, rows[i][0].tv_nsec);
		SAME(st.st_mtim.tv_sec, rows[i][1].tv_sec);
		SAME(st.st_mtim.tv_nsec, rows[i][1].tv_nsec);
	}
}

CASE(utimens, out_of_range, 0, "times that cannot be stored become the nearest that can")
{
	struct timespec times[2] = {{-0x80000001L, 5}, {0x380000000L, 5}};
	struct stat st;

	make_file("file");
	OK(utimensat(AT_FDCWD, "file", times, 0));
	st = stat_of("file");
	SAME(st.st_atim.tv_sec, -0x80000000L);
	SAME(st.st_mtim.tv_sec, 0x37fffffffL);
	SAME(st.st_atim.tv_nsec, 0);
	SAME(st.st_mtim.tv_nsec, 0);
	times[0] = (struct timespec){-0x80000000L, 5};
	times[1] = (struct timespec){0x37fffffffL, 5};
	OK(utimensat(AT_FDCWD, "file", times, 0));
	st = stat_of("file");
	SAME(st.st_atim.tv_sec, -0x80000000L);
	SAME(st.st_mtim.tv_sec, 0x37fffffffL);
	SAME(st.st_atim.tv_nsec, 0);
	SAME(st.st_mtim.tv_nsec, 0);
}

CASE(utimens, omit, 0, "UTIME_OMIT leaves a time; both omitted: nothing changes, not even ctime")
{
	struct timespec times[2] = {{.tv_sec = 5}, {.tv_nsec = UTIME_OMIT}};
	struct stamps before;
	struct stat st;

	make_file("file");
	before = stamps_set("file");
	OK(utimensat(AT_FDCWD, "file", times, 0));
	st = stat_of("file");
	SAME(st.st_atim.tv_sec, 5);
	SAME(st.st_mtim.tv_sec, before.m.tv_sec);
	times[0] = (struct timespec){.tv_nsec = UTIME_OMIT};
	times[1] = (struct timespec){.tv_sec = 6};
	OK(utimensat(AT_FDCWD, "file", times, 0));
	st = stat_of("file");
	SAME(st.st_atim.tv_sec, 5);
	SAME(st.st_mtim.tv_sec, 6);
	before = stamps_set("file");
	times[1].tv_nsec = UTIME_OMIT;
	OK(utimensat(AT_FDCWD, "file", times, 0));
	STAMPS("file", before, "");
}

CASE(utimens, now, 0, "UTIME_NOW and NULL: the present")
{
	struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
	struct stamps before;

	make_file("file");
	before = stamps_set("file");
	OK(utimensat(AT_FDCWD, "file", times, 0));
	STAMPS("file", before, "ac");
	before = stamps_set("file");
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_NOW;
	OK(utimensat(AT_FDCWD, "file", times, 0));
	STAMPS("file", before, "mc");
	before = stamps_set("file");
	OK(utimensat(AT_FDCWD, "file", NULL, 0));
	STAMPS("file", before, "amc");
	before = stamps_set("file");
	OK(utimes("file", NULL));
	STAMPS("file", before, "amc");
}

CASE(utimens, explicit_moves_ctime, 0, "setting times to what they are moves ctime")
{
	struct timespec times[2];
	struct stamps before;

	make_file("file");
	before = stamps_set("file");
	times[0] = before.a;
	times[1] = before.m;
	OK(utimensat(AT_FDCWD, "file", times, 0));
	STAMPS("file", before, "c");
}

CASE(utimens, bad_arguments, 0, "nanoseconds out of range: EINVAL; EBADF; unknown flags: EINVAL")
{
	struct timespec times[2] = {{.tv_nsec = 1000000000}, {.tv_sec = 1}};

	make_file("file");
	FAILS(EINVAL, utimensat(AT_FDCWD, "file", times, 0));
	times[0].tv_nsec = -1;
	FAILS(EINVAL, utimensat(AT_FDCWD, "file", times, 0));
	times[0].tv_nsec = 0;
	FAILS(EINVAL, utimensat(AT_FDCWD, "file", times, 0x20000000));
	FAILS(EBADF, utimensat(-5, "file", times, 0));
	FAILS(EBADF, futimens(-1, times));
}

CASE(utimens, of_link, 0, "AT_SYMLINK_NOFOLLOW sets a link's own times")
{
	const struct timespec times[2] = {{.tv_sec = 100}, {.tv_sec = 200}};

	make_file("file");
	OK(symlink("file", "link"));
	OK(utimensat(AT_FDCWD, "link", times, AT_SYMLINK_NOFOLLOW));
	SAME(stat_of("link").st_mtim.tv_sec, 200);
	HOLDS(stat_of("file").st_mtim.tv_sec > 1000);
	OK(utimensat(AT_FDCWD, "link", times, 0));
	SAME(stat_of("file").st_mtim.tv_sec, 200);
}

CASE(utimens, rights, NEEDS_ROOT, "who may write sets the present, only the owner other times")
{
	const struct timespec some[2] = {{.tv_sec = 100}, {.tv_sec = 200}};
	const struct timespec half[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
	const struct timespec now[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
	const struct timespec none[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};

	make_file("file");
	OK(chown("file", 1001, 1001));
	OK(chmod("file", 0666));
	become(1002, 1002);
	OK(utimensat(AT_FDCWD, "file", NULL, 0));
	OK(utimensat(AT_FDCWD, "file", now, 0));
	FAILS(EPERM, utimensat(AT_FDCWD, "file", some, 0));
	FAILS(EPERM, utimensat(AT_FDCWD, "file", half, 0));
	become(1001, 1001);
	OK(chmod("file", 0444));
	OK(utimensat(AT_FDCWD, "file", some, 0));
	OK(utimensat(AT_FDCWD, "file", NULL, 0));
	become(1002, 1002);
	FAILS(EACCES, utimensat(AT_FDCWD, "file", NULL, 0));
	OK(utimensat(AT_FDCWD, "file", none, 0));
}
