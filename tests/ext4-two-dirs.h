/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A volume with two directories in its root, for tests of names; what a test leaves must be sound. */
#ifndef TESTS_EXT4_TWO_DIRS_H
#define TESTS_EXT4_TWO_DIRS_H

#include "tests/dev/volume.h"
#include "tests/unit.h"

enum { MIB = 1 << 20 };

#ifdef __SANITIZE_THREAD__
/* Two directories are locked in the order of the tree, and the tree changes (under rename_lock);
 * the sanitizer knows only fixed orders. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "detect_deadlocks=0";
}
#endif

static struct volume volume;
static struct e4_inode *a, *b; /* two directories in the root */

static inline void setup(void)
{
	CU_ASSERT_EQUAL_FATAL(volume_make(&volume, 32 * MIB, "-b 1024 -N 4096", NULL), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "a", &a), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "b", &b), 0);
}

static inline void drop_dirs(void)
{
	e4_iput(a);
	e4_iput(b);
}

static inline void teardown(void)
{
	drop_dirs();
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	volume_close(&volume);
}

static inline int make_file(struct e4_inode *dir, const char *name)
{
	return volume_create(dir, name, S_IFREG | 0644);
}

static inline struct e4_inode *get(struct e4_inode *dir, const char *name)
{
	struct e4_inode *inode = NULL;

	CU_ASSERT_EQUAL_FATAL(e4_lookup(dir, name, strlen(name), &inode), 0);
	return inode;
}

static inline int64_t parent_of(struct e4_inode *dir)
{
	return volume_ino(dir, "..");
}

#endif
