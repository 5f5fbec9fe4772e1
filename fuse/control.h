/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Control of a mounted drive through its socket. Server: the program that serves the drive.
 * Client: `sealdrive status` and `sealdrive unmount`. Only the server's user and root are heard.
 */
#ifndef FUSE_CONTROL_H
#define FUSE_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fuse/counters.h"
#include "fuse/registry.h"

/* Strings are malloc'ed, never NULL, as the server knows them (paths: any bytes but zero become
 * valid UTF-8 on the way). */
struct drive_status {
	char *target, *uuid, *label, *mount_point, *cipher, *owner_view;
	char *read_only_reason; /* "" when writable or read-only on demand */
	char *error;		/* "" or what went wrong since */
	char *refused;		/* while away: "" or why the drive that was put back is not taken */
	pid_t pid;
	unsigned device_major, device_minor; /* of the mounted file system */
	bool read_only, memory_locked, unmounting;
	uint64_t size_bytes, free_bytes;
	int64_t since; /* seconds since 1970 */
	bool away; /* it was pulled out, and is waited for */
	unsigned seconds_left; /* while away */
	struct counters counters;
};
void drive_status_clear(struct drive_status *status);

/* ---- server ---- */

struct control;

struct control_ops {
	int (*status)(void *ctx, struct drive_status *ret_status);
	/* Unmounts; force: also when it is in use. Called in a thread of its own, one at a time. 0: the
	 * service is ending, control_finish() will follow. */
	int (*unmount)(void *ctx, bool force, struct diag *diag);
	/* A drive that is away is waited for no longer. */
	void (*give_up)(void *ctx);
	void *ctx;
};

/*
 * Makes the socket. -SDE_MOUNTED when a server answers there already. From control_start() on,
 * SIGTERM, SIGINT and SIGHUP, which must be blocked in all threads, mean a forced unmount.
 */
int control_new(const struct registry_key *key, const struct control_ops *ops,
	struct control **ret_control, struct diag *diag) MUST_CHECK;
int control_start(struct control *control) MUST_CHECK;
/* The drive has another identity now. Until control_finish(), one thread at a time. */
int control_move(struct control *control, const struct registry_key *key) MUST_CHECK;
/* The drive is closed, err is how that went: removes the socket, tells everybody who waits. */
void control_finish(struct control *control, int err);

/* ---- client ---- */

/* The drive's state. -ENOENT: no socket; -SDE_DAEMON: nobody (of server_user) answers. */
int control_status(const char *socket_path, uid_t server_user, struct drive_status *ret_status) MUST_CHECK;
/*
 * Has the server unmount and returns when the drive is closed. -EBUSY, -SDE_DAEMON (died
 * meanwhile), or why it could not be closed properly. waiting() is called once after a second.
 */
int control_unmount(const char *socket_path, uid_t server_user, void (*waiting)(void),
	struct diag *diag) MUST_CHECK;

/* A drive that is away is waited for no longer. */
int control_give_up(const char *socket_path, uid_t server_user) MUST_CHECK;

#endif
