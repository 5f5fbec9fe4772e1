/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A drive in memory that can be pulled out and put back. What was not flushed is in its cache, as is what
 * it shows; when it is pulled, each sector of that gets onto the medium or does not, at random. Several
 * blkdevs may be opened on it one after the other; those opened before it was pulled are dead for good.
 * All functions may be called while other threads use the devices.
 */
#ifndef TESTS_DEV_STICK_H
#define TESTS_DEV_STICK_H

#include "base/blkdev.h"

struct stick;

/* seed: of what is lost. */
int stick_new(uint64_t size_bytes, uint64_t seed, struct stick **ret_stick) MUST_CHECK;
void stick_free(struct stick *stick); /* after all devices were closed; NULL is fine */
uint8_t *stick_medium(struct stick *stick); /* while nobody writes */
const uint8_t *stick_shown(struct stick *stick); /* what is in the cache included */
/* -ENODEV while it is out. */
int stick_open(struct stick *stick, struct blkdev **ret_dev) MUST_CHECK;

void stick_pull(struct stick *stick);
void stick_plug(struct stick *stick);
bool stick_is_in(struct stick *stick);
/* The nth call of any kind from now on finds it pulled (1: the next); eio: calls fail with -EIO the first
 * few times, as in the moment before the kernel takes a device away. 0: cancels. */
void stick_pull_at(struct stick *stick, uint64_t nth, bool eio);
uint64_t stick_calls(struct stick *stick);
/* Whether dev is dead, as the kernel would say. */
bool stick_is_dead(struct blkdev *dev);
/* As filedev_forget_error(). */
void stick_forget_error(struct blkdev *dev);
/* From now on flushes find that what was written to this range did not arrive: -EIO, once, and the data
 * is gone. len 0: none any more. */
void stick_set_bad(struct stick *stick, uint64_t off, uint64_t len);
/* From now on writes to this range fail with -EIO at once. len 0: none any more. */
void stick_set_refused(struct stick *stick, uint64_t off, uint64_t len);

#endif
