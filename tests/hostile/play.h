/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Everything that a program may do with a volume, whatever is on it. */
#ifndef TESTS_HOSTILE_PLAY_H
#define TESTS_HOSTILE_PLAY_H

#include "ext4/ext4.h"

/* Reads all that can be reached, within bounds; false: something answered what it must not. */
bool play_read(struct e4_fs *fs, uint64_t *random);
/* Some random changes. */
bool play_change(struct e4_fs *fs, uint64_t *random);
/* Whether r is a failure that a damaged volume may have. */
bool play_answer_ok(const char *what, int64_t r);

#endif
