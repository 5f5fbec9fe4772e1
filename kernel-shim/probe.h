/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is on a drive, by libblkid or, where we may not read it, by udev. Private to kernel-shim/. */
#ifndef KERNEL_SHIM_PROBE_H
#define KERNEL_SHIM_PROBE_H

#include <sys/types.h>

#include "kernel-shim/discover.h"

/* Fill content, content_version, label and uuid of drive where they are found. */
int probe_content(int fd, struct drive *drive) MUST_CHECK;
int probe_udev(dev_t rdev, struct drive *drive) MUST_CHECK;

/* Replaces *field by a sanitised copy of text without spaces at its ends. */
int drive_set(char **field, const char *text) MUST_CHECK;

#endif
