/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* read(2), write(2) and all their forms, lseek(2), fsync(2). */
#include "tests/posix/posix.h"

#include <signal.h>
#include <sys/uio.h>
#include <sys/wait.h>

CASE(read, at_the_end, 0, "read stops at the end, and returns 0 behind it")
{
	char data[10];
	int fd;

	write_file("file", "text");
	fd = open_ok("file", O_RDONLY);
	SAME(read(fd, data, 3), 3);
	SAME(read(fd, data, 10), 1);
	SAME(data[0], 't');
	SAME(read(fd, data, 10), 0);
	SAME(pread(fd, data, 10, 4), 0);
	SAME(pread(fd, data, 10, 1000000), 0);
	SAME(lseek(fd, 0, SEEK_CUR), 4);
}

CASE(read, bad_arguments, 0, "read: EBADF, EFAULT, EISDIR; pread: EINVAL, ESPIPE")
{
	char *volatile nowhere = (char *)-1L, c;
	int fd, pipes[2];

	write_file("file", "text");
	fd = open_ok("file", O_RDONLY);
	FAILS(EBADF, read(-1, &c, 1));
	FAILS(EFAULT, read(fd, nowhere, 1));
	FAILS(EISDIR, read(open_ok(".", O_RDONLY), &c, 1));
	FAILS(EINVAL, pread(fd, &c, 1, -1));
	OK(pipe(pipes));
	FAILS(ESPIPE, pread(pipes[0], &c, 1, 0));
	SAME(lseek(fd, 0, SEEK_CUR), 0);
}

CASE(read, nothing, 0, "read of no bytes returns 0 and moves nothing")
{
	char c;
	int fd;

	write_file("file", "text");
	fd = open_ok("file", O_RDONLY);
	SAME(read(fd, &c, 0), 0);
	SAME(lseek(fd, 0, SEEK_CUR), 0);
}

CASE(read, vectors, 0, "readv and preadv fill buffer after buffer")
{
	char a[2], b[3], c[10];
	struct iovec vec[] = {{a, 2}, {b, 3}, {c, 10}};
	volatile int negative = -1, many = IOV_MAX + 1;
	int fd;

	write_file("file", "abcdefgh");
	fd = open_ok("file", O_RDONLY);
	SAME(readv(fd, vec, 3), 8);
	SAME(memcmp(a, "ab", 2) || memcmp(b, "cde", 3) || memcmp(c, "fgh", 3), 0);
	SAME(preadv(fd, vec, 2, 3), 5);
	SAME(memcmp(a, "de", 2) || memcmp(b, "fgh", 3), 0);
	SAME(preadv2(fd, vec, 1, 0, 0), 2);
	SAME(lseek(fd, 0, SEEK_CUR), 8);
	FAILS(EINVAL, readv(fd, vec, negative));
	FAILS(EINVAL, readv(fd, vec, many));
	SAME(readv(fd, vec, 0), 0);
}

CASE(read, across_pages, 0, "reads of all alignments give the right bytes")
{
	enum { BYTES = 300000 };
	static uint8_t data[BYTES];
	int fd;

	make_sized("file", BYTES);
	fd = open_ok("file", O_RDONLY);
	for (int off = 0; off < BYTES; off += 4093 * 7) {
		for (int len = 1; off + len < BYTES; len = len * 3 + 1) {
			SAME(pread(fd, data, (size_t)len, off), len);
			for (int i = 0; i < len; i++)
				if (data[i] != pattern_at((uint64_t)(off + i)))
					SAME(data[i], pattern_at((uint64_t)(off + i)));
		}
	}
}

CASE(write, extends, 0, "write at the end extends, in the middle replaces")
{
	int fd = open_ok("file", O_RDWR | O_CREAT);

	SAME(write(fd, "abc", 3), 3);
	SAME(write(fd, "def", 3), 3);
	SAME(pwrite(fd, "X", 1, 1), 1);
	SAME(lseek(fd, 0, SEEK_CUR), 6);
	HOLDS(file_is("file", "aXcdef"));
}

