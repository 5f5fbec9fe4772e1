/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is kept out of a drive that is open, and of a header that is being changed. */
#include <sys/file.h>
#include <time.h>

#include "kernel-shim/filedev.h"
#include "tests/one-file.h"

static int expect_busy(void)
{
	return try_open(file, 0) == -SDE_BUSY && try_open(file, FILEDEV_READ_ONLY) == -SDE_BUSY ? 0 : 1;
}

static void test_locks(void)
{
	struct blkdev *dev = NULL;

	make_file(SIZE, 0600);
	CU_ASSERT_EQUAL_FATAL(filedev_open(file, 0, 0, &dev, NULL), 0);
	CU_ASSERT_EQUAL(try_open(file, 0), -SDE_BUSY);
	CU_ASSERT_EQUAL(try_open(file, FILEDEV_READ_ONLY), -SDE_BUSY);
	CU_ASSERT_EQUAL(try_open(file, FILEDEV_NO_LOCK), 0);
	CU_ASSERT_EQUAL(in_child(expect_busy), 0);
	blkdev_close(dev);
	CU_ASSERT_EQUAL_FATAL(filedev_open(file, FILEDEV_READ_ONLY, 0, &dev, NULL), 0);
	CU_ASSERT(dev->read_only);
	CU_ASSERT_EQUAL(blkdev_write(dev, "x", 1, 0), -EROFS);
	CU_ASSERT_EQUAL(blkdev_flush(dev), 0);
	CU_ASSERT_EQUAL(try_open(file, FILEDEV_READ_ONLY), 0);
	CU_ASSERT_EQUAL(try_open(file, 0), -SDE_BUSY);
	blkdev_close(dev);
	CU_ASSERT_EQUAL(try_open(file, 0), 0);
	CU_ASSERT_EQUAL_FATAL(filedev_open(file, FILEDEV_NO_LOCK, 0, &dev, NULL), 0);
	CU_ASSERT(dev->read_only);
	CU_ASSERT_EQUAL(try_open(file, 0), 0);
	blkdev_close(dev);
}

static unsigned long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum { HOLD_MS = 400 };

/* A child that has done what take does, and keeps it for HOLD_MS; returns when it has it. */
static pid_t holder(bool (*take)(void))
{
	int ready[2];
	char byte;
	pid_t pid;

	CU_ASSERT_FATAL(pipe(ready) == 0);
	pid = fork();
	if (pid == 0) {
		if (!take() || write(ready[1], "x", 1) != 1)
			_exit(1);
		usleep(HOLD_MS * 1000);
		_exit(0);
	}
	close(ready[1]);
	CU_ASSERT_FATAL(pid > 0 && read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	return pid;
}

static bool take_header(void)
{
	struct blkdev *dev;

	return filedev_open(file, FILEDEV_HEADER, 0, &dev, NULL) == 0 && blkdev_lock(dev) == 0;
}

static bool take_flock(void)
{
	return flock(open(file, O_RDWR | O_CLOEXEC), LOCK_EX | LOCK_NB) == 0;
}

static bool flock_free(void)
{
	CLEANUP_FD int fd = open(file, O_RDWR | O_CLOEXEC);

	return flock(fd, LOCK_SH | LOCK_NB) == 0;
}

/* The header's lock is given, but only after the holder is through. */
static void lock_after(bool (*take)(void))
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	unsigned long long start = now_ms();
	pid_t pid = holder(take);

	CU_ASSERT_EQUAL_FATAL(filedev_open(file, FILEDEV_HEADER, 0, &dev, NULL), 0);
	CU_ASSERT_EQUAL(blkdev_lock(dev), 0);
	CU_ASSERT(now_ms() - start >= HOLD_MS);
	waitpid(pid, NULL, 0);
}

static bool take_all(void)
{
	struct blkdev *dev;

	return filedev_open(file, 0, 0, &dev, NULL) == 0;
}

static void test_header_lock(void)
{
	struct blkdev *dev = NULL, *mounted = NULL;

	make_file(SIZE, 0600);
	/* as cryptsetup sees it */
	CU_ASSERT_EQUAL_FATAL(filedev_open(file, FILEDEV_HEADER, 0, &dev, NULL), 0);
	CU_ASSERT(flock_free());
	CU_ASSERT_EQUAL(blkdev_lock(dev), 0);
	CU_ASSERT_EQUAL(blkdev_lock(dev), 0);
	CU_ASSERT_FALSE(flock_free());
	blkdev_unlock(dev);
	CU_ASSERT_FALSE(flock_free());
	blkdev_unlock(dev);
	CU_ASSERT(flock_free());
	/* while one of ours has the drive open, for writing or not */
	for (unsigned flags = 0; flags <= FILEDEV_READ_ONLY; flags += FILEDEV_READ_ONLY) {
		CU_ASSERT_EQUAL_FATAL(filedev_open(file, flags | FILEDEV_SHARE_HEADER, 0, &mounted, NULL), 0);
		CU_ASSERT_EQUAL(blkdev_lock(dev), 0);
		blkdev_unlock(dev);
		CU_ASSERT_EQUAL(blkdev_lock(mounted), 0);
		blkdev_close(mounted);
	}
	CU_ASSERT(flock_free());
	blkdev_close(dev);
	/* one after the other */
	lock_after(take_header);
	lock_after(take_flock);
	/* who formats or erases shares nothing */
	lock_after(take_all);
	CU_ASSERT_EQUAL_FATAL(filedev_open(file, FILEDEV_READ_ONLY, 0, &dev, NULL), 0);
	/* those that read do so together, and after those that write */
	CU_ASSERT_EQUAL(blkdev_lock(dev), 0);
	CU_ASSERT_EQUAL_FATAL(filedev_open(file, FILEDEV_NO_LOCK, 0, &mounted, NULL), 0);
	CU_ASSERT_EQUAL(blkdev_lock(mounted), 0);
	blkdev_close(mounted);
	blkdev_close(dev);
	unsigned long long start = now_ms();
	pid_t pid = holder(take_header);

	CU_ASSERT_EQUAL_FATAL(filedev_open(file, FILEDEV_NO_LOCK, 0, &dev, NULL), 0);
	CU_ASSERT_EQUAL(blkdev_lock(dev), 0);
	CU_ASSERT(now_ms() - start >= HOLD_MS);
	blkdev_close(dev);
	waitpid(pid, NULL, 0);
}

/* A drive is opened, and closed, when its header is not being changed. */
static void test_header_lock_first(void)
{
	struct blkdev *dev = NULL;
	unsigned long long start = now_ms();
	pid_t pid;

	make_file(SIZE, 0600);
	pid = holder(take_header);
	CU_ASSERT_EQUAL(filedev_open(file, FILEDEV_SHARE_HEADER, 0, &dev, NULL), 0);
	CU_ASSERT(now_ms() - start >= HOLD_MS);
	waitpid(pid, NULL, 0);
	start = now_ms();
	pid = holder(take_header);
	blkdev_close(dev);
	CU_ASSERT(now_ms() - start >= HOLD_MS);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	if (begin() < 0)
		return 99;
	return end(UNIT_RUN(UNIT(test_locks), UNIT(test_header_lock), UNIT(test_header_lock_first)));
}
