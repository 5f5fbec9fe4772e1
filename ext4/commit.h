/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the blocks of one transaction reach the medium. */
#ifndef EXT4_COMMIT_H
#define EXT4_COMMIT_H

#include "ext4/cache.h"

/* Writes list so that it and all file data written before the call are on the medium. */
int commit_write(struct e4_fs *fs, const struct commit_list *list) MUST_CHECK;

#endif