CASE(write, bad_arguments, 0, "write: EBADF, EFAULT; pwrite: EINVAL, ESPIPE; nothing is changed")
{
	char *volatile nowhere = (char *)-1L;
	int fd, pipes[2];

	write_file("file", "text");
	fd = open_ok("file", O_RDWR);
	FAILS(EBADF, write(-1, "x", 1));
	FAILS(EFAULT, write(fd, nowhere, 10));
	FAILS(EINVAL, pwrite(fd, "x", 1, -1));
	OK(pipe(pipes));
	FAILS(ESPIPE, pwrite(pipes[1], "x", 1, 0));
	HOLDS(file_is("file", "text"));
}

CASE(write, nothing, 0, "write of no bytes: no change, no growth")
{
	int fd = open_ok("file", O_RDWR | O_CREAT);

	SAME(write(fd, "", 0), 0);
	SAME(pwrite(fd, "", 0, 1000), 0);
	SAME(stat_of("file").st_size, 0);
}

CASE(write, vectors, 0, "writev and pwritev take buffer after buffer")
{
	char a[] = "ab", b[] = "", c[] = "cdef";
	struct iovec vec[] = {{a, 2}, {b, 0}, {c, 4}};
	volatile int negative = -1, many = IOV_MAX + 1;
	int fd = open_ok("file", O_RDWR | O_CREAT);

	SAME(writev(fd, vec, 3), 6);
	SAME(pwritev(fd, vec, 3, 10), 6);
	SAME(lseek(fd, 0, SEEK_CUR), 6);
	SAME(stat_of("file").st_size, 16);
	FAILS(EINVAL, writev(fd, vec, negative));
	FAILS(EINVAL, writev(fd, vec, many));
	FAILS(EBADF, writev(-1, vec, 1));
	FAILS(EFAULT, writev(fd, (struct iovec *)-1L, 1));
}

CASE(write, holes_are_zero, 0, "a write beyond the end leaves zeroes between")
{
	static char data[200000];
	int fd;

	make_sized("file", 1000);
	fd = open_ok("file", O_RDWR);
	SAME(pwrite(fd, "end", 3, 150000), 3);
	SAME(pread(fd, data, sizeof(data), 0), 150003);
	for (int i = 0; i < 150000; i++)
		if ((uint8_t)data[i] != (i < 1000 ? pattern_at((uint64_t)i) : 0))
			SAME(data[i], 0);
	SAME(memcmp(data + 150000, "end", 3), 0);
}

CASE(write, large_offsets, 0, "files beyond 2 and 4 GiB, sparse")
{
	static const off_t offs[] = {0x7fffffffL, 0x80000000L, 0xffffffffL, 0x100000000L, 1L << 40};
	int fd = open_ok("file", O_RDWR | O_CREAT);
	char c;

	for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
		SAME(pwrite(fd, &(char){(char)('a' + i)}, 1, offs[i]), 1);
		SAME(stat_of("file").st_size, offs[i] + 1);
	}
	for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
		SAME(pread(fd, &c, 1, offs[i]), 1);
		SAME(c, 'a' + (char)i);
		SAME(pread(fd, &c, 1, offs[i] - 1), 1);
		if (offs[i] != 0x80000000L && offs[i] != 0x100000000L)
			SAME(c, 0);
	}
	OK(fsync(fd));
	HOLDS(stat_of("file").st_blocks < 1000);
}

CASE(write, append, 0, "O_APPEND: always at the end, whatever the offset")
{
	int one = open_ok("file", O_WRONLY | O_CREAT | O_APPEND), two = open_ok("file", O_RDWR | O_APPEND);
	char c;

	SAME(write(one, "a", 1), 1);
	SAME(write(two, "b", 1), 1);
	SAME(lseek(one, 0, SEEK_SET), 0);
	SAME(write(one, "c", 1), 1);
	SAME(lseek(one, 0, SEEK_CUR), 3);
	SAME(pread(two, &c, 1, 0), 1);
	SAME(c, 'a');
	SAME(pwrite(two, "d", 1, 0), 1); /* Linux: O_APPEND wins */
	HOLDS(file_is("file", "abcd"));
}

