/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fallocate(2), copying between files in the kernel, and the end of all space. */
#include "tests/posix/posix.h"

#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>

CASE(fallocate, grows, 0, "blocks and size; the new part reads as zeroes")
{
	int fd = open_ok("file", O_RDWR | O_CREAT);
	char c = 1;

	SAME(write(fd, "abc", 3), 3);
	OK(fallocate(fd, 0, 0, 1 << 20));
	SAME(stat_of("file").st_size, 1 << 20);
	HOLDS(stat_of("file").st_blocks >= (1 << 20) / 512);
	SAME(pread(fd, &c, 1, 500000), 1);
	SAME(c, 0);
	SAME(pread(fd, &c, 1, 1), 1);
	SAME(c, 'b');
}

static void keep_size(bool synced)
{
	int fd = open_ok("file", O_RDWR | O_CREAT);
	char c;

	SAME(write(fd, "abc", 3), 3);
	if (synced)
		OK(fsync(fd));
	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 1 << 20));
	SAME(stat_of("file").st_size, 3);
	HOLDS(stat_of("file").st_blocks >= (1 << 20) / 512);
	SAME(pread(fd, &c, 1, 3), 0);
	OK(ftruncate(fd, 3));
	HOLDS(stat_of("file").st_blocks <= 16);
}

CASE(fallocate, keep_size, 0, "FALLOC_FL_KEEP_SIZE: blocks behind the end until a truncation")
{
	keep_size(true);
}

CASE(fallocate, keep_size_unsynced, 0, "... of a file that is not yet written out, too")
{
	keep_size(false);
}

CASE(fallocate, posix, 0, "posix_fallocate returns its errors as numbers")
{
	int fd = open_ok("file", O_RDWR | O_CREAT);

	SAME(posix_fallocate(fd, 100, 1000), 0);
	SAME(stat_of("file").st_size, 1100);
	SAME(posix_fallocate(fd, 0, 10), 0);
	SAME(stat_of("file").st_size, 1100);
	SAME(posix_fallocate(fd, 0, 0), EINVAL);
	SAME(posix_fallocate(fd, -1, 10), EINVAL);
	SAME(posix_fallocate(open_ok("file", O_RDONLY), 0, 10), EBADF);
}

CASE(fallocate, errors, 0, "EINVAL, EBADF, ENODEV, ESPIPE, EFBIG, EOPNOTSUPP for unknown modes")
{
	int fd = open_ok("file", O_RDWR | O_CREAT), pipes[2];

	FAILS(EINVAL, fallocate(fd, 0, -1, 1));
	FAILS(EINVAL, fallocate(fd, 0, 0, 0));
	FAILS(EINVAL, fallocate(fd, 0, 0, -1));
	FAILS(EBADF, fallocate(-1, 0, 0, 1));
	FAILS(EBADF, fallocate(open_ok("file", O_RDONLY), 0, 0, 1));
	FAILS(EFBIG, fallocate(fd, 0, INT64_MAX, 1));
	FAILS(EOPNOTSUPP, fallocate(fd, 0x4000, 0, 1));
	FAILS(EOPNOTSUPP, fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1));
	OK(pipe(pipes));
	FAILS(ESPIPE, fallocate(pipes[1], 0, 0, 1));
	OK(mkfifo("fifo", 0644));
	FAILS(ESPIPE, fallocate(open_ok("fifo", O_RDWR), 0, 0, 1));
	SAME(stat_of("file").st_size, 0);
}

CASE(fallocate, beyond_largest, 0, "beyond the largest file that 4 KiB blocks can have: EFBIG")
{
	int fd = open_ok("file", O_RDWR | O_CREAT);

	FAILS(EFBIG, fallocate(fd, 0, ((off_t)1 << 44) - 4096, 4097));
	FAILS(EFBIG, fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)1 << 44, 1));
}

static void all_zero(int fd, off_t from, off_t to)
{
	char data[4096];

	while (from < to) {
		size_t len = to - from < 4096 ? (size_t)(to - from) : 4096;

		SAME(pread(fd, data, len, from), len);
		for (size_t i = 0; i < len; i++)
			SAME(data[i], 0);
		from += (off_t)len;
	}
}

