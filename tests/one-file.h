/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One file that is opened as a drive, for the tests of filedev.h and discover.h. */
#ifndef TESTS_ONE_FILE_H
#define TESTS_ONE_FILE_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel-shim/filedev.h"
#include "tests/unit.h"

enum { SIZE = 256 * 1024 };

/* A folder of its own, and the file in it that the tests open. */
static char dir[64];
static char file[96];

static inline void make_file(off_t size, mode_t mode)
{
	int fd;

	unlink(file); /* it may be one that its owner cannot write */
	fd = open(file, O_RDWR | O_CREAT | O_EXCL, 0600);
	CU_ASSERT_FATAL(fd >= 0 && ftruncate(fd, size) == 0 && fchmod(fd, mode) == 0);
	close(fd);
}

/* What filedev_open answers; the device is closed at once. */
static inline int try_open(const char *path, unsigned flags)
{
	struct blkdev *dev = NULL;
	int r = filedev_open(path, flags, 0, &dev, NULL);

	CU_ASSERT_EQUAL(r == 0, dev != NULL);
	blkdev_close(dev);
	return r;
}

/* fn() in a child: 0, or what went wrong (at most 255). */
static inline int in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn());
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
									       : 255;
}

static inline int begin(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%.40s/sealdrive-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
		return -1;
	snprintf(file, sizeof(file), "%s/f", dir);
	return 0;
}

static inline int end(int r)
{
	unlink(file);
	rmdir(dir);
	return r;
}

#endif
