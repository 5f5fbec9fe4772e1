/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Telling the device which blocks are free (FITRIM). The public face is e4_trim(). */
#ifndef EXT4_TRIM_H
#define EXT4_TRIM_H

#include "ext4/fs.h"

/* For allocators that found nothing: waits until blocks just set aside are back. Whether there may
 * have been any. No handle is open, no group's lock held. */
bool trim_wait(struct e4_fs *fs);

#endif
