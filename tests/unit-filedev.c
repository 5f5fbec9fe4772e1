/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files as block devices: what is opened, what is read and written, what fails how. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "base/bytes.h"
#include "kernel-shim/filedev.h"
#include "tests/one-file.h"

static void test_create(void)
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	struct blkdev *again = NULL;
	struct stat st;

	unlink(file);
	CU_ASSERT_EQUAL_FATAL(filedev_open(file, FILEDEV_CREATE, 1ull << 40, &dev, NULL), 0);
	CU_ASSERT_EQUAL(dev->size_bytes, 1ull << 40);
	CU_ASSERT_EQUAL(dev->block_bytes, 4096);
	CU_ASSERT_FALSE(dev->read_only);
	filedev_stat(dev, &st);
	CU_ASSERT_EQUAL(st.st_mode, S_IFREG | 0600);
	CU_ASSERT(st.st_blocks < 100);
	CU_ASSERT_EQUAL(try_open(file, 0), -SDE_BUSY);
	CU_ASSERT_EQUAL(filedev_open(file, FILEDEV_CREATE, 4096, &again, NULL), -EEXIST);
	CU_ASSERT(stat(file, &st) == 0 && st.st_size == 1ll << 40);
	unlink(file);
	CU_ASSERT_EQUAL(filedev_open(file, FILEDEV_CREATE, UINT64_MAX, &again, NULL), -EFBIG);
	CU_ASSERT_EQUAL(filedev_open(file, FILEDEV_CREATE, INT64_MAX, &again, NULL), -EFBIG);
	CU_ASSERT(access(file, F_OK) < 0);
	CU_ASSERT_EQUAL(filedev_open("/nowhere/at/all", FILEDEV_CREATE, 4096, &again, NULL), -ENOENT);
}

static void test_transfer(void)
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	uint8_t data[3000], got[3000] = {0};

	make_file(SIZE, 0600);
	memset(data, 0x5a, sizeof(data));
	CU_ASSERT_EQUAL_FATAL(filedev_open(file, 0, 0, &dev, NULL), 0);
	CU_ASSERT_EQUAL(blkdev_write(dev, data, sizeof(data), SIZE - 3000), 0);
	CU_ASSERT_EQUAL(blkdev_write(dev, data, 1, 7), 0);
	CU_ASSERT_EQUAL(blkdev_flush(dev), 0);
	CU_ASSERT_EQUAL(blkdev_read(dev, got, sizeof(got), SIZE - 3000), 0);
	CU_ASSERT_EQUAL(memcmp(got, data, sizeof(got)), 0);
	CU_ASSERT_EQUAL(blkdev_write(dev, data, 1, SIZE), -EINVAL);
	CU_ASSERT_EQUAL(pread(filedev_fd(dev), got, 9, 0), 9);
	CU_ASSERT_EQUAL(memcmp(got, "\0\0\0\0\0\0\0\x5a\0", 9), 0);
}

enum { LARGE_FILE = 4 << 20, LARGE_PART = 512 * 1024, NEIGHBOURS = 4 };

struct neighbour {
	struct blkdev *dev;
	uint8_t *model, *buf; /* of the whole file; aligned */
	unsigned index;
	int bad;
};

/* One part of its own from the beginning to the end: what is read ahead reaches into parts of others,
 * who change them meanwhile. */
static bool read_in_order(const struct neighbour *n, unsigned part, size_t step)
{
	uint64_t start = (uint64_t)part * LARGE_PART;

	for (uint64_t off = start; off < start + LARGE_PART; off += step)
		if (blkdev_read(n->dev, n->buf, step, off) != 0 || memcmp(n->buf, n->model + off, step) != 0)
			return false;
	return true;
}