CASE(write, append_many, 0, "four processes append: no record is lost, torn or doubled")
{
	enum { WRITERS = 4, RECORDS = 500, RECORD = 16 };
	char record[RECORD + 1];
	int seen[WRITERS] = {0}, status, writer, number, fd;

	make_file("file");
	for (writer = 0; writer < WRITERS; writer++) {
		if (OK(fork()) > 0)
			continue;
		fd = open_ok("file", O_WRONLY | O_APPEND);
		for (number = 0; number < RECORDS; number++) {
			snprintf(record, sizeof(record), "%1d:%012d;\n", writer, number);
			SAME(write(fd, record, RECORD), RECORD);
		}
		_exit(0);
	}
	for (writer = 0; writer < WRITERS; writer++) {
		OK(wait(&status));
		SAME(status, 0);
	}
	SAME(stat_of("file").st_size, WRITERS * RECORDS * RECORD);
	fd = open_ok("file", O_RDONLY);
	record[RECORD] = '\0';
	while (OK(read(fd, record, RECORD)) == RECORD) {
		SAME(sscanf(record, "%d:%d;", &writer, &number), 2);
		HOLDS(writer >= 0 && writer < WRITERS);
		SAME(number, seen[writer]++);
	}
	for (writer = 0; writer < WRITERS; writer++)
		SAME(seen[writer], RECORDS);
}

CASE(write, two_descriptors, 0, "a write is seen at once through another descriptor, and by stat")
{
	int one = open_ok("file", O_RDWR | O_CREAT), two = open_ok("file", O_RDWR);
	char data[10];

	SAME(write(one, "text", 4), 4);
	SAME(read(two, data, 10), 4);
	SAME(stat_of("file").st_size, 4);
	OK(ftruncate(two, 2));
	SAME(pread(one, data, 10, 0), 2);
	SAME(write(one, "x", 1), 1); /* at 4 */
	SAME(pread(two, data, 10, 0), 5);
	SAME(memcmp(data, "te\0\0x", 5), 0);
}

CASE(write, crosses_blocks, 0, "writes of all alignments read back")
{
	enum { BYTES = 100000 };
	static uint8_t data[BYTES], want[BYTES];
	int fd = open_ok("file", O_RDWR | O_CREAT);

	for (int n = 0; n < 200; n++) {
		int off = n * 7919 % (BYTES - 5000), len = 1 + n * 613 % 5000;

		for (int i = 0; i < len; i++)
			data[i] = want[off + i] = (uint8_t)(n + i);
		SAME(pwrite(fd, data, (size_t)len, off), len);
	}
	OK(ftruncate(fd, BYTES));
	OK(fsync(fd));
	SAME(pread(fd, data, BYTES, 0), BYTES);
	SAME(memcmp(data, want, BYTES), 0);
}

CASE(write, direct, 0, "O_DIRECT: aligned transfers, mixed with cached ones, agree")
{
	enum { BYTES = 65536 };
	uint8_t *data = aligned_alloc(4096, BYTES);
	int fd = open_ok("file", O_RDWR | O_CREAT | O_DIRECT), cached = open_ok("file", O_RDWR);
	char c;

	HOLDS(data != NULL);
	for (int i = 0; i < BYTES; i++)
		data[i] = pattern_at((uint64_t)i);
	SAME(pwrite(fd, data, BYTES, 0), BYTES);
	SAME(pread(cached, &c, 1, 5000), 1);
	SAME((uint8_t)c, pattern_at(5000));
	SAME(pwrite(cached, "x", 1, 5000), 1);
	memset(data, 0, BYTES);
	SAME(pread(fd, data, BYTES, 0), BYTES);
	SAME(data[5000], 'x');
	SAME(data[5001], pattern_at(5001));
	SAME(pread(fd, data, BYTES, 32768), 32768);
	SAME(pread(fd, data, BYTES, BYTES), 0);
}

