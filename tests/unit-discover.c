/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Discovery: of a file, of what this machine has, and of a made-up one (/sys, /dev and /run of a mount
 * namespace of our own). */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "kernel-shim/discover.h"
#include "tests/one-file.h"

#define USB "/sys/devices/pci0/usb1/1-2"
#define STICK USB "/1-2:1.0/host7/block/sdz"
#define VIRTIO "/sys/devices/pci0/virtio3/block/vdz"

static int make_parents(const char *path)
{
	char copy[256];

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return 0;
}

static int put(const char *path, const char *text)
{
	FILE *f = make_parents(path) < 0 ? NULL : fopen(path, "we");
	int r = f && fputs(text, f) >= 0 ? 0 : -1;

	if (f && fclose(f) < 0)
		r = -1;
	return r;
}

static int block_device(const char *name, const char *node, const char *size, unsigned minor_no)
{
	char path[300];
	int r;

	snprintf(path, sizeof(path), "%s/size", node);
	r = put(path, size);
	snprintf(path, sizeof(path), "%s/ro", node);
	r |= put(path, "0\n");
	snprintf(path, sizeof(path), "/sys/class/block/%s", name);
	r |= make_parents(path) | symlink(node, path);
	snprintf(path, sizeof(path), "/dev/%s", name);
	return r | mknod(path, S_IFBLK | 0600, makedev(8, minor_no));
}

static int build_machine(void)
{
	int r = 0;

	r |= put(USB "/idVendor", "0951\n");
	r |= put(USB "/manufacturer", "Kingston\n");
	r |= put(USB "/product", "Stick \x1b[31mred\xff\n");
	r |= put(USB "/serial", "E0D55E6C\n");
	r |= block_device("sdz", STICK, "61440000\n", 400);
	r |= put(STICK "/removable", "1\n");
	r |= put(STICK "/device/vendor", "Kingston\n");
	r |= put(STICK "/device/model", "DataTraveler 3.0\n");
	r |= block_device("sdz1", STICK "/sdz1", "61437952\n", 401);
	r |= put(STICK "/sdz1/partition", "1\n");
	r |= put(STICK "/sdz1/holders/dm-0/x", "");
	r |= block_device("sdz2", STICK "/sdz2", "2048\n", 402);
	r |= put(STICK "/sdz2/partition", "2\n");
	r |= block_device("vdz", VIRTIO, "2048\n", 403);
	r |= put(VIRTIO "/device/vendor", "0x1af4\n");
	r |= block_device("loop9", "/sys/devices/virtual/block/loop9", "2048\n", 404);
	r |= block_device("ram0", "/sys/devices/virtual/block/ram0", "2048\n", 405);
	r |= block_device("sr9", "/sys/devices/virtual/block/sr9", "0\n", 406);
	r |= put("/run/udev/data/b8:401", "S:disk/x\nE:ID_FS_TYPE=crypto_LUKS\nE:ID_FS_VERSION=2\n"
		"E:ID_FS_LABEL_ENC=T\xc3\xa0i\\x20li\xe1\xbb\x87u\\x1b\\x\\xg1\n"
		"E:ID_FS_UUID_ENC=12-34\n");
	return r | put("/run/udev/data/b8:400", "E:ID_PART_TABLE_TYPE=gpt\n");
}

static bool is(const char *name, const char *got, const char *expected)
{
	if (strcmp(got, expected) == 0)
		return true;
	printf("# %s: '%s', not '%s'\n", name, got, expected);
	return false;
}

static bool check_stick(const struct drive *d)
{
	return is("path", d->path, "/dev/sdz") & is("vendor", d->vendor, "Kingston") &
		is("model", d->model, "DataTraveler 3.0") & is("serial", d->serial, "E0D55E6C") &
		is("content", d->content, "gpt") & (d->size_bytes == 61440000ull * 512) &
		d->removable & !d->partition & !d->read_only & d->in_use;
}

static bool check_partition(const struct drive *d)
{
	return is("path", d->path, "/dev/sdz1") & is("model", d->model, "DataTraveler 3.0") &
		is("serial", d->serial, "E0D55E6C") & is("content", d->content, "crypto_LUKS") &
		is("version", d->content_version, "2") & is("uuid", d->uuid, "12-34") &
		is("label", d->label, "T\xc3\xa0i li\xe1\xbb\x87u\xef\xbf\xbd\\x\\xg1") &
		d->removable & d->partition & d->in_use;
}

static bool check_free_partition(const struct drive *d)
{
	return is("path", d->path, "/dev/sdz2") & is("content", d->content, "") & d->partition &
		!d->in_use;
}

static bool check_virtio(const struct drive *d)
{
	return is("path", d->path, "/dev/vdz") & is("vendor", d->vendor, "") & !d->removable &
		!d->in_use;
}

