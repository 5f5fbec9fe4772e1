/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The orphan file: a table of orphans that other systems keep. We only finish what is in it. */
#ifndef EXT4_ORPHAN_FILE_H
#define EXT4_ORPHAN_FILE_H

#include "ext4/fs.h"

/* At mount, the volume in use: nothing is left in it, and the super block says so. */
int orphan_file_finish(struct e4_fs *fs) MUST_CHECK;

#endif
