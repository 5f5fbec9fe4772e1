/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Composition: target -> file device -> LUKS2 -> AES-XTS device -> ext4. The one place that knows
 * both keymgr/ and ext4/. Used by `mount` (and by `format` for mkfs).
 */
#ifndef FUSE_VOLUME_H
#define FUSE_VOLUME_H

#include <sys/stat.h>

#include "base/secret.h"
#include "ext4/ext4.h"
#include "kernel-shim/reattach.h"
#include "keymgr/luks2.h"

struct volume_options {
	const char *target;
	const char *header; /* detached header file, or NULL */
	bool read_only;
	enum e4_atime atime;
	bool accept_header_change; /* a broken seal of the header does not matter, and is made right */
	bool discard; /* allow discards even when the header does not */
	size_t cache_bytes;
	unsigned commit_ms;
	void (*on_error)(void *ctx, int err, const char *what);
	void (*on_loss)(void *ctx, uint32_t ino);
	void *on_error_ctx;
	bool (*on_wait)(void *ctx, unsigned seconds_left);
	void *on_wait_ctx;
	/* A drive that is pulled out is waited for; NULL: no such layer. From any thread. */
	void (*on_reattach)(void *ctx, enum reattach_event event, int err);
	void *on_reattach_ctx;
};

struct counters;
struct volume; /* an opened target, later unlocked, later with its file system mounted */

/* Opens and locks target (and header), loads and checks the header (repairing a damaged copy when
 * read-write). No secret is needed yet. */
int volume_open(const struct volume_options *options, struct volume **ret_volume, struct diag *diag) MUST_CHECK;
const struct luks2 *volume_header(const struct volume *volume);
/* Whether a damaged copy of the header was, or could have been, repaired. */
bool volume_header_writable(const struct volume *volume);
/* Tries the passphrase; on success stacks the cipher device. The passphrase stays the caller's. */
/* key_slot -1: any. */
int volume_unlock(struct volume *volume, const struct secret *passphrase, int key_slot,
	struct diag *diag) MUST_CHECK;
int volume_mount(struct volume *volume, struct diag *diag) MUST_CHECK;
struct e4_fs *volume_fs(struct volume *volume);
/* The plain data device after unlock (for mkfs, check). */
struct blkdev *volume_data(struct volume *volume);
/* The target's size, of which the data device is a part. */
uint64_t volume_target_bytes(const struct volume *volume);
/* The target is a file, not a drive. */
bool volume_is_container(const struct volume *volume);
/* With on_reattach, from unlock to close: where the target is, or was before it went away. */
int volume_target(struct volume *volume, char **ret_path, struct stat *ret_stat) MUST_CHECK;
/* As reattach_set_grace(). */
void volume_set_grace(struct volume *volume, unsigned grace_ms);
void volume_reattach_state(struct volume *volume, struct reattach_state *ret_state);
void volume_give_up(struct volume *volume);
/* Whether a larger target means a larger data device. */
bool volume_follows_target(const struct volume *volume);
/* Whether volume_grow() would have a chance: -ENOTBLK on drives, -SDE_NO_SPACE_HOST where there is not
 * even the space for the metadata of a larger file system, -EINVAL. */
int volume_check_grow(const struct volume *volume, uint64_t target_bytes) MUST_CHECK;
/* Makes a container file larger, and with it the data device, which must not be in use. The volume
 * is unlocked and follows its target. */
int volume_grow(struct volume *volume, uint64_t target_bytes) MUST_CHECK;
/* Unmounts the file system and flushes: the part of volume_close() that may have to wait for a drive that was
 * pulled out. NULL is fine. */
int volume_finish(struct volume *volume) MUST_CHECK;
/* Unmounts the file system, flushes, wipes keys, closes and unlocks the target. NULL is fine. */
int volume_close(struct volume *volume) MUST_CHECK;

/* Adds what file system and drive have counted since they were mounted; from any thread. */
void volume_counters(struct volume *volume, struct counters *counters);

#endif