/* A stick that names itself over USB only, with an escape sequence. */
static bool check_hostile_name(void)
{
	struct drive *drives = NULL;
	size_t count = 0;
	bool good;

	if (unlink(STICK "/device/model") < 0 || discover_drives(&drives, &count) < 0)
		return false;
	good = count > 0 && is("model", drives[0].model, "Stick \xef\xbf\xbd[31mred\xef\xbf\xbd");
	drives_free(drives, count);
	return good;
}

/* 77: not possible here; else 0 or the number of the check that failed. */
static int on_made_up_machine(void)
{
	static const char *const places[] = {"/sys", "/dev", "/run"};
	struct drive *drives = NULL;
	size_t count = 0;
	int r = 0;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
		return 77;
	for (size_t i = 0; i < 3; i++)
		if (mount("none", places[i], "tmpfs", 0, "mode=755") < 0)
			return 77;
	if (build_machine())
		return 77;
	if (discover_drives(&drives, &count) < 0)
		return 1;
	if (count != 4)
		r = 2;
	else if (!check_stick(&drives[0]))
		r = 3;
	else if (!check_partition(&drives[1]))
		r = 4;
	else if (!check_free_partition(&drives[2]))
		r = 5;
	else if (!check_virtio(&drives[3]))
		r = 6;
	drives_free(drives, count);
	return r ? r : check_hostile_name() ? 0 : 7;
}

static void test_made_up_machine(void)
{
	int status = 0;
	pid_t pid;

	if (getuid() != 0) {
		unit_skip("only root may make device nodes");
		return;
	}
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		int r = on_made_up_machine();

		fflush(stdout);
		_exit(r);
	}
	CU_ASSERT_FATAL(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		unit_skip("no mount namespace to be had");
	else
		CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
}

static void test_discover_file(void)
{
	struct drive drive;
	struct blkdev *dev;
	int fd;

	make_file(1 << 20, 0600);
	CU_ASSERT_EQUAL_FATAL(discover_target(file, &drive), 0);
	CU_ASSERT_STRING_EQUAL(drive.path, file);
	CU_ASSERT_STRING_EQUAL(drive.content, "");
	CU_ASSERT_STRING_EQUAL(drive.vendor, "");
	CU_ASSERT_EQUAL(drive.size_bytes, 1 << 20);
	CU_ASSERT(!drive.in_use && !drive.partition);
	drive_clear(&drive);
	CU_ASSERT_EQUAL_FATAL(filedev_open(file, 0, 0, &dev, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(discover_target(file, &drive), 0);
	CU_ASSERT(drive.in_use);
	drive_clear(&drive);
	blkdev_close(dev);
	/* A swap header with an evil label: magic at the page's end, version 1, label at 1052. */
	fd = open(file, O_WRONLY | O_CLOEXEC);
	CU_ASSERT(pwrite(fd, "SWAPSPACE2", 10, 4086) == 10);
	CU_ASSERT(pwrite(fd, "\1\0\0\0\xff\0\0\0", 8, 1024) == 8);
	CU_ASSERT(pwrite(fd, "a\x1b[2Jb\xff", 7, 1052) == 7);
	close(fd);
	CU_ASSERT_EQUAL_FATAL(discover_target(file, &drive), 0);
	CU_ASSERT_STRING_EQUAL(drive.content, "swap");
	CU_ASSERT_PTR_NULL(strchr(drive.label, '\x1b'));
	CU_ASSERT_STRING_EQUAL(drive.label, "a\xef\xbf\xbd[2Jb\xef\xbf\xbd");
	drive_clear(&drive);
	CU_ASSERT_EQUAL(discover_target("/nowhere", &drive), -ENOENT);
	CU_ASSERT_EQUAL(discover_target(dir, &drive), -ENOTBLK);
}

static void test_discover_drives(void)
{
	struct drive *drives = NULL;
	size_t count = 0;

	CU_ASSERT_EQUAL_FATAL(discover_drives(&drives, &count), 0);
	for (size_t i = 0; i < count; i++) {
		CU_ASSERT_EQUAL(strncmp(drives[i].path, "/dev/", 5), 0);
		CU_ASSERT(drives[i].size_bytes > 0);
		CU_ASSERT(drives[i].vendor && drives[i].model && drives[i].serial && drives[i].content &&
			drives[i].content_version && drives[i].label && drives[i].uuid);
	}
	drives_free(drives, count);
	drives_free(NULL, 0);
}

int main(void)
{
	if (begin() < 0)
		return 99;
	return end(UNIT_RUN(UNIT(test_discover_file), UNIT(test_discover_drives),
		UNIT(test_made_up_machine)));
}
