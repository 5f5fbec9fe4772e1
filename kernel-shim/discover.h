/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What drives are there and what is on them: libblkid and sysfs. Reads only. */
#ifndef KERNEL_SHIM_DISCOVER_H
#define KERNEL_SHIM_DISCOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Strings are never NULL ("" when unknown), valid UTF-8 and free of control characters. */
struct drive {
	char *path; /* /dev/sdb1 */
	char *vendor, *model, *serial;
	uint64_t size_bytes;
	bool removable; /* removable medium, or on a hot-pluggable bus (USB, MMC) */
	bool read_only;
	bool partition;
	bool in_use; /* mounted, swap, or held by another device */
	char *content; /* libblkid's TYPE or partition-table type: "crypto_LUKS", "ext4", "gpt", "" */
	char *content_version, *label, *uuid;
};

/* All block devices of the machine but loop devices without backing, ram and zero-sized ones. */
int discover_drives(struct drive **ret_drives, size_t *ret_count) MUST_CHECK;
/* One target: a block device or a regular file (then vendor... are empty). */
int discover_target(const char *path, struct drive *ret_drive) MUST_CHECK;
/* Paths of all block devices of exactly this size; unlike the above nothing of them is read. To be
 * freed with discover_paths_free(). */
int discover_paths_of_size(uint64_t size_bytes, char ***ret_paths, size_t *ret_count) MUST_CHECK;
void discover_paths_free(char **paths, size_t count);
void drive_clear(struct drive *drive);
void drives_free(struct drive *drives, size_t count);

#endif
