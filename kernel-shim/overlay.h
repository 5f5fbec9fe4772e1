/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A device whose writes stay in memory: the lower one is read and never changed. For trying out what
 * a program would do to a drive.
 */
#ifndef KERNEL_SHIM_OVERLAY_H
#define KERNEL_SHIM_OVERLAY_H

#include "base/blkdev.h"

/* lower stays the caller's and must outlive it. Writes need memory: -ENOMEM. */
int overlay_new(struct blkdev *lower, struct blkdev **ret_dev) MUST_CHECK;

#endif
