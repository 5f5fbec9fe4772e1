/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What open files know of lost data (e4_loss_mark()), by handle number. Only marks other than 0 cost
 * anything. Private to fuse/.
 */
#ifndef FUSE_MARKS_H
#define FUSE_MARKS_H

#include <stdint.h>

struct marks;

int marks_new(struct marks **ret_marks);
void marks_free(struct marks *marks); /* NULL is fine */
uint64_t marks_get(struct marks *marks, uint64_t handle);
/* Without memory the mark stays as it was: somebody hears of a loss twice. */
void marks_set(struct marks *marks, uint64_t handle, uint64_t mark);
/* The file was closed. */
void marks_drop(struct marks *marks, uint64_t handle);

#endif