/* Writes and reads pages of the file that are its own, in all sizes, aligned and not. */
static void *neighbour_run(void *arg)
{
	struct neighbour *n = arg;
	unsigned seed = 7 + n->index;

	for (int i = 0; i < 600 && !n->bad; i++) {
		bool aligned = rand_r(&seed) % 4;
		unsigned unit = aligned ? 4096 : 512;
		size_t len = (1 + (size_t)rand_r(&seed) % (LARGE_PART / 2 / unit)) * unit;
		size_t to = LARGE_PART - len;
		uint64_t off = (uint64_t)(2 * n->index + rand_r(&seed) % 2) * LARGE_PART +
			(uint64_t)rand_r(&seed) % (to / unit + 1) * unit;
		uint8_t *buf = n->buf + (aligned ? 0 : 16);

		if (rand_r(&seed) % 8 == 0 &&
			!read_in_order(n, 2 * n->index + rand_r(&seed) % 2, 4096u << rand_r(&seed) % 6))
			n->bad = 1;
		if (rand_r(&seed) % 8 == 0)
			len = unit; /* short ones go through the page cache */
		if (rand_r(&seed) % 2) {
			memset(buf, rand_r(&seed) & 0xff, len);
			memcpy(n->model + off, buf, len);
			n->bad |= blkdev_write(n->dev, buf, len, off) != 0;
		} else {
			n->bad |= blkdev_read(n->dev, buf, len, off) != 0 ||
				memcmp(buf, n->model + off, len) != 0;
		}
	}
	return NULL;
}

/* Past the page cache and through it, of several threads at once, next to each other. */
static void test_direct(void)
{
	struct neighbour neighbours[NEIGHBOURS] = {{0}};
	pthread_t threads[NEIGHBOURS];
	struct blkdev *dev = NULL;
	uint8_t *model = calloc(1, LARGE_FILE), *got = calloc(1, LARGE_FILE);
	int fd;

	CU_ASSERT_FATAL(model && got);
	make_file(LARGE_FILE, 0600);
	CU_ASSERT_EQUAL_FATAL(filedev_open(file, FILEDEV_DIRECT, 0, &dev, NULL), 0);
	for (unsigned i = 0; i < NEIGHBOURS; i++) {
		neighbours[i] = (struct neighbour){.dev = dev, .model = model, .index = i};
		CU_ASSERT_EQUAL_FATAL(posix_memalign((void **)&neighbours[i].buf, 4096, LARGE_PART + 4096), 0);
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, neighbour_run, &neighbours[i]), 0);
	}
	for (unsigned i = 0; i < NEIGHBOURS; i++) {
		pthread_join(threads[i], NULL);
		CU_ASSERT_EQUAL(neighbours[i].bad, 0);
		free(neighbours[i].buf);
	}
	CU_ASSERT_EQUAL(blkdev_flush(dev), 0);
	CU_ASSERT_EQUAL(blkdev_read(dev, got, LARGE_FILE, 0), 0);
	CU_ASSERT_EQUAL(memcmp(got, model, LARGE_FILE), 0);
	blkdev_close(dev);
	fd = open(file, O_RDONLY);
	CU_ASSERT_EQUAL(pread(fd, got, LARGE_FILE, 0), LARGE_FILE);
	CU_ASSERT_EQUAL(memcmp(got, model, LARGE_FILE), 0);
	close(fd);
	free(model);
	free(got);
}

struct ahead {
	struct blkdev *dev;
	_Atomic bool stop;
};

/* Reads in order up to where the other one writes, again and again. */
static void *ahead_run(void *arg)
{
	struct ahead *ahead = arg;
	uint8_t *buf = aligned_alloc(4096, 4096);

	while (buf && !ahead->stop)
		for (uint64_t off = 0; off < 8 * 4096; off += 4096)
			if (blkdev_read(ahead->dev, buf, 4096, off) != 0)
				break;
	free(buf);
	return NULL;
}

/* What has been read ahead is never older than the last write. */
static void test_read_ahead(void)
{
	enum { AT = 8 * 4096, BYTES = 64 * 1024 };
	struct ahead ahead = {0};
	uint8_t *data = aligned_alloc(4096, BYTES);
	pthread_t thread;
	int bad = 0;

	CU_ASSERT_FATAL(data != NULL);
	make_file(LARGE_FILE, 0600);
	CU_ASSERT_EQUAL_FATAL(filedev_open(file, FILEDEV_DIRECT, 0, &ahead.dev, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, ahead_run, &ahead), 0);
	for (unsigned i = 1; i <= 3000 && !bad; i++) {
		memset(data, (int)(i & 0xff), BYTES);
		bad |= blkdev_write(ahead.dev, data, BYTES, AT) != 0;
		for (size_t at = 0; at < BYTES && !bad; at += 4096) {
			bad |= blkdev_read(ahead.dev, data, 4096, AT + at) != 0;
			bad |= data[0] != (uint8_t)i || data[4095] != (uint8_t)i;
		}
	}
	CU_ASSERT_EQUAL(bad, 0);
	ahead.stop = true;
	pthread_join(thread, NULL);
	blkdev_close(ahead.dev);
	free(data);
}

