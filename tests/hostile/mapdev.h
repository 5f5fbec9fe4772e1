/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A blkdev over a mapped image file. A scratch one never changes the file, and is as the file again
 * at the cost of the pages that were touched.
 */
#ifndef TESTS_HOSTILE_MAPDEV_H
#define TESTS_HOSTILE_MAPDEV_H

#include "base/blkdev.h"

int mapdev_new(const char *path, bool scratch, struct blkdev **ret_dev) MUST_CHECK;
uint8_t *mapdev_data(struct blkdev *dev);
void mapdev_reset(struct blkdev *dev);
/* Writes and discards since it was made or reset. */
unsigned long mapdev_changes(struct blkdev *dev);

#endif
