/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SEEK_DATA and SEEK_HOLE. With write-back caching the kernel holds data that no WRITE has brought
 * yet, and asks us all the same; an answer from the drive alone would call such data a hole, and
 * cp(1) would leave it out of the copy. And writes past the cache, which must not leave older bytes in it.
 * In short: whatever needs a notice to the kernel.
 */
#ifndef FUSE_SEEK_H
#define FUSE_SEEK_H

#include "fuse/front-state.h"

struct seeker;

int seeker_new(struct front *front, struct seeker **ret_seeker) MUST_CHECK;
/* Answers the request, now or later. */
void seeker_add(struct seeker *seeker, fuse_req_t req, fuse_ino_t node, off_t off, int whence);
/* Answers a write past the kernel's cache that has been done: len bytes, not 0. */
void seeker_add_written(struct seeker *seeker, fuse_req_t req, fuse_ino_t node, off_t off, size_t len);
/* Makes the kernel ask for the node's attributes before it needs them again; soon. */
void seeker_forget_attributes(struct seeker *seeker, fuse_ino_t node);
/* Waiting questions fail from here on. Returns when no request is in work; must be called while
 * front_serve() still answers, or when the kernel has given up the mount. From any thread, again
 * and again. */
void seeker_stop(struct seeker *seeker);
/* Stops; NULL is fine. */
void seeker_free(struct seeker *seeker);

#endif