static void is_pattern(int fd, off_t from, off_t to, off_t shift)
{
	for (; from < to; from++) {
		uint8_t c;

		SAME(pread(fd, &c, 1, from), 1);
		SAME(c, pattern_at((uint64_t)(from + shift)));
	}
}

CASE(fallocate, punch_hole, 0, "FALLOC_FL_PUNCH_HOLE: zeroes, blocks come back, the size stays")
{
	int fd;

	make_sized("file", 100000);
	fd = open_ok("file", O_RDWR);
	OK(fsync(fd));
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5000, 60000));
	SAME(stat_of("file").st_size, 100000);
	is_pattern(fd, 4000, 5000, 0);
	all_zero(fd, 5000, 65000);
	is_pattern(fd, 65000, 66000, 0);
	HOLDS(stat_of("file").st_blocks <= 104);
	SAME(lseek(fd, 0, SEEK_HOLE), 8192);
	SAME(lseek(fd, 8192, SEEK_DATA), 61440);
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 200000, 1000));
	SAME(stat_of("file").st_size, 100000);
}

CASE(fallocate, zero_range, 0, "FALLOC_FL_ZERO_RANGE: zeroes, with and without growth")
{
	int fd;

	make_sized("file", 100000);
	fd = open_ok("file", O_RDWR);
	OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, 5000, 60000));
	all_zero(fd, 5000, 65000);
	is_pattern(fd, 4500, 5000, 0);
	is_pattern(fd, 65000, 65500, 0);
	OK(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 99000, 10000));
	SAME(stat_of("file").st_size, 100000);
	OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, 99000, 10000));
	SAME(stat_of("file").st_size, 109000);
	all_zero(fd, 99000, 109000);
}

CASE(fallocate, collapse_range, 0, "FALLOC_FL_COLLAPSE_RANGE takes blocks out; EINVAL unaligned or to the end")
{
	int fd;

	make_sized("file", 16 * 4096 + 100);
	fd = open_ok("file", O_RDWR);
	OK(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 4096, 2 * 4096));
	SAME(stat_of("file").st_size, 14 * 4096 + 100);
	is_pattern(fd, 4000, 4096, 0);
	is_pattern(fd, 4096, 4200, 2 * 4096);
	is_pattern(fd, 14 * 4096, 14 * 4096 + 100, 2 * 4096);
	FAILS(EINVAL, fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 100, 4096));
	FAILS(EINVAL, fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 4096, 100));
	FAILS(EINVAL, fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 13 * 4096, 2 * 4096));
	/* the former up to Linux 6.1, at least */
	HOLDS(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, 4096) < 0 &&
		(errno == EINVAL || errno == EOPNOTSUPP));
}

CASE(fallocate, insert_range, 0, "FALLOC_FL_INSERT_RANGE puts a hole in; EINVAL unaligned or at the end")
{
	int fd;

	make_sized("file", 4 * 4096 + 100);
	fd = open_ok("file", O_RDWR);
	OK(fallocate(fd, FALLOC_FL_INSERT_RANGE, 4096, 2 * 4096));
	SAME(stat_of("file").st_size, 6 * 4096 + 100);
	is_pattern(fd, 4000, 4096, 0);
	all_zero(fd, 4096, 3 * 4096);
	is_pattern(fd, 3 * 4096, 3 * 4096 + 200, -2 * 4096);
	FAILS(EINVAL, fallocate(fd, FALLOC_FL_INSERT_RANGE, 100, 4096));
	FAILS(EINVAL, fallocate(fd, FALLOC_FL_INSERT_RANGE, 4096, 100));
	FAILS(EINVAL, fallocate(fd, FALLOC_FL_INSERT_RANGE, 7 * 4096, 4096));
}

CASE(copy, range, 0, "copy_file_range: whole, short at the end, offsets moved")
{
	off_t from = 100, to = 5000;
	int in, out;

	make_sized("file", 50000);
	in = open_ok("file", O_RDONLY);
	out = open_ok("copy", O_RDWR | O_CREAT);
	SAME(copy_file_range(in, &from, out, &to, 20000, 0), 20000);
	SAME(from, 20100);
	SAME(to, 25000);
	all_zero(out, 0, 5000);
	is_pattern(out, 5000, 5500, 100 - 5000);
	is_pattern(out, 24500, 25000, 100 - 5000);
	from = 49000;
	SAME(copy_file_range(in, &from, out, NULL, 5000, 0), 1000);
	from = 60000;
	SAME(copy_file_range(in, &from, out, NULL, 5000, 0), 0);
}