CASE(write, nowait_and_flags, 0, "pwritev2: RWF_APPEND, RWF_DSYNC; unknown flags: EOPNOTSUPP")
{
	char text[] = "abc";
	struct iovec vec = {text, 3};
	int fd = open_ok("file", O_RDWR | O_CREAT);

	SAME(pwritev2(fd, &vec, 1, 0, RWF_DSYNC), 3);
	SAME(pwritev2(fd, &vec, 1, 0, RWF_APPEND), 3);
	HOLDS(file_is("file", "abcabc"));
	FAILS(EOPNOTSUPP, pwritev2(fd, &vec, 1, 0, 1 << 30));
}

CASE(write, negative_length, 0, "a length that is no length: EINVAL or as much as there may be")
{
	struct iovec vec[] = {{(void *)1, (size_t)SSIZE_MAX}, {(void *)1, 2}};
	int fd = open_ok("file", O_RDWR | O_CREAT);

	FAILS(EINVAL, pwritev(fd, vec, 1, -1));
	FAILS(EFAULT, writev(fd, vec, 2));
	SAME(stat_of("file").st_size, 0);
}

CASE(write, offset_overflow, 0, "at the end of all offsets: EINVAL")
{
	int fd = open_ok("file", O_RDWR | O_CREAT);

	FAILS(EINVAL, pwrite(fd, "x", 1, INT64_MAX));
	SAME(stat_of("file").st_size, 0);
}

/* A byte at 16 TiB. What write-back finds out later is met here, and not by the next case. */
static int write_far(int *ret_sync_errno)
{
	int fd = open_ok("file", O_RDWR | O_CREAT), error;
	ssize_t len = pwrite(fd, "x", 1, (off_t)1 << 44);

	error = errno;
	*ret_sync_errno = fsync(fd) < 0 ? errno : 0;
	if (*ret_sync_errno)
		SAME(syncfs(fd), -1);
	errno = error;
	return len < 0 ? -1 : (int)len;
}

CASE(write, beyond_largest, 0, "beyond the largest size that 4 KiB blocks can have: EFBIG at once")
{
	int sync_errno;

	FAILS(EFBIG, write_far(&sync_errno));
	SAME(sync_errno, 0);
	SAME(stat_of("file").st_size, 0);
}

CASE(write, beyond_largest_synced, 0, "... at the latest at fsync")
{
	int sync_errno, len = write_far(&sync_errno);

	SAME(len < 0 ? errno : sync_errno, EFBIG);
}

CASE(lseek, positions, 0, "SEEK_SET, SEEK_CUR, SEEK_END; beyond the end without growth")
{
	int fd;

	write_file("file", "0123456789");
	fd = open_ok("file", O_RDONLY);
	SAME(lseek(fd, 3, SEEK_SET), 3);
	SAME(lseek(fd, 2, SEEK_CUR), 5);
	SAME(lseek(fd, -5, SEEK_CUR), 0);
	SAME(lseek(fd, -1, SEEK_END), 9);
	SAME(lseek(fd, 100, SEEK_END), 110);
	SAME(stat_of("file").st_size, 10);
}

CASE(lseek, bad_arguments, 0, "EINVAL: before the start, unknown whence; EBADF; ESPIPE")
{
	int fd, pipes[2];

	write_file("file", "0123456789");
	fd = open_ok("file", O_RDONLY);
	FAILS(EINVAL, lseek(fd, -1, SEEK_SET));
	FAILS(EINVAL, lseek(fd, -11, SEEK_END));
	FAILS(EINVAL, lseek(fd, 0, 77));
	SAME(lseek(fd, 0, SEEK_CUR), 0);
	FAILS(EBADF, lseek(-1, 0, SEEK_SET));
	OK(pipe(pipes));
	FAILS(ESPIPE, lseek(pipes[0], 0, SEEK_SET));
}

CASE(lseek, beyond_largest, 0, "beyond the largest size that a file may have: EINVAL")
{
	int fd = open_ok("file", O_RDONLY | O_CREAT);

	FAILS(EINVAL, lseek(fd, INT64_MAX, SEEK_SET));
	FAILS(EINVAL, lseek(fd, ((off_t)1 << 44) + 1, SEEK_SET));
}

