/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mmap(2), msync(2) on files. */
#include "tests/posix/posix.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static uint8_t *map_ok(int fd, size_t len, int prot, int flags)
{
	void *map = mmap(NULL, len, prot, flags, fd, 0);

	OK(map == MAP_FAILED ? -1 : 0);
	return map;
}

CASE(mmap, reads, 0, "a mapping shows the file, and zeroes behind its end in the last page")
{
	uint8_t *map;

	make_sized("file", 5000);
	map = map_ok(open_ok("file", O_RDONLY), 5000, PROT_READ, MAP_SHARED);
	for (size_t i = 0; i < 8192; i++)
		SAME(map[i], i < 5000 ? pattern_at(i) : 0);
}

CASE(mmap, shared_write, 0, "a shared mapping's bytes are read by read, and the other way round")
{
	uint8_t *map, data[5000];
	int fd;

	make_sized("file", 5000);
	fd = open_ok("file", O_RDWR);
	map = map_ok(fd, 5000, PROT_READ | PROT_WRITE, MAP_SHARED);
	map[4500] = 'm';
	SAME(pread(fd, data, 5000, 0), 5000);
	SAME(data[4500], 'm');
	SAME(pwrite(fd, "w", 1, 100), 1);
	SAME(map[100], 'w');
	OK(msync(map, 5000, MS_SYNC));
	OK(munmap(map, 5000));
	SAME(pread(fd, data, 5000, 0), 5000);
	SAME(data[4500], 'm');
}

