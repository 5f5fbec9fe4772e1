/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One file under random operations of every kind, against a copy of it in memory. Whatever has been
 * read, in whatever way, must be what was written, in whatever way.
 *
 *	fsx [-s SEED] [-n OPERATIONS] [-l BYTES] [-g COPY] FILE
 *
 * The last operations are printed when something is wrong. COPY becomes what FILE must be.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOG_LINES = 40, LOG_WIDTH = 100, ALIGN = 4096, OPERATION_MAX = 1 << 18 };

static const char *path;
static int fd, direct;
static uint8_t *good, *scratch; /* scratch: aligned, for O_DIRECT too */
static size_t size, limit = 1 << 20;
static unsigned seed, step;
static char last[LOG_LINES][LOG_WIDTH];

static size_t pick(size_t below)
{
	return ((size_t)rand_r(&seed) << 16 ^ (size_t)rand_r(&seed)) % below;
}

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(last[step % LOG_LINES], LOG_WIDTH, format, args);
	va_end(args);
}

__attribute__((format(printf, 1, 2), noreturn)) static void wrong(const char *format, ...)
{
	va_list args;

	for (unsigned i = step < LOG_LINES ? 0 : step - LOG_LINES + 1; i <= step; i++)
		printf("%u: %s\n", i, last[i % LOG_LINES]);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	exit(1);
}

static void compare(const uint8_t *data, size_t off, size_t len, const char *how)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != good[off + i])
			wrong("%s: byte %zu is %#x, not %#x", how, off + i, data[i], good[off + i]);
}

static void check_size(void)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		wrong("fstat: %s", strerror(errno));
	if ((size_t)st.st_size != size)
		wrong("size %zu, not %zu", (size_t)st.st_size, size);
}

static void fill(size_t len)
{
	for (size_t i = 0; i < len; i++)
		scratch[i] = (uint8_t)(rand_r(&seed) >> 4);
}

static void open_file(void)
{
	fd = open(path, O_RDWR | O_CREAT, 0644);
	direct = open(path, O_RDWR | O_DIRECT);
	if (fd < 0 || direct < 0)
		wrong("open: %s", strerror(errno));
}

/* ---- operations: a range that begins somewhere, mostly inside the file ------------------------ */

static void op_write(int to, size_t off, size_t len, const char *how)
{
	fill(len);
	note("%s %zu +%zu", how, off, len);
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(to, scratch + done, len - done, (off_t)(off + done));

		if (n <= 0)
			wrong("%s: %s", how, strerror(errno));
		done += (size_t)n;
	}
	memcpy(good + off, scratch, len);
	size = off + len > size ? off + len : size;
}

static void op_read(int from, size_t off, size_t len, const char *how)
{
	size_t want = off >= size ? 0 : size - off < len ? size - off : len;
	ssize_t n;

	note("%s %zu +%zu", how, off, len);
	n = pread(from, scratch, len, (off_t)off);
	if (n != (ssize_t)want)
		wrong("%s: %zd bytes, not %zu (%s)", how, n, want, n < 0 ? strerror(errno) : "");
	compare(scratch, off, want, how);
}

/* Through a mapping of the pages that hold the range, inside the file. */
static void op_map(size_t off, size_t len, bool write)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), base = off / page * page;
	uint8_t *map;

	len = off >= size ? 0 : size - off < len ? size - off : len;
	note("%s %zu +%zu", write ? "map and write" : "map and read", off, len);
	if (!len)
		return;
	map = mmap(NULL, off - base + len, PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED, fd,
		(off_t)base);
	if (map == MAP_FAILED)
		wrong("mmap: %s", strerror(errno));
	if (write) {
		fill(len);
		memcpy(map + (off - base), scratch, len);
		memcpy(good + off, scratch, len);
		if (pick(3) == 0 && msync(map, off - base + len, MS_SYNC) < 0)
			wrong("msync: %s", strerror(errno));
	} else {
		compare(map + (off - base), off, len, "mapping");
	}
	/* What lies behind the end in the last page is zero. */
	if (size % page && off + len == size)
		for (uint8_t *p = map + (size - base); (uintptr_t)p % page; p++)
			if (*p)
				wrong("junk behind the end");
	munmap(map, off - base + len);
}

static void op_truncate(size_t to)
{
	note("truncate %zu", to);
	if (ftruncate(fd, (off_t)to) < 0)
		wrong("ftruncate: %s", strerror(errno));
	if (to < size)
		memset(good + to, 0, size - to);
	size = to;
}

static void op_fallocate(int mode, size_t off, size_t len)
{
	note("fallocate %d: %zu +%zu", mode, off, len);
	if (fallocate(fd, mode, (off_t)off, (off_t)len) < 0)
		wrong("fallocate: %s", strerror(errno));
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		memset(good + off, 0, len);
	if (!(mode & FALLOC_FL_KEEP_SIZE) && off + len > size)
		size = off + len;
}