CASE(copy, range_errors, 0, "copy_file_range: EINVAL overlap and flags, EBADF, EISDIR")
{
	off_t from = 0, to = 10;
	int in, out;

	make_sized("file", 5000);
	in = open_ok("file", O_RDWR);
	out = open_ok("copy", O_RDWR | O_CREAT);
	FAILS(EINVAL, copy_file_range(in, &from, in, &to, 100, 0));
	FAILS(EINVAL, copy_file_range(in, NULL, out, NULL, 100, 77));
	FAILS(EBADF, copy_file_range(-1, NULL, out, NULL, 100, 0));
	FAILS(EBADF, copy_file_range(in, NULL, open_ok("copy", O_RDONLY), NULL, 100, 0));
	FAILS(EBADF, copy_file_range(open_ok("file", O_WRONLY), NULL, out, NULL, 100, 0));
	FAILS(EBADF, copy_file_range(in, NULL, open_ok("copy", O_WRONLY | O_APPEND), NULL, 100, 0));
	FAILS(EISDIR, copy_file_range(open_ok(".", O_RDONLY), NULL, out, NULL, 100, 0));
}

CASE(copy, sendfile, 0, "sendfile: to a file and to a pipe; offset moved or kept")
{
	int in, out, pipes[2];
	off_t off = 1000;
	uint8_t data[500];

	make_sized("file", 5000);
	in = open_ok("file", O_RDONLY);
	out = open_ok("copy", O_RDWR | O_CREAT);
	SAME(sendfile(out, in, &off, 10000), 4000);
	SAME(off, 5000);
	SAME(lseek(in, 0, SEEK_CUR), 0);
	is_pattern(out, 0, 4000, 1000);
	OK(pipe(pipes));
	SAME(sendfile(pipes[1], in, NULL, 500), 500);
	SAME(lseek(in, 0, SEEK_CUR), 500);
	SAME(read(pipes[0], data, 500), 500);
	SAME(data[499], pattern_at(499));
	FAILS(EBADF, sendfile(-1, in, NULL, 1));
	FAILS(EBADF, sendfile(open_ok("copy", O_RDONLY), in, NULL, 1));
}

CASE(copy, splice, 0, "splice and tee: file to pipe to file")
{
	int in, out, pipes[2];
	loff_t at = 100;

	make_sized("file", 5000);
	in = open_ok("file", O_RDONLY);
	out = open_ok("copy", O_RDWR | O_CREAT);
	OK(pipe(pipes));
	SAME(splice(in, &at, pipes[1], NULL, 1000, 0), 1000);
	SAME(at, 1100);
	at = 50;
	SAME(splice(pipes[0], NULL, out, &at, 1000, 0), 1000);
	SAME(stat_of("copy").st_size, 1050);
	is_pattern(out, 50, 1050, 50);
	FAILS(EINVAL, splice(in, NULL, out, NULL, 100, 0));
	FAILS(ESPIPE, splice(in, NULL, pipes[1], &at, 100, 0));
	FAILS(EINVAL, splice(pipes[0], NULL, open_ok("copy", O_WRONLY | O_APPEND), NULL, 1, 0));
}

CASE(copy, clone, 0, "FICLONE: no shared blocks here: EOPNOTSUPP")
{
	int in, out;

	make_sized("file", 5000);
	in = open_ok("file", O_RDONLY);
	out = open_ok("copy", O_RDWR | O_CREAT);
	FAILS(EOPNOTSUPP, ioctl(out, FICLONE, in));
}

/* ---- full ---- */

enum { CHUNK = 1 << 20 };

/* Writes until nothing fits any more; the errno, 0 if that never came. */
static int fill_up(int fd, bool synced)
{
	static char chunk[CHUNK];
	struct statvfs fs;

	OK(statvfs(".", &fs));
	memset(chunk, 'f', sizeof(chunk));
	for (uint64_t i = 0; i <= fs.f_bfree * fs.f_frsize / CHUNK + 1; i++) {
		ssize_t len = write(fd, chunk, sizeof(chunk));

		if (len < 0 || (synced && fsync(fd) < 0))
			return errno;
		if (len < (ssize_t)sizeof(chunk) && write(fd, chunk, sizeof(chunk)) < 0)
			return errno;
	}
	return 0;
}

