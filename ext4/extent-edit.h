/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of the extent tree's shape, shared by insertion, conversion and removal. */
#ifndef EXT4_EXTENT_EDIT_H
#define EXT4_EXTENT_EDIT_H

#include "ext4/extent-path.h"

/* Puts entry at pos of the path's leaf, splitting full nodes; the path is stale afterwards.
 * Whatever fails, the tree is unchanged. */
int extent_edit_insert(struct handle *h, struct extent_path *path, unsigned pos,
	const struct extent_leaf *entry) MUST_CHECK;
/* Makes lblk, inside entry pos of the path's leaf, the start of an entry of its own. */
int extent_edit_split(struct handle *h, struct extent_path *path, unsigned pos,
	uint32_t lblk) MUST_CHECK;
/* Joins entries pos and pos + 1 of the leaf, if both exist and fit; buf_modify() has been. */
void extent_edit_join(uint8_t *leaf, int pos);

#endif
