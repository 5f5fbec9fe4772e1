/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loop devices as block devices: locks, media that go, disks that lose what they were given. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "base/bytes.h"
#include "kernel-shim/discover.h"
#include "tests/one-file.h"

/* Attaches file to a loop device; false when that is not possible here. */
static bool loop_attach(const char *options, char *ret_path, size_t room)
{
	char command[256];
	FILE *f;

	snprintf(command, sizeof(command), "losetup --find --show %s '%s' 2>/dev/null", options, file);
	f = getuid() == 0 ? popen(command, "re") : NULL;
	bool ok = f && fgets(ret_path, (int)room, f);

	if (f)
		pclose(f);
	if (ok)
		ret_path[strcspn(ret_path, "\n")] = '\0';
	return ok;
}

static void loop_do(const char *option, const char *loop)
{
	char command[128];

	snprintf(command, sizeof(command), "losetup %s %s", option, loop);
	CU_ASSERT_EQUAL(system(command), 0);
}

/* While dev is held O_EXCL; with the lock of cryptsetup, which is root's. */
static void test_device_header_lock(const char *loop)
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	struct stat st;
	char path[64];

	CU_ASSERT_EQUAL_FATAL(filedev_open(loop, FILEDEV_HEADER, 0, &dev, NULL), 0);
	filedev_stat(dev, &st);
	snprintf(path, sizeof(path), "/run/cryptsetup/L_%u:%u", major(st.st_rdev), minor(st.st_rdev));
	CU_ASSERT_EQUAL(blkdev_lock(dev), 0);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	CU_ASSERT(fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0);
	blkdev_unlock(dev);
	CU_ASSERT(access(path, F_OK) < 0);
	CU_ASSERT_EQUAL(blkdev_lock(dev), 0);
}

static void test_loop_device(void)
{
	struct blkdev *dev = NULL;
	struct drive drive;
	char loop[64];
	uint8_t data[4096] = {0x77}, got[4096];
	int fd;

	make_file(SIZE, 0600);
	if (!loop_attach("", loop, sizeof(loop))) {
		unit_skip("no loop device to be had");
		return;
	}
	/* Nobody may write the file under the loop device. */
	CU_ASSERT_EQUAL(try_open(file, 0), -SDE_BUSY);
	CU_ASSERT_EQUAL(try_open(file, FILEDEV_NO_LOCK), 0);
	/* O_EXCL, as the kernel's own mount holds it */
	fd = open(loop, O_RDONLY | O_EXCL | O_CLOEXEC);
	CU_ASSERT_EQUAL(try_open(loop, 0), -SDE_BUSY);
	CU_ASSERT_EQUAL(try_open(loop, FILEDEV_READ_ONLY), -SDE_BUSY);
	CU_ASSERT_EQUAL(try_open(loop, FILEDEV_NO_LOCK), 0);
	close(fd);
	CU_ASSERT_EQUAL(filedev_open(loop, FILEDEV_SHARE_HEADER, 0, &dev, NULL), 0);
	if (dev) {
		CU_ASSERT_EQUAL(dev->size_bytes, SIZE);
		CU_ASSERT(is_power_of_2(dev->block_bytes) && dev->block_bytes >= 512);
		CU_ASSERT_EQUAL(try_open(loop, 0), -SDE_BUSY);
		CU_ASSERT_EQUAL(discover_target(loop, &drive), 0);
		CU_ASSERT(drive.in_use);
		CU_ASSERT_EQUAL(drive.size_bytes, SIZE);
		drive_clear(&drive);
		CU_ASSERT_EQUAL(blkdev_write(dev, data, 4096, SIZE - 4096), 0);
		CU_ASSERT_EQUAL(blkdev_flush(dev), 0);
		fd = open(file, O_RDONLY | O_CLOEXEC);
		CU_ASSERT(pread(fd, got, 4096, SIZE - 4096) == 4096 && memcmp(got, data, 4096) == 0);
		close(fd);
		test_device_header_lock(loop);
		/* The medium goes: what is missing is gone, not merely unreadable. */
		CU_ASSERT_EQUAL(truncate(file, SIZE / 2), 0);
		loop_do("--set-capacity", loop);
		CU_ASSERT_EQUAL(blkdev_read(dev, got, 4096, SIZE - 4096), -ENODEV);
		CU_ASSERT_EQUAL(blkdev_write(dev, got, 4096, SIZE - 4096), -ENODEV);
		blkdev_close(dev);
	}
	loop_do("--detach", loop);
}

static void test_loop_read_only(void)
{
	char loop[64];
	struct drive drive;

	make_file(SIZE, 0600);
	if (!loop_attach("--read-only", loop, sizeof(loop))) {
		unit_skip("no loop device to be had");
		return;
	}
	CU_ASSERT_EQUAL(try_open(loop, 0), -SDE_READ_ONLY);
	CU_ASSERT_EQUAL(try_open(loop, FILEDEV_READ_ONLY), 0);
	CU_ASSERT_EQUAL(discover_target(loop, &drive), 0);
	CU_ASSERT(drive.read_only);
	drive_clear(&drive);
	loop_do("--detach", loop);
}

/* A drive that loses what it was given: the kernel tells the first fsync only. 77: not possible. */
static int flush_to_full_disk(void)
{
	static uint8_t data[SIZE];
	struct blkdev *dev = NULL;
	char loop[64];
	int r = 0;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", dir, "tmpfs", 0, "size=64k,mode=777") < 0)
		return 77;
	make_file(SIZE, 0600);
	if (!loop_attach("", loop, sizeof(loop)))
		return 77;
	memset(data, 1, SIZE);
	if (filedev_open(loop, 0, 0, &dev, NULL) != 0)
		r = 1;
	/* Fill the disk first: the loop driver takes a write that was cut short for a whole one. */
	if (r == 0 && (blkdev_write(dev, data, SIZE / 4, 0) != 0 || blkdev_flush(dev) != 0))
		r = 2;
	if (r == 0 && blkdev_write(dev, data, SIZE / 4, SIZE / 2) != 0)
		r = 2;
	if (r == 0 && blkdev_flush(dev) >= 0)
		r = 3;
	if (r == 0 && (blkdev_flush(dev) >= 0 || blkdev_flush(dev) >= 0))
		r = 4;
	blkdev_close(dev);
	loop_do("--detach", loop);
	return r;
}

static void test_flush_failure_stays(void)
{
	int r = getuid() == 0 ? in_child(flush_to_full_disk) : 77;

	if (r == 77)
		unit_skip("no loop device or tmpfs to be had");
	else
		CU_ASSERT_EQUAL(r, 0);
}

int main(void)
{
	if (begin() < 0)
		return 99;
	return end(UNIT_RUN(UNIT(test_loop_device), UNIT(test_loop_read_only),
		UNIT(test_flush_failure_stays)));
}