/* What is called a hole must be zero. */
static void op_seek(size_t off)
{
	off_t at = (off_t)off, next;

	note("seek from %zu", off);
	while (at < (off_t)size) {
		next = lseek(fd, at, SEEK_DATA);
		if (next < 0 && errno != ENXIO)
			wrong("SEEK_DATA: %s", strerror(errno));
		if (next < 0)
			next = (off_t)size;
		for (off_t i = at; i < next; i++)
			if (good[i])
				wrong("byte %lld is called a hole", (long long)i);
		if (next == (off_t)size)
			break;
		at = lseek(fd, next, SEEK_HOLE);
		if (at <= next)
			wrong("SEEK_HOLE: %lld from %lld", (long long)at, (long long)next);
	}
}

static void op_copy(size_t from, size_t to, size_t len)
{
	off_t in = (off_t)from, out = (off_t)to;

	len = from >= size ? 0 : size - from < len ? size - from : len;
	if (from < to + len && to < from + len)
		len = 0;
	note("copy_file_range %zu -> %zu +%zu", from, to, len);
	while (len) {
		ssize_t n = copy_file_range(fd, &in, fd, &out, len, 0);

		if (n <= 0)
			wrong("copy_file_range: %s", n < 0 ? strerror(errno) : "nothing");
		memcpy(good + to, good + from, (size_t)n);
		from += (size_t)n;
		to += (size_t)n;
		len -= (size_t)n;
		size = to > size ? to : size;
	}
}

static void op_forget(void)
{
	note("fsync, and the cache is dropped");
	if (fsync(fd) < 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
		wrong("fsync: %s", strerror(errno));
}

static void op_reopen(void)
{
	note("close and open");
	if (close(fd) < 0 || close(direct) < 0)
		wrong("close: %s", strerror(errno));
	open_file();
}

static void pick_range(bool aligned, size_t *ret_off, size_t *ret_len)
{
	size_t off = pick(2) || !size ? pick(limit) : pick(size);
	size_t len = 1 + pick(pick(4) ? 3 * ALIGN : OPERATION_MAX);

	if (aligned || pick(4) == 0) {
		off = off / ALIGN * ALIGN;
		len = (len + ALIGN - 1) / ALIGN * ALIGN;
	}
	*ret_off = off;
	*ret_len = off + len > limit ? limit - off : len;
}

static void one_step(void)
{
	static const int modes[] = {
		0,
		FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
	};
	size_t op = pick(100), off, len;

	pick_range(op >= 10 && op < 30, &off, &len);
	if (op < 10)
		op_write(fd, off, len, "write");
	else if (op < 20)
		op_write(direct, off, len, "direct write");
	else if (op < 30)
		op_read(direct, off, len, "direct read");
	else if (op < 40)
		op_read(fd, off, len, "read");
	else if (op < 50)
		op_map(off, len, true);
	else if (op < 60)
		op_map(off, len, false);
	else if (op < 66)
		op_truncate(off);
	else if (op < 88)
		op_fallocate(modes[pick(sizeof(modes) / sizeof(*modes))], off, len);
	else if (op < 91)
		op_seek(off);
	else if (op < 94)
		op_copy(off, pick(limit - len), len);
	else if (op < 98)
		op_forget();
	else
		op_reopen();
	check_size();
}

/* The file as it is found, which may be empty, is right. */
static void begin(void)
{
	struct stat st;

	good = calloc(1, limit);
	scratch = aligned_alloc(ALIGN, limit);
	open_file();
	if (!good || !scratch || fstat(fd, &st) < 0 || (size_t)st.st_size > limit)
		wrong("cannot begin");
	size = (size_t)st.st_size;
	if (pread(fd, good, size, 0) != (ssize_t)size)
		wrong("cannot read what is there");
}

static void keep(const char *copy)
{
	FILE *f = fopen(copy, "w");

	if (!f || fwrite(good, 1, size, f) != size || fclose(f) != 0)
		wrong("%s: %s", copy, strerror(errno));
}

int main(int argc, char **argv)
{
	unsigned steps = 1000;
	const char *copy = NULL;
	int option;

	while ((option = getopt(argc, argv, "s:n:l:g:")) != -1) {
		if (option == 's')
			seed = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'n')
			steps = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'l')
			limit = strtoul(optarg, NULL, 10) / ALIGN * ALIGN;
		else if (option == 'g')
			copy = optarg;
		else
			return 2;
	}
	if (optind != argc - 1 || limit < OPERATION_MAX)
		return 2;
	path = argv[optind];
	printf("seed %u, %u operations\n", seed, steps);
	begin();
	for (; step < steps; step++)
		one_step();
	op_read(fd, 0, limit, "read all");
	op_forget();
	op_read(fd, 0, limit, "read all of the drive");
	if (copy)
		keep(copy);
	return 0;
}
