/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Drives by /sys/class/block. What a drive says of itself is shown, never trusted. */
#include "kernel-shim/discover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "kernel-shim/inuse.h"
#include "kernel-shim/probe.h"

enum { SYSFS_SECTOR_SHIFT = 9 };

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* First line of an attribute, NULL when there is none; malloc'ed. */
static char *attr_read(const char *dir, const char *name)
{
	CLEANUP_FREE char *line = NULL;
	CLEANUP_FILE FILE *f = NULL;
	char path[PATH_MAX];
	size_t room = 0;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return NULL;
	f = fopen(path, "re");
	return f && getline(&line, &room, f) > 0 ? take_ptr(line) : NULL;
}

static uint64_t attr_number(const char *dir, const char *name)
{
	CLEANUP_FREE char *text = attr_read(dir, name);

	return text ? strtoull(text, NULL, 10) : 0;
}

static bool attr_exists(const char *dir, const char *name)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path) &&
		access(path, F_OK) == 0;
}

/* Keeps what is there already; numbers of the PCI bus ("0x1af4") say nothing to anybody. */
static int attr_into(char **field, const char *dir, const char *name)
{
	CLEANUP_FREE char *text = (*field)[0] ? NULL : attr_read(dir, name);

	return text && strncmp(text, "0x", 2) != 0 ? drive_set(field, text) : 0;
}

static int drive_init(struct drive *drive, const char *path)
{
	char **fields[] = {&drive->vendor, &drive->model, &drive->serial, &drive->content,
		&drive->content_version, &drive->label, &drive->uuid};

	memset(drive, 0, sizeof(*drive));
	drive->path = strdup(path);
	if (!drive->path)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		*fields[i] = strdup("");
		if (!*fields[i])
			return -ENOMEM;
	}
	return 0;
}

void drive_clear(struct drive *drive)
{
	free(drive->path);
	free(drive->vendor);
	free(drive->model);
	free(drive->serial);
	free(drive->content);
	free(drive->content_version);
	free(drive->label);
	free(drive->uuid);
	memset(drive, 0, sizeof(*drive));
}

static void cleanup_drive(struct drive *drive)
{
	drive_clear(drive);
}

void drives_free(struct drive *drives, size_t count)
{
	for (size_t i = 0; i < count; i++)
		drive_clear(&drives[i]);
	free(drives);
}

/* The bus speaks for the whole disk: climb from it to the USB device, if there is one. */
static int climb_for_usb(struct drive *drive, char *dir)
{
	int r = 0;

	for (char *slash = strrchr(dir, '/'); r == 0 && slash > dir; slash = strrchr(dir, '/')) {
		if (attr_exists(dir, "idVendor")) {
			r = attr_into(&drive->vendor, dir, "manufacturer");
			if (r == 0)
				r = attr_into(&drive->model, dir, "product");
			return r < 0 ? r : attr_into(&drive->serial, dir, "serial");
		}
		*slash = '\0';
	}
	return r;
}

/* dir: real folder of the whole disk in sysfs; is cut to pieces. */
static int read_hardware(struct drive *drive, char *dir)
{
	static const struct {
		const char *name;
		size_t field;
	} attrs[] = {
		{"device/vendor", offsetof(struct drive, vendor)},
		{"device/model", offsetof(struct drive, model)},
		{"device/name", offsetof(struct drive, model)}, /* MMC */
		{"device/serial", offsetof(struct drive, serial)},
	};
	int r = 0;

	drive->removable = attr_number(dir, "removable") || strstr(dir, "/usb") ||
		strstr(dir, "/mmc_host/");
	for (size_t i = 0; i < ARRAY_SIZE(attrs) && r == 0; i++)
		r = attr_into((char **)((char *)drive + attrs[i].field), dir, attrs[i].name);
	return r < 0 ? r : climb_for_usb(drive, dir);
}

/* A disk is in use when one of its partitions is. */
static bool partition_in_use(const char *disk_dir)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(disk_dir);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char sub[PATH_MAX], path[sizeof(entry->d_name) + 8];
		struct stat st;

		if (entry->d_name[0] == '.' ||
			snprintf(sub, sizeof(sub), "%s/%s", disk_dir, entry->d_name) >= (int)sizeof(sub) ||
			!attr_exists(sub, "partition"))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		if (inuse_holders(sub) || (stat(path, &st) == 0 && inuse_target(path, &st)))
			return true;
	}
	return false;
}

/* All that sysfs says of a block device; real_dir is its real folder there. */
static int read_sysfs(struct drive *drive, const char *real_dir)
{
	CLEANUP_FREE char *disk = strdup(real_dir);

	if (!disk)
		return -ENOMEM;
	drive->size_bytes = attr_number(real_dir, "size") << SYSFS_SECTOR_SHIFT;
	drive->read_only = attr_number(real_dir, "ro");
	drive->partition = attr_exists(real_dir, "partition");
	drive->in_use = inuse_holders(real_dir) || partition_in_use(real_dir);
	if (drive->partition)
		*strrchr(disk, '/') = '\0';
	return read_hardware(drive, disk);
}

