/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Data that the kernel had taken from a program, held back, and brought too late: the drive was full by
 * then, or the file too large. The kernel tells that at fsync and close, and lets the program write on until
 * then, for ever if it fills a drive until there is an error. But before it takes more it asks for
 * the file's attributes when it has none, with the program's handle. So after a refusal they are taken
 * from it, and the first who asks with a handle that writes gets the error instead.
 * Private to fuse/.
 */
#ifndef FUSE_REFUSED_H
#define FUSE_REFUSED_H

#include "fuse/front-state.h"

/* err (negative): that of a WRITE of held data, before it is answered. */
void refused_set(struct front *front, fuse_ino_t node, int err);
/* The error to be told, once, or 0: not to who only reads, nor when there is room again. */
int refused_take(struct front *front, fuse_ino_t node, const struct fuse_file_info *fi) MUST_CHECK;
/* A file was closed, which tells. */
void refused_drop(struct front *front, fuse_ino_t node, const struct fuse_file_info *fi);

#endif
