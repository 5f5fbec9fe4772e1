/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who may change the header of a drive, and when. Private to kernel-shim/: others use blkdev_lock().
 *
 * Whoever opens a drive for its data holds it with flock (filedev.c) for hours; its key slots change in
 * a moment, and may meanwhile. So there are two more locks on the open file:
 *
 *	the drive's mark	held shared by each program of ours that has the drive open for its data
 *				alone; without it flock keeps everybody out (format, erase)
 *	the header's lock	held by the one program of ours that changes the header, or shared by those
 *				that read it right now
 *
 * and with the header's lock goes the one that cryptsetup takes (2.6, as strace shows it): on a file,
 * flock on the file itself; on a device, flock on /run/cryptsetup/L_MAJOR:MINOR, which only root can
 * reach, as only root's cryptsetup can. On a file that one of ours has open cryptsetup waits anyway.
 *
 * Ours are open file description locks on single bytes far behind any data. They end with the
 * process.
 */
#ifndef KERNEL_SHIM_HEADERLOCK_H
#define KERNEL_SHIM_HEADERLOCK_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/error.h"

struct headerlock {
	bool flocked;	      /* flock was taken with the lock, and goes with it */
	int cryptsetup_fd;    /* the lock file of a device, -1: none */
	char cryptsetup_name[32];
};
#define HEADERLOCK_INIT {.cryptsetup_fd = -1}

/* Marks the drive as open for its data. Where the file system has no such locks, there is no mark,
 * and keys cannot be changed while the drive is open. */
void headerlock_mark(int fd);

/* Waits some seconds, to read (shared) not as long. has_flock: the caller holds flock on fd already.
 * -SDE_BUSY, -errno. */
int headerlock_take(int fd, const struct stat *st, bool has_flock, bool shared,
	struct headerlock *lock) MUST_CHECK;
void headerlock_drop(int fd, struct headerlock *lock);
/* Whether somebody else holds the lock now, shared or not. */
bool headerlock_is_held(int fd);
/* Waits until nobody holds it, but not for ever. */
void headerlock_wait(int fd);

#endif
