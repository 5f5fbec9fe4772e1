/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a mounted volume shows, remembered after each operation, and whether what a crash left is one
 * of the states that the rules of the journal allow. */
#ifndef TESTS_CRASH_WORLD_H
#define TESTS_CRASH_WORLD_H

#include "ext4/ext4.h"

struct world;

/* Everything below the root, and a deleted file that is still open (or NULL), which a crash may bring
 * back. What is the same as in `before` (NULL: none) is shared with it. */
struct world *world_read(struct e4_fs *fs, struct world *before, struct e4_inode *open);
void world_free(struct world *world);

/*
 * got is what was found after a crash between worlds[from] (which was synced) and worlds[to] (after
 * which nothing was written). Allowed:
 * - the names, types, links and attributes of one of these worlds, as a whole;
 * - each file with a size that it had in one of them or on the way, and each sector of its data as in
 *   one of them, or zero where one of them had none.
 * NULL, or what is wrong.
 */
const char *world_allowed(const struct world *got, struct world *const *worlds, size_t from, size_t to);
/* Number of things in it. */
size_t world_count(const struct world *world);

#endif
