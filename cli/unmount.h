/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A mount whose program has died: nobody's any more, and in the way of the next one. */
#ifndef CLI_UNMOUNT_H
#define CLI_UNMOUNT_H

#include "fuse/drives.h"

/* Takes it away, tells the user what that means, and records it. name: as the user named it. */
int unmount_left_over(const char *name, const struct mounted_drive *drive, struct diag *diag) MUST_CHECK;

#endif
