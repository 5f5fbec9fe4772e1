/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers that few have, by some other number: what open files know of lost data (e4_loss_mark()), by
 * handle; with which error a file's held data was refused (refused.h), by node. Only marks other than
 * 0 cost anything. Private to fuse/.
 */
#ifndef FUSE_MARKS_H
#define FUSE_MARKS_H

#include <stdint.h>

struct marks;

int marks_new(struct marks **ret_marks);
void marks_free(struct marks *marks); /* NULL is fine */
uint64_t marks_get(struct marks *marks, uint64_t key);
/* Without memory the mark stays as it was: somebody hears of a loss twice, or later. */
void marks_set(struct marks *marks, uint64_t key, uint64_t mark);
/* The mark that it had, which is 0 from here on. */
uint64_t marks_drop(struct marks *marks, uint64_t key);

#endif
