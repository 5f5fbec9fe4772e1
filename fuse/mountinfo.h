/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel says is mounted where. Touches no mounted file system, so it cannot hang. */
#ifndef FUSE_MOUNTINFO_H
#define FUSE_MOUNTINFO_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct mountinfo {
	unsigned major, minor; /* of the file system */
	char *mount_point, *type, *source;
	uid_t user; /* who mounted it (FUSE's user_id), else 0 */
};

/* The topmost mount at exactly this (canonical) place. -ENOENT: nothing is mounted there. */
int mountinfo_find(const char *mount_point, struct mountinfo *ret_info) MUST_CHECK;
/* A mount of ours with this source. -ENOENT. */
int mountinfo_find_source(const char *source, struct mountinfo *ret_info) MUST_CHECK;
/* All mounts of ours by this user; fn returns true to stop. */
typedef bool (*mountinfo_fn)(void *ctx, const struct mountinfo *info);
int mountinfo_each(uid_t user, mountinfo_fn fn, void *ctx) MUST_CHECK;
bool mountinfo_is_ours(const struct mountinfo *info);
/* Whether the program that served it has died. */
bool mountinfo_is_dead(const struct mountinfo *info);
void mountinfo_clear(struct mountinfo *info);

#endif
