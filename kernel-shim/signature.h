/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether something else than LUKS lies on a device, as libblkid sees it. Reads only. */
#ifndef KERNEL_SHIM_SIGNATURE_H
#define KERNEL_SHIM_SIGNATURE_H

#include <stdbool.h>

#include "base/blkdev.h"

enum { SIGNATURE_TYPE_BYTES = 32 };

/*
 * Sets *ret_found, and type to the name of a file system or partition table ("ambiguous" when there
 * are several). Works on any device, not only on those with a file descriptor. I/O errors, -ENOMEM.
 */
int signature_find(struct blkdev *dev, bool *ret_found, char type[SIGNATURE_TYPE_BYTES]) MUST_CHECK;

#endif