enum { ELSEWHERE = 12, STEP = 32 * 1024 };

struct taking {
	struct blkdev *dev;
	uint8_t *buf, *other, *model;
	uint64_t off;
	unsigned from_elsewhere;
};

/* Reads in order in more places than are remembered, before it looks at what it was given. */
static int take_late(void *ctx, const void *from, size_t len, size_t at)
{
	struct taking *t = ctx;
	int r = 0;

	t->from_elsewhere += from != t->buf;
	for (unsigned i = 0; i < ELSEWHERE; i++)
		for (unsigned n = 0; n < 3 && r == 0; n++)
			r = blkdev_read(t->dev, t->other, STEP, (uint64_t)i * (LARGE_FILE / ELSEWHERE / STEP * STEP) + n * STEP);
	CU_ASSERT_EQUAL(memcmp(from, t->model + t->off + at, len), 0);
	return r;
}

/* What is given out stays as it is until it was taken. */
static void test_taken_late(void)
{
	struct taking t = {.buf = aligned_alloc(4096, STEP), .other = aligned_alloc(4096, STEP),
		.model = aligned_alloc(4096, LARGE_FILE)};

	CU_ASSERT_FATAL(t.buf && t.other && t.model);
	for (size_t i = 0; i < LARGE_FILE; i++)
		t.model[i] = (uint8_t)(i / 4096 * 7 + i);
	make_file(LARGE_FILE, 0600);
	CU_ASSERT_EQUAL_FATAL(filedev_open(file, FILEDEV_DIRECT, 0, &t.dev, NULL), 0);
	CU_ASSERT_EQUAL(blkdev_write(t.dev, t.model, LARGE_FILE, 0), 0);
	for (t.off = STEP; t.off < 8 * STEP; t.off += STEP) {
		CU_ASSERT_EQUAL(blkdev_read(t.dev, t.buf, STEP, t.off - STEP), 0);
		CU_ASSERT_EQUAL(blkdev_read_to(t.dev, t.buf, take_late, &t, STEP, t.off), 0);
	}
	/* A host without O_DIRECT reads nothing ahead. */
	printf("# %u of 7 from memory of the device\n", t.from_elsewhere);
	CU_ASSERT_EQUAL(blkdev_read_to(t.dev, t.buf, take_late, &t, 4096, LARGE_FILE), -EINVAL);
	blkdev_close(t.dev);
	free(t.buf);
	free(t.other);
	free(t.model);
}

static void test_size(void)
{
	static const off_t sizes[][2] = {{0, 0}, {511, 0}, {512, 512}, {5000, 4608}, {8192, 8192}};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct blkdev *dev = NULL;
		struct stat st;

		make_file(sizes[i][0], 0600);
		CU_ASSERT_EQUAL_FATAL(filedev_open(file, 0, 0, &dev, NULL), 0);
		CU_ASSERT_EQUAL(dev->size_bytes, (uint64_t)sizes[i][1]);
		blkdev_close(dev);
		CU_ASSERT(stat(file, &st) == 0 && st.st_size == sizes[i][0]);
	}
}

static void test_wrong_kinds(void)
{
	char fifo[96], loop[96], link[96];

	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	snprintf(loop, sizeof(loop), "%s/loop", dir);
	snprintf(link, sizeof(link), "%s/link", dir);
	CU_ASSERT_FATAL(mkfifo(fifo, 0600) == 0 && symlink("loop", loop) == 0 && symlink("f", link) == 0);
	make_file(SIZE, 0600);
	for (unsigned flags = 0; flags <= FILEDEV_NO_LOCK; flags++) {
		CU_ASSERT_EQUAL(try_open(fifo, flags), -ENOTBLK);
		CU_ASSERT_EQUAL(try_open(dir, flags), -ENOTBLK);
		CU_ASSERT_EQUAL(try_open("/dev/null", flags), -ENOTBLK);
		CU_ASSERT_EQUAL(try_open(loop, flags), -ELOOP);
		CU_ASSERT_EQUAL(try_open("/nowhere/at/all", flags), -ENOENT);
		CU_ASSERT_EQUAL(try_open("", flags), -ENOENT);
		CU_ASSERT_EQUAL(try_open(link, flags), 0);
	}
	unlink(fifo);
	unlink(loop);
	unlink(link);
}

