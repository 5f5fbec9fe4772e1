/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/drives.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fuse/mountpoint.h"
#include "kernel-shim/filedev.h"

enum {
	SILENT_TRIES = 20, /* a second */
	TRIES_MAX = 12000, /* ten minutes */
};

void mounted_drive_clear(struct mounted_drive *drive)
{
	drive_status_clear(&drive->status);
	*drive = (struct mounted_drive){0};
}

static int drive_ask(const char *socket_path, uid_t user, struct mounted_drive *ret_drive)
{
	struct mounted_drive drive = {.user = user};
	int err = control_status(socket_path, user, &drive.status);

	if (err < 0)
		return err;
	snprintf(drive.socket_path, sizeof(drive.socket_path), "%s", socket_path);
	*ret_drive = drive;
	return 0;
}

/* What the kernel knows of a mount whose server cannot be asked. */
static int drive_of_mount(const struct mountinfo *info, struct mounted_drive *ret_drive)
{
	struct mounted_drive drive = {.user = info->user, .dead = mountinfo_is_dead(info)};

	drive.status.target = strdup(info->source);
	drive.status.mount_point = strdup(info->mount_point);
	drive.status.device_major = info->major;
	drive.status.device_minor = info->minor;
	if (!drive.status.target || !drive.status.mount_point) {
		mounted_drive_clear(&drive);
		return -ENOMEM;
	}
	*ret_drive = drive;
	return 0;
}

/* ---- all ---- */

struct each {
	drives_fn fn;
	void *ctx;
	bool stopped;
	int err;
};

static bool each_socket(void *ctx, const char *socket_path)
{
	struct each *each = ctx;
	struct mounted_drive drive;

	if (drive_ask(socket_path, geteuid(), &drive) < 0)
		return false;
	each->stopped = each->fn(each->ctx, &drive);
	mounted_drive_clear(&drive);
	return each->stopped;
}

static bool each_dead(void *ctx, const struct mountinfo *info)
{
	struct each *each = ctx;
	struct mounted_drive drive;

	if (!mountinfo_is_dead(info))
		return false;
	each->err = drive_of_mount(info, &drive);
	if (each->err < 0)
		return true;
	each->stopped = each->fn(each->ctx, &drive);
	mounted_drive_clear(&drive);
	return each->stopped;
}

int drives_each(drives_fn fn, void *ctx)
{
	struct each each = {.fn = fn, .ctx = ctx};
	int err;

	registry_each(geteuid(), each_socket, &each);
	if (each.stopped)
		return 0;
	err = mountinfo_each(geteuid(), each_dead, &each);
	return err < 0 ? err : each.err;
}

/* ---- one ---- */

struct search {
	const struct mountinfo *info;
	struct mounted_drive *ret_drive;
	bool found;
};

static bool search_socket(void *ctx, const char *socket_path)
{
	struct search *search = ctx;
	struct mounted_drive drive;

	if (drive_ask(socket_path, search->info->user, &drive) < 0)
		return false;
	if (drive.status.device_major != search->info->major ||
		drive.status.device_minor != search->info->minor) {
		mounted_drive_clear(&drive);
		return false;
	}
	*search->ret_drive = drive;
	search->found = true;
	return true;
}

static int find_by_mount(const struct mountinfo *info, struct mounted_drive *ret_drive)
{
	struct search search = {.info = info, .ret_drive = ret_drive};

	registry_each(info->user, search_socket, &search);
	if (search.found)
		return 0;
	return drive_of_mount(info, ret_drive);
}

/* Mounts keep the name under which their drive was mounted. When it was pulled out and put back it has
 * another one, and its old name may be another drive's. */
static bool is_target(const struct mounted_drive *drive, const char *path)
{
	return drive->dead || drive->socket_path[0] == '\0' ||
		(!drive->status.away && strcmp(drive->status.target, path) == 0);
}

