/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A blkdev that fails on purpose, counts calls and can record what was written. It stacks on any
 * other device and owns it. All functions may be called while other threads use the device.
 */
#ifndef TESTS_DEV_FAULTDEV_H
#define TESTS_DEV_FAULTDEV_H

#include "base/blkdev.h"

enum fault_op { FAULT_READ, FAULT_WRITE, FAULT_FLUSH, FAULT_DISCARD, FAULT_OPS };

int faultdev_new(struct blkdev *lower, struct blkdev **ret_dev) MUST_CHECK;

/* The nth call of op from now on (1: the next) fails with err (negative), once. 0: cancels. */
void faultdev_fail_once(struct blkdev *dev, enum fault_op op, uint64_t nth, int err);
/* The nth call of op from now on and all later ones of op fail with err. 0: cancels. */
void faultdev_fail_from(struct blkdev *dev, enum fault_op op, uint64_t nth, int err);
/* A write that fails leaves its first torn_bytes on the medium nonetheless (default 0). */
void faultdev_set_torn(struct blkdev *dev, size_t torn_bytes);
/* The cable is pulled: every call fails with -ENODEV until false. */
void faultdev_set_gone(struct blkdev *dev, bool gone);

/* Calls of op since the device was made, failed ones included. */
uint64_t faultdev_calls(struct blkdev *dev, enum fault_op op);

/* One successful write, flush or discard, in the order in which they reached the lower device. */
struct fault_record {
	enum fault_op op;
	uint64_t off, len;
	uint8_t *data; /* what was written; NULL for flush and discard */
};

/* Drops what was recorded; with on, records from now on (and lets only one write at a time
 * through). */
void faultdev_record(struct blkdev *dev, bool on);
/* The records so far; valid until the next call of the device that changes anything. */
const struct fault_record *faultdev_records(struct blkdev *dev, size_t *ret_count);

#endif
