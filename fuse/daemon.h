/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A drive in service: an unlocked volume, its FUSE front and its control socket, from mounting to
 * closing. All in one thread, which must have SIGTERM, SIGINT and SIGHUP blocked (daemon_block_
 * signals) before the volume's file system starts threads of its own.
 */
#ifndef FUSE_DAEMON_H
#define FUSE_DAEMON_H

#include "fuse/owner.h"
#include "fuse/registry.h"
#include "fuse/volume.h"

struct daemon;

struct daemon_options {
	const char *target;	 /* as the user named it */
	const char *header;	 /* detached header, or NULL */
	const char *mount_point; /* canonical (mountpoint_check), or NULL: ~/Sealdrive/LABEL */
	bool read_only, allow_other, discard, accept_header_change;
	enum e4_atime atime;
	unsigned commit_ms; /* as in struct e4_mount_options */
	unsigned grace_ms;  /* how long a drive that was pulled out is waited for */
	enum owner_view view;
	/* As in struct e4_mount_options; in the thread of daemon_mount(). */
	bool (*on_wait)(void *ctx, unsigned seconds_left);
	void *on_wait_ctx;
};

/* What can be known before a passphrase is asked for: -SDE_MOUNTED with the place in diag. */
int daemon_check_target(const char *target, struct diag *diag) MUST_CHECK;

/* Locks the target and reads its header. */
int daemon_open(const struct daemon_options *options, struct daemon **ret_daemon,
	struct diag *diag) MUST_CHECK;
const struct luks2 *daemon_header(const struct daemon *daemon);
/* slot -1: any. */
int daemon_unlock(struct daemon *daemon, const struct secret *passphrase, int slot, struct diag *diag) MUST_CHECK;
/* Mounts: afterwards the kernel's requests wait for daemon_serve(). */
int daemon_mount(struct daemon *daemon, struct diag *diag) MUST_CHECK;
const char *daemon_mount_point(const struct daemon *daemon);
/* Whether pulling it out leaves it whole: as e4_has_journal(). */
bool daemon_has_journal(const struct daemon *daemon);
/* As e4_read_only_reason(). */
const char *daemon_read_only_reason(const struct daemon *daemon);

/* Serves until the drive is unmounted. */
int daemon_serve(struct daemon *daemon) MUST_CHECK;
/*
 * Unmounts if need be, writes everything to the drive and closes it; those who asked for it over
 * the control socket are told how it went, as is the caller. From any state; NULL is fine.
 */
int daemon_close(struct daemon *daemon) MUST_CHECK;

void daemon_block_signals(void);

#endif
