/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/dev/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tests/dev/memdev.h"

enum { CHUNK = 64 * 1024 };

/* A file name for one image, removed by image_temp_drop(). */
struct image_temp {
	char path[128];
};

static int image_temp_make(struct image_temp *ret_temp)
{
	const char *dir = getenv("TMPDIR");
	int fd;

	snprintf(ret_temp->path, sizeof(ret_temp->path), "%s/sealdrive-image-XXXXXX",
		dir && strlen(dir) < 80 ? dir : "/tmp");
	fd = mkstemp(ret_temp->path);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static void image_temp_drop(struct image_temp *temp)
{
	if (temp->path[0])
		unlink(temp->path);
}

/* Exit status of a shell command, 127 and more when it did not run or end by itself. */
static int run(const char *command)
{
	int status = system(command);

	return status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int load(struct blkdev *dev, const char *path)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *data = memdev_data(dev), chunk[CHUNK];
	uint64_t at = 0;

	if (fd < 0)
		return -errno;
	while (at < dev->size_bytes) {
		off_t next = lseek(fd, (off_t)at, SEEK_DATA);
		ssize_t n;

		if (next < 0)
			return errno == ENXIO ? 0 : -errno;
		at = (uint64_t)next;
		n = pread(fd, chunk, min_u64(CHUNK, dev->size_bytes - at), next);
		if (n <= 0)
			return n < 0 ? -errno : 0;
		memcpy(data + at, chunk, (size_t)n);
		at += (uint64_t)n;
	}
	return 0;
}

int image_save(struct blkdev *dev, const char *path)
{
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	const uint8_t *data = memdev_data(dev);

	if (fd < 0 || ftruncate(fd, (off_t)dev->size_bytes) < 0)
		return -errno;
	for (uint64_t at = 0; at < dev->size_bytes; at += CHUNK) {
		size_t n = (size_t)min_u64(CHUNK, dev->size_bytes - at);

		if (bytes_all_zero(data + at, n))
			continue;
		if (pwrite(fd, data + at, n, (off_t)at) != (ssize_t)n)
			return -EIO;
	}
	return 0;
}

static int fill(const char *path, uint64_t size_bytes)
{
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
	uint8_t chunk[CHUNK];
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	memset(chunk, 0xa5, sizeof(chunk));
	for (uint64_t at = 0; at < size_bytes && n > 0; at += (uint64_t)n)
		n = write(fd, chunk, min_u64(CHUNK, size_bytes - at));
	return n > 0 ? 0 : -EIO;
}

static int make(uint64_t size_bytes, const char *options, bool junk, struct blkdev **ret_dev)
{
	CLEANUP(image_temp_drop) struct image_temp temp = {""};
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	char command[1024];
	int r = image_temp_make(&temp);

	if (r == 0 && junk)
		r = fill(temp.path, size_bytes);
	if (r < 0)
		return r;
	if (truncate(temp.path, (off_t)size_bytes) < 0)
		return -errno;
	snprintf(command, sizeof(command), "mke2fs -q -F %s %s %s >&2",
		strstr(options, "-t ext") ? "" : "-t ext4", options, temp.path);
	if (run(command))
		return -EIO;
	r = memdev_new(size_bytes, 512, &dev);
	if (r == 0)
		r = load(dev, temp.path);
	if (r < 0)
		return r;
	*ret_dev = take_ptr(dev);
	return 0;
}

int image_make(uint64_t size_bytes, const char *options, struct blkdev **ret_dev)
{
	return make(size_bytes, options, false, ret_dev);
}

int image_make_over_junk(uint64_t size_bytes, const char *options, struct blkdev **ret_dev)
{
	char all[512];

	snprintf(all, sizeof(all), "%s -E nodiscard,lazy_itable_init=1", options);
	return make(size_bytes, all, true, ret_dev);
}

int image_check(struct blkdev *dev)
{
	CLEANUP(image_temp_drop) struct image_temp temp = {""};
	char command[1024];

	if (image_temp_make(&temp) < 0 || image_save(dev, temp.path) < 0)
		return 255;
	snprintf(command, sizeof(command),
		"out=$(e2fsck -fn %s 2>&1) || "
		"{ r=$?; echo \"$out\" | head -n 40 | sed 's/^/# /'; exit $r; }",
		temp.path);
	return run(command);
}

int image_dump(struct blkdev *dev, const char *file, uint8_t **ret_data, size_t *ret_len)
{
	CLEANUP(image_temp_drop) struct image_temp temp = {""}, out = {""};
	char command[1024];
	struct stat st;
	int r = image_temp_make(&temp);

	if (r == 0)
		r = image_temp_make(&out);
	if (r == 0)
		r = image_save(dev, temp.path);
	if (r < 0)
		return r;
	snprintf(command, sizeof(command), "debugfs -R 'dump %s %s' %s >/dev/null 2>&1", file,
		out.path, temp.path);
	if (run(command))
		return -EIO;
	CLEANUP_FD int fd = open(out.path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	CLEANUP_FREE uint8_t *data = malloc((size_t)st.st_size + 1);

	if (!data)
		return -ENOMEM;
	if (pread(fd, data, (size_t)st.st_size, 0) != st.st_size)
		return -EIO;
	*ret_len = (size_t)st.st_size;
	*ret_data = take_ptr(data);
	return 0;
}

int image_debugfs(struct blkdev *dev, const char *request, bool writes)
{
	CLEANUP(image_temp_drop) struct image_temp temp = {""};
	char command[1024];
	int r = image_temp_make(&temp);

	if (r == 0)
		r = image_save(dev, temp.path);
	if (r < 0)
		return r;
	snprintf(command, sizeof(command), "debugfs %s -R '%s' %s >/dev/null 2>&1",
		writes ? "-w" : "", request, temp.path);
	if (run(command))
		return -EIO;
	if (!writes)
		return 0;
	memset(memdev_data(dev), 0, dev->size_bytes);
	return load(dev, temp.path);
}