static int as_nobody(void)
{
	if (getuid() == 0 && setuid(65534) < 0)
		return 99;
	if (try_open(file, 0) != -SDE_READ_ONLY)
		return 1;
	if (try_open(file, FILEDEV_READ_ONLY) != 0)
		return 2;
	return try_open(file, FILEDEV_NO_LOCK) == 0 ? 0 : 3;
}

static int as_nobody_unreadable(void)
{
	if (getuid() == 0 && setuid(65534) < 0)
		return 99;
	return try_open(file, 0) == -EACCES && try_open(file, FILEDEV_READ_ONLY) == -EACCES ? 0 : 1;
}

static void test_permissions(void)
{
	make_file(SIZE, 0444);
	CU_ASSERT_EQUAL(in_child(as_nobody), 0);
	make_file(SIZE, 0);
	CU_ASSERT_EQUAL(in_child(as_nobody_unreadable), 0);
}

static void test_cut_off(void)
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	uint8_t data[8192];

	make_file(SIZE, 0600);
	CU_ASSERT_EQUAL_FATAL(filedev_open(file, 0, 0, &dev, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(truncate(file, 4096), 0);
	CU_ASSERT_EQUAL(blkdev_read(dev, data, 4096, 0), 0);
	CU_ASSERT_EQUAL(blkdev_read(dev, data, 8192, 0), -EIO);
	CU_ASSERT_EQUAL(blkdev_read(dev, data, 512, 100000), -EIO);
}

static void test_discard(void)
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	static uint8_t data[SIZE];
	struct stat st;

	make_file(SIZE, 0600);
	memset(data, 0xcc, SIZE);
	CU_ASSERT_EQUAL_FATAL(filedev_open(file, 0, 0, &dev, NULL), 0);
	CU_ASSERT_EQUAL(blkdev_write(dev, data, SIZE, 0), 0);
	int r = blkdev_discard(dev, 4097, 16384);

	if (r == -EOPNOTSUPP) {
		unit_skip("the file system cannot punch holes");
		return;
	}
	CU_ASSERT_EQUAL(r, 0);
	CU_ASSERT_EQUAL(blkdev_read(dev, data, SIZE, 0), 0);
	CU_ASSERT_EQUAL(data[8191], 0xcc);
	CU_ASSERT(bytes_all_zero(data + 8192, 12288));
	CU_ASSERT_EQUAL(data[20480], 0xcc);
	CU_ASSERT(stat(file, &st) == 0 && st.st_size == SIZE);
}

/* A container on a full file system of its own; 77: not possible here. */
static int on_full_tmpfs(void)
{
	static uint8_t data[SIZE];
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	char path[128];

	if (unshare(CLONE_NEWNS) < 0 ||
		mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", dir, "tmpfs", 0, "size=64k,mode=777") < 0)
		return 77;
	snprintf(path, sizeof(path), "%s/container", dir);
	if (filedev_open(path, FILEDEV_CREATE, SIZE, &dev, NULL) != 0)
		return 1;
	if (blkdev_write(dev, data, 4096, 0) != 0)
		return 2;
	if (blkdev_write(dev, data, SIZE, 0) != -ENOSPC)
		return 3;
	return blkdev_read(dev, data, SIZE, 0) == 0 && blkdev_flush(dev) == 0 ? 0 : 4;
}

static void test_host_full(void)
{
	int r = in_child(on_full_tmpfs);

	if (r == 77)
		unit_skip("may not mount a tmpfs of its own");
	else
		CU_ASSERT_EQUAL(r, 0);
}

int main(void)
{
	if (begin() < 0)
		return 99;
	return end(UNIT_RUN(UNIT(test_create), UNIT(test_transfer), UNIT(test_direct),
		UNIT(test_read_ahead), UNIT(test_taken_late), UNIT(test_size), UNIT(test_wrong_kinds), UNIT(test_permissions),
		UNIT(test_cut_off), UNIT(test_discard), UNIT(test_host_full)));
}