static bool is_listed(const char *name, const char *dir)
{
	if (strncmp(name, "ram", 3) == 0)
		return false;
	if (strncmp(name, "loop", 4) == 0 && !attr_exists(dir, "partition") &&
		!attr_exists(dir, "loop/backing_file"))
		return false;
	return attr_number(dir, "size") > 0;
}

static void device_path(const char *name, char *path, size_t size)
{
	snprintf(path, size, "/dev/%s", name);
	for (char *bang = strchr(path, '!'); bang; bang = strchr(bang, '!'))
		*bang = '/';
}

/* 0 also for a device that went away meanwhile, 1 when drive is filled. */
static int drive_from_name(const char *name, struct drive *ret_drive)
{
	CLEANUP(cleanup_drive) struct drive drive;
	CLEANUP_FREE char *dir = NULL;
	CLEANUP_FD int fd = -1;
	char path[PATH_MAX];
	struct stat st;
	int r;

	snprintf(path, sizeof(path), "/sys/class/block/%s", name);
	dir = realpath(path, NULL);
	device_path(name, path, sizeof(path));
	r = drive_init(&drive, path);
	if (r < 0 || !dir || !is_listed(name, dir))
		return r;
	r = read_sysfs(&drive, dir);
	if (r < 0)
		return r;
	if (stat(path, &st) == 0 && S_ISBLK(st.st_mode)) {
		drive.in_use = drive.in_use || inuse_target(path, &st);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		/* A list is of use even where a drive cannot be read. */
		if ((fd < 0 || probe_content(fd, &drive) < 0) && probe_udev(st.st_rdev, &drive) < 0)
			return -ENOMEM;
	}
	*ret_drive = drive;
	memset(&drive, 0, sizeof(drive));
	return 1;
}

static int by_path(const void *a, const void *b)
{
	return strverscmp(((const struct drive *)a)->path, ((const struct drive *)b)->path);
}

int discover_drives(struct drive **ret_drives, size_t *ret_count)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir("/sys/class/block");
	struct drive *drives = NULL, *more;
	struct dirent *entry;
	size_t count = 0;
	int r = 0;

	if (!dir)
		return -errno;
	while (r >= 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		more = realloc(drives, (count + 1) * sizeof(*drives));
		if (!more) {
			r = -ENOMEM;
			break;
		}
		drives = more;
		r = drive_from_name(entry->d_name, &drives[count]);
		count += r > 0;
	}
	if (r < 0) {
		drives_free(drives, count);
		return r;
	}
	if (count > 0)
		qsort(drives, count, sizeof(*drives), by_path);
	*ret_drives = drives;
	*ret_count = count;
	return 0;
}

static int read_device(struct drive *drive, const struct stat *st)
{
	CLEANUP_FREE char *dir = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(st->st_rdev), minor(st->st_rdev));
	dir = realpath(path, NULL);
	return dir ? read_sysfs(drive, dir) : -errno;
}

int discover_target(const char *path, struct drive *ret_drive)
{
	CLEANUP(cleanup_drive) struct drive drive = {.path = NULL};
	CLEANUP_FD int fd = -1;
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return -ENOTBLK;
	r = drive_init(&drive, path);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISBLK(st.st_mode)) {
		r = read_device(&drive, &st);
	} else {
		drive.size_bytes = (uint64_t)st.st_size;
		drive.read_only = access(path, W_OK) < 0;
		drive.in_use = inuse_loop_backing(&st);
	}
	if (r < 0)
		return r;
	drive.in_use = drive.in_use || inuse_target(path, &st);
	if (drive.size_bytes > 0)
		r = probe_content(fd, &drive);
	if (r < 0)
		return r;
	*ret_drive = drive;
	memset(&drive, 0, sizeof(drive));
	return 0;
}

void discover_paths_free(char **paths, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(paths[i]);
	free(paths);
}

static int path_add(char ***paths, size_t *count, const char *path)
{
	char *copy = strdup(path), **more = realloc(*paths, (*count + 1) * sizeof(*more));

	if (more)
		*paths = more;
	if (!more || !copy) {
		free(copy);
		return -ENOMEM;
	}
	more[(*count)++] = copy;
	return 0;
}

int discover_paths_of_size(uint64_t size_bytes, char ***ret_paths, size_t *ret_count)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir("/sys/class/block");
	char **paths = NULL, path[PATH_MAX];
	struct dirent *entry;
	size_t count = 0;
	int r = 0;

	if (!dir)
		return -errno;
	while (r == 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/class/block/%s", entry->d_name);
		if (attr_number(path, "size") << SYSFS_SECTOR_SHIFT != size_bytes)
			continue;
		device_path(entry->d_name, path, sizeof(path));
		r = path_add(&paths, &count, path);
	}
	if (r < 0) {
		discover_paths_free(paths, count);
		return r;
	}
	*ret_paths = paths;
	*ret_count = count;
	return 0;
}
