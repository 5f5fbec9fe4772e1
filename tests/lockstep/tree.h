/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole folders and trees on both sides. */
#ifndef LOCKSTEP_TREE_H
#define LOCKSTEP_TREE_H

#include <dirent.h>

#include "tests/lockstep/world.h"

/* Names and types, whatever their order. The list, if asked for and equal, is the caller's. */
bool tree_compare_listing(struct worker *w, int dir, const char *path, struct dirent ***ret_list,
	int *ret_n);
void tree_free_listing(struct dirent **list, int n);
/* Names and values of all extended attributes. */
void tree_compare_xattrs(struct worker *w, int dir, const char *path);
/* Everything below a folder; returns how many files and folders there are. */
unsigned long tree_compare(struct worker *w, const char *path);

#endif
