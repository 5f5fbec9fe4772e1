/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The FUSE front: a mounted file system (e4_fs) served to the kernel through libfuse's low-level
 * interface. Nothing else of the project includes libfuse's headers.
 */
#ifndef FUSE_FRONT_H
#define FUSE_FRONT_H

#include "fuse/owner.h"

struct front;

struct front_options {
	const char *source; /* shown as the mounted device */
	bool read_only;
	bool allow_other; /* other users too; access is checked by the kernel either way */
	struct owner owner;
};

/*
 * new -> mount -> serve -> close -> free, all in one thread; serve returns when the file system was
 * unmounted (by anybody) or stopped. SIGUSR1 is taken by it. fs must be there until close.
 */
int front_new(const struct front_options *options, struct e4_fs *fs, struct front **ret_front,
	struct diag *diag) MUST_CHECK;
/* -SDE_FUSE; after it requests wait until front_serve(). */
int front_mount(struct front *front, const char *mount_point, struct diag *diag) MUST_CHECK;
int front_serve(struct front *front) MUST_CHECK;
/* Detaches the mount if it still is there and lets go of every inode; from any state but serving. */
void front_close(struct front *front);
/* Closes, when no other thread uses the front any more. NULL is fine. */
void front_free(struct front *front);

/* From any thread: whether the front's mount is what lies on top at its mount point, and its
 * device numbers. */
bool front_is_mounted(const struct front *front);
void front_device(const struct front *front, unsigned *ret_major, unsigned *ret_minor);
/* From any other thread: makes front_serve() return although the file system is mounted, and
 * returns when it has, or will at once. */
void front_stop(struct front *front);
/* Waits until front_serve() has returned, at most timeout_ms; whether it has. */
bool front_wait_ended(struct front *front, unsigned timeout_ms);

/* Adds what the front has counted; from any thread. */
struct counters;
void front_counters(struct front *front, struct counters *counters);

/* Whether this user can mount through FUSE here, for others too: -SDE_FUSE, -SDE_ALLOW_OTHER with the reason in diag. */
int front_check_usable(bool allow_other, struct diag *diag) MUST_CHECK;

#endif