CASE(lseek, holes, 0, "SEEK_DATA and SEEK_HOLE find data, also what is not yet written out")
{
	int fd = open_ok("file", O_RDWR | O_CREAT);
	static char block[65536];

	memset(block, 'x', sizeof(block));
	SAME(pwrite(fd, block, sizeof(block), 1 << 20), sizeof(block));
	OK(ftruncate(fd, 2 << 20));
	for (int synced = 0; synced < 2; synced++) {
		SAME(lseek(fd, 0, SEEK_DATA), 1 << 20);
		SAME(lseek(fd, 0, SEEK_HOLE), 0);
		SAME(lseek(fd, 1 << 20, SEEK_HOLE), (1 << 20) + 65536);
		SAME(lseek(fd, (1 << 20) + 100, SEEK_DATA), (1 << 20) + 100);
		FAILS(ENXIO, lseek(fd, (1 << 20) + 65536, SEEK_DATA));
		FAILS(ENXIO, lseek(fd, 2 << 20, SEEK_DATA));
		FAILS(ENXIO, lseek(fd, 2 << 20, SEEK_HOLE));
		FAILS(ENXIO, lseek(fd, 3 << 20, SEEK_HOLE));
		OK(fsync(fd));
	}
}

CASE(lseek, no_holes, 0, "a full file: one hole, at its end; an empty one: ENXIO")
{
	int fd;

	make_sized("file", 10000);
	fd = open_ok("file", O_RDWR);
	SAME(lseek(fd, 0, SEEK_HOLE), 10000);
	SAME(lseek(fd, 9999, SEEK_DATA), 9999);
	FAILS(ENXIO, lseek(fd, 10000, SEEK_DATA));
	FAILS(ENXIO, lseek(fd, -1, SEEK_DATA));
	FAILS(ENXIO, lseek(fd, -1, SEEK_HOLE));
	OK(ftruncate(fd, 0));
	FAILS(ENXIO, lseek(fd, 0, SEEK_DATA));
	FAILS(ENXIO, lseek(fd, 0, SEEK_HOLE));
}

CASE(sync, calls, 0, "fsync, fdatasync, syncfs, sync_file_range")
{
	int fd, folder = open_ok(".", O_RDONLY);

	make_sized("file", 100000);
	fd = open_ok("file", O_RDWR);
	OK(fsync(fd));
	OK(fdatasync(fd));
	OK(syncfs(fd));
	OK(syncfs(folder));
	OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
			SYNC_FILE_RANGE_WAIT_AFTER));
	OK(fsync(open_ok("file", O_RDONLY)));
}

CASE(sync, bad_arguments, 0, "EBADF; a FIFO: EINVAL; unknown flags: EINVAL; a pipe: ESPIPE")
{
	int fd, fifo, pipes[2];

	make_file("file");
	OK(mkfifo("fifo", 0644));
	fd = open_ok("file", O_RDWR);
	fifo = open_ok("fifo", O_RDWR);
	OK(pipe(pipes));
	FAILS(EBADF, fsync(-1));
	FAILS(EBADF, fdatasync(-1));
	FAILS(EBADF, syncfs(-1));
	FAILS(EINVAL, fsync(pipes[0]));
	FAILS(EINVAL, fsync(fifo));
	FAILS(EINVAL, sync_file_range(fd, 0, 0, 0x100));
	FAILS(EINVAL, sync_file_range(fd, -1, 0, 0));
	FAILS(ESPIPE, sync_file_range(pipes[0], 0, 0, 0));
	FAILS(EBADF, sync_file_range(-1, 0, 0, 0));
}

CASE(sync, advice, 0, "posix_fadvise and readahead are taken; EINVAL and EBADF as numbers")
{
	int fd, pipes[2];

	make_sized("file", 100000);
	fd = open_ok("file", O_RDONLY);
	for (int advice = 0; advice < 6; advice++)
		SAME(posix_fadvise(fd, 0, 0, advice), 0);
	SAME(posix_fadvise(fd, 0, 0, 77), EINVAL);
	SAME(posix_fadvise(-1, 0, 0, 0), EBADF);
	OK(pipe(pipes));
	SAME(posix_fadvise(pipes[0], 0, 0, 0), ESPIPE);
	OK(readahead(fd, 0, 100000));
	FAILS(EBADF, readahead(-1, 0, 1));
}