static int find_by_target(const char *name, struct mounted_drive *ret_drive)
{
	CLEANUP_FREE char *path = realpath(name, NULL);
	struct registry_key key;
	struct sockaddr_un addr;
	struct mountinfo info;
	struct stat st;
	int err;

	if (!path || stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return -SDE_NOT_MOUNTED;
	registry_key_make(&st, &key);
	if (registry_find(geteuid(), &key, &addr) &&
		drive_ask(addr.sun_path, geteuid(), ret_drive) == 0)
		return 0;
	err = mountinfo_find_source(path, &info);
	if (err < 0)
		return err == -ENOENT ? -SDE_NOT_MOUNTED : err;
	err = find_by_mount(&info, ret_drive);
	mountinfo_clear(&info);
	if (err == 0 && !is_target(ret_drive, path)) {
		mounted_drive_clear(ret_drive);
		err = -SDE_NOT_MOUNTED;
	}
	return err;
}

int drives_find(const char *name, struct mounted_drive *ret_drive)
{
	CLEANUP_FREE char *path = NULL;
	struct mountinfo info;
	int err = mountpoint_resolve(name, &path);

	if (err == -ENOENT && mountinfo_find_source(name, &info) == 0) {
		/* a drive that was pulled out, so that its device node is gone */
		err = find_by_mount(&info, ret_drive);
		mountinfo_clear(&info);
		return err;
	}
	if (err < 0)
		return err;
	err = mountinfo_find(path, &info);
	if (err == -ENOENT)
		return find_by_target(name, ret_drive);
	if (err < 0)
		return err;
	err = mountinfo_is_ours(&info) ? find_by_mount(&info, ret_drive) : -SDE_NOT_MOUNTED;
	mountinfo_clear(&info);
	return err;
}

/* Somebody else may have taken it away meanwhile, and mounted the drive there once more. */
static bool is_still_dead(const struct mounted_drive *drive)
{
	struct mountinfo info;
	bool dead;

	if (mountinfo_find(drive->status.mount_point, &info) < 0)
		return false;
	dead = info.major == drive->status.device_major && info.minor == drive->status.device_minor &&
		mountinfo_is_dead(&info);
	mountinfo_clear(&info);
	return dead;
}

static int unmount_dead(const struct mounted_drive *drive, struct diag *diag)
{
	int err;

	if (!is_still_dead(drive))
		return -SDE_NOT_MOUNTED;
	err = mountpoint_unmount(drive->status.mount_point, false, diag);
	/* nothing can be lost any more for those who still sit in it */
	if (err == -EBUSY)
		err = mountpoint_unmount(drive->status.mount_point, true, diag);
	if (err == 0)
		mountpoint_remove_made(drive->status.mount_point);
	return err;
}

/* The server lets go of the target when everything is written. */
static int wait_closed(const char *target, void (*waiting)(void))
{
	const struct timespec pause = {.tv_nsec = 50 * 1000000L};
	struct blkdev *dev;

	for (int i = 0; i < TRIES_MAX; i++) {
		int err = filedev_open(target, FILEDEV_READ_ONLY, 0, &dev, NULL);

		if (err == 0)
			blkdev_close(dev);
		if (err != -SDE_BUSY)
			return 0; /* nobody holds it, or it is gone */
		if (i == SILENT_TRIES && waiting)
			waiting();
		nanosleep(&pause, NULL);
	}
	return -SDE_DAEMON;
}

static int unmount_unasked(const struct mounted_drive *drive, void (*waiting)(void),
	struct diag *diag)
{
	int err = mountpoint_unmount(drive->status.mount_point, false, diag);

	return err < 0 ? err : wait_closed(drive->status.target, waiting);
}

int drives_unmount(const struct mounted_drive *drive, void (*waiting)(void), struct diag *diag)
{
	if (geteuid() != 0 && drive->user != geteuid()) {
		const struct passwd *user = getpwuid(drive->user);

		return user ? diag_set(diag, -SDE_OTHER_USER, "%s", user->pw_name) : -SDE_OTHER_USER;
	}
	if (drive->dead)
		return unmount_dead(drive, diag);
	if (drive->socket_path[0] == '\0')
		return unmount_unasked(drive, waiting, diag);
	return control_unmount(drive->socket_path, drive->user, waiting, diag);
}

int drives_give_up(const struct mounted_drive *drive)
{
	if (drive->dead || drive->socket_path[0] == '\0')
		return -SDE_DAEMON;
	return control_give_up(drive->socket_path, drive->user);
}
