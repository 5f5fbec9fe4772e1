/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding a drive or container again that was pulled out: what reattach.h needs to know of real targets.
 *
 * A drive is looked for among the block devices of its size, by its LUKS UUID, under any name. A
 * container is looked for at its path, and at the same place in whatever else is mounted.
 */
#ifndef KERNEL_SHIM_COMEBACK_H
#define KERNEL_SHIM_COMEBACK_H

#include <sys/stat.h>

#include "kernel-shim/reattach.h"

struct comeback;

struct comeback_params {
	const char *path; /* of the target */
	const char *uuid; /* of its LUKS header; "": the header is elsewhere */
	bool read_only;
	void (*event)(void *ctx, enum reattach_event event, int err);
	void *ctx;
};

/* For a target that is open. Strings are copied. */
int comeback_new(struct blkdev *file, const struct comeback_params *params,
	struct comeback **ret_comeback) MUST_CHECK;
void comeback_free(struct comeback *comeback); /* after the reattach device; NULL is fine */

/* With a struct comeback as ctx. */
extern const struct reattach_ops comeback_ops;

/* Where the target is now, or was before it went away; the path to be freed. */
int comeback_target(struct comeback *comeback, char **ret_path, struct stat *ret_stat) MUST_CHECK;

#endif
