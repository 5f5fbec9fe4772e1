/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Composition: target -> file device -> LUKS2 -> AES-XTS device -> ext4. The one place that knows
 * both keymgr/ and ext4/. Used by `mount` (and by `format` for mkfs).
 */
#ifndef FUSE_VOLUME_H
#define FUSE_VOLUME_H

#include "base/secret.h"
#include "ext4/ext4.h"
#include "keymgr/luks2.h"

struct volume_options {
	const char *target;
	const char *header; /* detached header file, or NULL */
	bool read_only;
	enum e4_atime atime;
	bool discard; /* allow discards even when the header does not */
	size_t cache_bytes;
	unsigned commit_ms;
	void (*on_error)(void *ctx, int err, const char *what);
	void *on_error_ctx;
	bool (*on_wait)(void *ctx, unsigned seconds_left);
	void *on_wait_ctx;
};

struct volume; /* an opened target, later unlocked, later with its file system mounted */

/* Opens and locks target (and header), loads and checks the header (repairing a damaged copy when
 * read-write). No secret is needed yet. */
int volume_open(const struct volume_options *options, struct volume **ret_volume, struct diag *diag) MUST_CHECK;
const struct luks2 *volume_header(const struct volume *volume);
/* Tries the passphrase; on success stacks the cipher device. The passphrase stays the caller's. */
int volume_unlock(struct volume *volume, const struct secret *passphrase, struct diag *diag) MUST_CHECK;
int volume_mount(struct volume *volume, struct diag *diag) MUST_CHECK;
struct e4_fs *volume_fs(struct volume *volume);
/* The plain data device after unlock (for mkfs, check). */
struct blkdev *volume_data(struct volume *volume);
/* Unmounts the file system, flushes, wipes keys, closes and unlocks the target. NULL is fine. */
int volume_close(struct volume *volume) MUST_CHECK;

#endif
