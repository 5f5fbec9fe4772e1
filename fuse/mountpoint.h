/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Folders that drives are mounted on, and taking mounts away again. */
#ifndef FUSE_MOUNTPOINT_H
#define FUSE_MOUNTPOINT_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"

/*
 * Whether this user may mount on dir: an empty folder of his own that nothing is mounted on.
 * Gives its canonical path, to be freed. -SDE_MOUNTPOINT with the reason in diag.
 */
int mountpoint_check(const char *dir, char **ret_path, struct diag *diag) MUST_CHECK;

/*
 * Makes ~/Sealdrive/NAME for a drive; NAME comes from the first of names (NULL-terminated) that
 * gives a usable file name. *ret_lock is a descriptor that keeps others from choosing the same
 * folder; close it once the drive is mounted.
 */
int mountpoint_make(const char *const *names, char **ret_path, int *ret_lock,
	struct diag *diag) MUST_CHECK;
/* Removes a folder made by mountpoint_make(), here or in another process; any other stays. */
void mountpoint_remove_made(const char *path);

/* A canonical path, also of a mount point whose server is dead. */
int mountpoint_resolve(const char *dir, char **ret_path) MUST_CHECK;

/*
 * Unmounts what is mounted at path (canonical), as root or through fusermount3. Everything
 * that was written reaches the server first. lazy: detaches it even while it is in use. -EBUSY, or
 * -SDE_FUSE with the reason in diag.
 */
int mountpoint_unmount(const char *path, bool lazy, struct diag *diag) MUST_CHECK;

#endif
