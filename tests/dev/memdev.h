/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A blkdev in memory. Only pages that were written cost memory, so sizes of many terabytes are
 * fine. Unwritten and discarded ranges read as zeroes.
 */
#ifndef TESTS_DEV_MEMDEV_H
#define TESTS_DEV_MEMDEV_H

#include "base/blkdev.h"

int memdev_new(uint64_t size_bytes, uint32_t block_bytes, struct blkdev **ret_dev) MUST_CHECK;
/* The device's content itself, size_bytes long; valid until close. */
void *memdev_data(struct blkdev *dev);

#endif
