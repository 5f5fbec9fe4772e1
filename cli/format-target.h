/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What `format` writes to: a drive, or a container or header file that may not exist yet. Examined
 * first, which changes nothing; opened once all other input is known to be right.
 */
#ifndef CLI_FORMAT_TARGET_H
#define CLI_FORMAT_TARGET_H

#include "base/blkdev.h"
#include "kernel-shim/discover.h"

struct format_target {
	const char *path;
	struct drive drive;	 /* what is there now; filled when it exists */
	bool exists, is_file;
	bool resize;		 /* an empty file that gets its size when it is opened */
	bool has_data;		 /* something known by libblkid, or bytes that are not zero */
	uint64_t size_bytes;	 /* that it has, or will have */
	struct blkdev *dev;	 /* after format_target_open() */
	struct blkdev *top;	 /* stacked on dev, which it closes; NULL: none */
	bool created;
};

/*
 * size_bytes: for a new container (0: it must exist). -SDE_BUSY, -SDE_READ_ONLY, -SDE_USAGE
 * (a size that the target cannot take), -ENOTBLK, -errno.
 */
int format_target_examine(const char *path, uint64_t size_bytes, struct format_target *ret_target,
	struct diag *diag) MUST_CHECK;
/* Shows what will be destroyed and asks. -SDE_HAS_DATA when nobody can be asked, -SDE_CANCELLED. */
int format_target_confirm(const struct format_target *target, struct diag *diag) MUST_CHECK;
/* Opens and locks it; creates what does not exist, and removes it again if a signal ends us. */
int format_target_open(struct format_target *target, struct diag *diag) MUST_CHECK;
/* Zeroes start_bytes at the start and the end, where other formats have their signatures. */
int format_target_wipe(const struct format_target *target, uint64_t start_bytes) MUST_CHECK;
/* Closes it; a file that was created is removed unless keep. */
void format_target_close(struct format_target *target, bool keep);

#endif
