/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All files of a mounted file system, with their hashes. */
#ifndef CLI_MANIFEST_WALK_H
#define CLI_MANIFEST_WALK_H

#include "audit/manifest.h"
#include "cli/progress.h"
#include "ext4/ext4.h"

/*
 * Fills manifest, sorted. Contents are read by several threads. The first file that cannot be read ends
 * it: *ret_path names it, the caller frees.
 */
int manifest_walk(struct e4_fs *fs, struct manifest *manifest, struct progress *progress, char **ret_path) MUST_CHECK;

#endif
