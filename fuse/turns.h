/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which threads wait for the kernel's next request. Private to fuse/.
 *
 * The kernel wakes its waiting threads in turns. Of ten that wait, each request would find the one that has
 * slept longest, and whose memory no processor has at hand any more. Here two wait, and the others
 * are parked until they are needed.
 */
#ifndef FUSE_TURNS_H
#define FUSE_TURNS_H

#include "base/error.h"

struct turns;

/* For up to `threads` threads at a time. */
int turns_new(unsigned threads, struct turns **ret_turns) MUST_CHECK;
/* When no thread uses it any more. */
void turns_free(struct turns *turns);

/* The calling thread has nothing to do: returns when it is to read, which may block. A cancellation
 * point; a thread that was cancelled uses turns no more. */
void turns_begin(struct turns *turns);
/* The read has ended, with a request or without one. */
void turns_end(struct turns *turns);

#endif
