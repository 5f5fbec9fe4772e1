/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mounted drives, as seen by the command line: finding them and having them unmounted. */
#ifndef FUSE_DRIVES_H
#define FUSE_DRIVES_H

#include "fuse/control.h"
#include "fuse/mountinfo.h"

/* A mounted drive and how to reach the program that serves it. */
struct mounted_drive {
	struct drive_status status; /* dead: only target, mount_point and device are known */
	/* "": none was found, because it is in a folder that this process's environment does not
	 * name; then too only target, mount_point and device are known */
	char socket_path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	uid_t user; /* who mounted it */
	bool dead;  /* the program that served it has died; the mount is left over */
};
void mounted_drive_clear(struct mounted_drive *drive);

/* Returns true to stop. */
typedef bool (*drives_fn)(void *ctx, const struct mounted_drive *drive);
/* All drives that this user has mounted. */
int drives_each(drives_fn fn, void *ctx) MUST_CHECK;

/* By target or by mount point. -SDE_NOT_MOUNTED. */
int drives_find(const char *name, struct mounted_drive *ret_drive) MUST_CHECK;

/*
 * Unmounts and returns when everything is on the drive and it is closed. A left-over mount is
 * taken away. -SDE_OTHER_USER: only who has mounted it and root may; -EBUSY: in use, nothing changed;
 * -SDE_DAEMON: the program died meanwhile.
 */
int drives_unmount(const struct mounted_drive *drive, void (*waiting)(void),
	struct diag *diag) MUST_CHECK;

/* A drive that is away is waited for no longer. */
int drives_give_up(const struct mounted_drive *drive) MUST_CHECK;

#endif
