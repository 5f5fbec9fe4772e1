/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who uses a mounted drive: programs with a file, a folder or a mapping of it open. */
#ifndef FUSE_USERS_H
#define FUSE_USERS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

struct mount_user {
	pid_t pid;
	char name[64]; /* as in /proc/PID/comm, made safe to show */
};

/*
 * The first `max` of them below mount_point (canonical), as far as this user may look (programs of
 * other users may stay unseen). Returns how many, or -errno. The mounted drive is not touched.
 */
int users_find(const char *mount_point, struct mount_user *ret_users, size_t max) MUST_CHECK;

#endif