CASE(mmap, private_write, 0, "a private mapping's bytes are its own")
{
	uint8_t *map, c;
	int fd;

	make_sized("file", 5000);
	fd = open_ok("file", O_RDONLY);
	map = map_ok(fd, 5000, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	map[100] ^= 0xff;
	SAME(pread(fd, &c, 1, 100), 1);
	SAME(c, pattern_at(100));
	OK(msync(map, 5000, MS_SYNC));
	SAME(pread(fd, &c, 1, 100), 1);
	SAME(c, pattern_at(100));
}

CASE(mmap, two_mappings, 0, "two shared mappings of one file, in two processes, are one")
{
	uint8_t *one, *two;
	int status;

	make_sized("file", 4096);
	one = map_ok(open_ok("file", O_RDWR), 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
	two = map_ok(open_ok("file", O_RDWR), 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
	one[7] = 'a';
	SAME(two[7], 'a');
	if (OK(fork()) == 0) {
		two[8] = 'b';
		_exit(0);
	}
	OK(wait(&status));
	SAME(one[8], 'b');
}

CASE(mmap, errors, 0, "EACCES by access mode, EBADF, EINVAL, ENODEV for a folder")
{
	int read_only, write_only;

	make_sized("file", 4096);
	read_only = open_ok("file", O_RDONLY);
	write_only = open_ok("file", O_WRONLY);
	FAILS(EACCES, mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, read_only, 0) ==
			MAP_FAILED ? -1 : 0);
	FAILS(EACCES, mmap(NULL, 4096, PROT_READ, MAP_SHARED, write_only, 0) == MAP_FAILED ? -1 : 0);
	FAILS(EACCES, mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, write_only, 0) == MAP_FAILED ? -1 : 0);
	FAILS(EBADF, mmap(NULL, 4096, PROT_READ, MAP_SHARED, -1, 0) == MAP_FAILED ? -1 : 0);
	FAILS(EINVAL, mmap(NULL, 0, PROT_READ, MAP_SHARED, read_only, 0) == MAP_FAILED ? -1 : 0);
	FAILS(EINVAL, mmap(NULL, 4096, PROT_READ, MAP_SHARED, read_only, 7) == MAP_FAILED ? -1 : 0);
	FAILS(ENODEV, mmap(NULL, 4096, PROT_READ, MAP_SHARED, open_ok(".", O_RDONLY), 0) ==
			MAP_FAILED ? -1 : 0);
}

CASE(mmap, behind_the_end, 0, "touching a page behind the end: SIGBUS, also after a truncation")
{
	uint8_t *map;
	int status;

	make_sized("file", 10000);
	map = map_ok(open_ok("file", O_RDWR), 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
	OK(truncate("file", 4096));
	if (OK(fork()) == 0) {
		volatile uint8_t c = map[4096];

		_exit(c ? 1 : 2);
	}
	OK(wait(&status));
	HOLDS(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	OK(truncate("file", 8192));
	SAME(map[4096], 0);
	SAME(map[4095], pattern_at(4095));
}

CASE(mmap, tail_is_not_stored, 0, "what is written behind the end in the last page never gets in the file")
{
	uint8_t *map, data[8192];
	int fd;

	make_sized("file", 5000);
	fd = open_ok("file", O_RDWR);
	map = map_ok(fd, 5000, PROT_READ | PROT_WRITE, MAP_SHARED);
	map[5001] = 'x';
	OK(msync(map, 5000, MS_SYNC));
	SAME(stat_of("file").st_size, 5000);
	OK(ftruncate(fd, 8192));
	SAME(pread(fd, data, 8192, 0), 8192);
	for (int i = 5000; i < 8192; i++)
		SAME(data[i], 0);
}

CASE(mmap, into_hole, 0, "writing into a hole through a mapping, and only there blocks appear")
{
	enum { BYTES = 1 << 20 };
	uint8_t *map, c;
	int fd = open_ok("file", O_RDWR | O_CREAT);

	OK(ftruncate(fd, BYTES));
	map = map_ok(fd, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED);
	map[500000] = 'x';
	OK(msync(map, BYTES, MS_SYNC));
	OK(fsync(fd));
	SAME(pread(fd, &c, 1, 500000), 1);
	SAME(c, 'x');
	HOLDS(stat_of("file").st_blocks > 0 && stat_of("file").st_blocks <= 128);
}

CASE(mmap, after_close, 0, "a mapping stays after its descriptor is closed, and is written out")
{
	uint8_t *map;
	int fd;

	make_sized("file", 4096);
	fd = open_ok("file", O_RDWR);
	map = map_ok(fd, 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
	OK(close(fd));
	memcpy(map, "mapped", 6);
	OK(munmap(map, 4096));
	OK(truncate("file", 6));
	HOLDS(file_is("file", "mapped"));
}

CASE(msync, errors, 0, "ENOMEM where nothing is mapped, EINVAL for flags and addresses")
{
	uint8_t *map;

	make_sized("file", 8192);
	map = map_ok(open_ok("file", O_RDWR), 8192, PROT_READ | PROT_WRITE, MAP_SHARED);
	FAILS(EINVAL, msync(map, 4096, MS_SYNC | MS_ASYNC));
	FAILS(EINVAL, msync(map, 4096, 0x100));
	FAILS(EINVAL, msync(map + 1, 4096, MS_SYNC));
	OK(msync(map, 8192, MS_ASYNC));
	OK(msync(map, 8192, MS_SYNC | MS_INVALIDATE));
	OK(munmap(map, 8192));
	FAILS(ENOMEM, msync(map, 8192, MS_SYNC));
}

CASE(mmap, mprotect, 0, "mprotect gives no right that the descriptor has not: EACCES")
{
	uint8_t *map;

	make_sized("file", 4096);
	map = map_ok(open_ok("file", O_RDONLY), 4096, PROT_READ, MAP_SHARED);
	FAILS(EACCES, mprotect(map, 4096, PROT_READ | PROT_WRITE));
}

CASE(mmap, append_after_map, 0, "a file that grows by write shows in its mapping")
{
	uint8_t *map;
	int fd;

	make_sized("file", 100);
	fd = open_ok("file", O_RDWR | O_APPEND);
	map = map_ok(fd, 4096, PROT_READ, MAP_SHARED);
	SAME(map[100], 0);
	SAME(write(fd, "more", 4), 4);
	SAME(memcmp(map + 100, "more", 4), 0);
}