CASE(full, write, 0, "a full drive: ENOSPC, at the latest at fsync; removing makes room again")
{
	int fd = open_ok("filler", O_WRONLY | O_CREAT), error;
	struct statvfs fs;
	off_t size;

	error = fill_up(fd, true);
	SAME(error, ENOSPC);
	OK(statvfs(".", &fs));
	HOLDS(fs.f_bavail * fs.f_frsize < 2 * CHUNK);
	size = stat_of("filler").st_size;
	HOLDS(size > 0);
	OK(close(fd));
	OK(unlink("filler"));
	make_sized("file", 100000);
	OK(fsync(open_ok("file", O_RDONLY)));
}

CASE(full, write_at_once, 0, "a full drive: ENOSPC by write itself, before anything is lost")
{
	int fd = open_ok("filler", O_WRONLY | O_CREAT), error, sync_errno;
	struct statvfs fs;

	OK(statvfs(".", &fs));
	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)(fs.f_bavail * fs.f_frsize) - 4 * CHUNK));
	fd = open_ok("filler-2", O_WRONLY | O_CREAT);
	error = fill_up(fd, false);
	sync_errno = fsync(fd) < 0 ? errno : 0;
	if (sync_errno) /* met here, and not by the next case */
		SAME(syncfs(fd), -1);
	SAME(error, ENOSPC);
	SAME(sync_errno, 0);
}

CASE(full, fallocate, 0, "fallocate of more than there is: ENOSPC, the size stays")
{
	int fd = open_ok("filler", O_WRONLY | O_CREAT);
	struct statvfs fs;

	OK(statvfs(".", &fs));
	FAILS(ENOSPC, fallocate(fd, 0, 0, (off_t)((fs.f_bfree + 1000) * fs.f_frsize)));
	OK(ftruncate(fd, 0));
	SAME(stat_of("filler").st_blocks, 0);
}

CASE(full, names, 0, "on a full drive names can still be removed, renamed and linked")
{
	char name[20] = "more";
	int fd;

	make_file("a");
	make_file("b");
	OK(mkdir("folder", 0755));
	fd = open_ok("filler", O_WRONLY | O_CREAT);
	for (off_t room = 1 << 30, at = 0; room >= 1024;) {
		if (fallocate(fd, FALLOC_FL_KEEP_SIZE, at, room) == 0) {
			at += room;
			continue;
		}
		SAME(errno, ENOSPC);
		room /= 2;
	}
	/* Where metadata may take more than fallocate, there is more to fill. */
	for (int i = 0; mkdir(name, 0755) == 0; i++) {
		HOLDS(i < 30000);
		snprintf(name, sizeof(name), "more/%d", i);
	}
	SAME(errno, ENOSPC);
	OK(rename("a", "c"));
	OK(link("b", "d"));
	OK(unlink("b"));
	OK(rename("c", "folder/c"));
	OK(chmod("d", 0600));
	OK(unlink("filler"));
	HOLDS(exists("d") && exists("folder/c") && !exists("a") && !exists("b"));
}

CASE(full, reserve, NEEDS_ROOT, "what is reserved for root is left: others get ENOSPC, root has room")
{
	struct statvfs fs;
	int fd;

	OK(chmod(".", 0777));
	become(1001, 1001);
	fd = open_ok("filler", O_WRONLY | O_CREAT);
	for (off_t room = 1 << 30, at = 0; room >= 1024;) {
		if (fallocate(fd, FALLOC_FL_KEEP_SIZE, at, room) == 0) {
			at += room;
			continue;
		}
		SAME(errno, ENOSPC);
		room /= 2;
	}
	OK(statvfs(".", &fs));
	SAME(fs.f_bavail, 0);
	HOLDS(fs.f_bfree > 0);
	FAILS(ENOSPC, mkdir("new", 0755));
	become_root();
	OK(mkdir("root", 0755));
	OK(fallocate(open_ok("root/file", O_WRONLY | O_CREAT), 0, 0, CHUNK));
}
