/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What do operations on names cost the core, without FUSE, cipher and drive?
 *
 *	bench-meta [FILES]
 *
 * Not a test: prints, for each operation, microseconds and looks into the metadata cache, on a file
 * system in memory. Under callgrind (valgrind --tool=callgrind --toggle-collect=run_OPERATION) it counts instructions,
 * which do not depend on what else the machine does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/bytes.h"
#include "ext4/ext4.h"
#include "tests/dev/memdev.h"

enum { VOLUME_BYTES = 1 << 30, FILES_DEFAULT = 5000 };

static unsigned files = FILES_DEFAULT;
static struct e4_fs *fs;
static struct e4_inode *dir;

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(-r));
	exit(1);
}

static size_t name_of(unsigned i, char name[32])
{
	return (size_t)snprintf(name, 32, "file-%08u", i);
}

/* As the kernel does it: first it looks whether the name is there. */
__attribute__((noinline)) static void run_create(unsigned i)
{
	struct e4_create what = {.mode = S_IFREG | 0600};
	struct e4_inode *inode;
	struct e4_attr attr;
	char name[32];
	size_t len = name_of(i, name);

	if (e4_lookup(dir, name, len, &inode) != -ENOENT)
		must(-EEXIST, name);
	must(e4_create(dir, name, len, &what, &inode), name);
	e4_getattr(inode, &attr);
	e4_iput(inode);
	e4_getattr(dir, &attr);
}

__attribute__((noinline)) static void run_lookup(unsigned i)
{
	struct e4_inode *inode;
	struct e4_attr attr;
	char name[32];

	must(e4_lookup(dir, name, name_of(i, name), &inode), name);
	e4_getattr(inode, &attr);
	e4_iput(inode);
}

__attribute__((noinline)) static void run_getxattr(unsigned i)
{
	struct e4_inode *inode;
	char value[256];

	must(e4_iget(fs, e4_ino(dir) + 1 + i, &inode), "iget");
	(void)!e4_getxattr(inode, "security.capability", value, sizeof(value));
	e4_iput(inode);
}

/* The ends of a listing of each file: chmod, times. */
__attribute__((noinline)) static void run_setattr(unsigned i)
{
	struct e4_attr attr = {.mode = S_IFREG | 0640};
	struct e4_inode *inode;

	must(e4_iget(fs, e4_ino(dir) + 1 + i, &inode), "iget");
	must(e4_setattr(inode, &attr, E4_SET_MODE), "setattr");
	e4_iput(inode);
}

__attribute__((noinline)) static void run_unlink(unsigned i)
{
	struct e4_inode *inode;
	char name[32];

	must(e4_unlink(dir, name, name_of(i, name), &inode), name);
	e4_iput(inode);
}

static void run(const char *name, void (*one)(unsigned i))
{
	struct e4_counts before, after;
	struct timespec start, end;

	e4_counts(fs, &before);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (unsigned i = 0; i < files; i++)
		one(i);
	clock_gettime(CLOCK_MONOTONIC, &end);
	e4_counts(fs, &after);
	printf("%-10s %7.2f us, looks %5.2f\n", name,
		((double)(end.tv_sec - start.tv_sec) * 1e6 + (double)(end.tv_nsec - start.tv_nsec) * 1e-3) / files,
		(double)(after.cache_hits + after.cache_misses - before.cache_hits - before.cache_misses) / files);
}

int main(int argc, char **argv)
{
	const struct e4_create what = {.mode = S_IFDIR | 0700};
	const struct e4_mkfs_params params = {.journal = true};
	struct e4_mount_options options = {.commit_ms = 5000};
	struct e4_inode *root;
	struct blkdev *dev;

	if (argc > 1)
		files = (unsigned)strtoul(argv[1], NULL, 10);
	must(memdev_new((uint64_t)VOLUME_BYTES * div_round_up_u64(files, 50000), 512, &dev), "memory");
	must(e4_mkfs(dev, &params, NULL, NULL, NULL), "mkfs");
	must(e4_mount(dev, &options, &fs, NULL), "mount");
	must(e4_iget(fs, E4_ROOT_INO, &root), "root");
	must(e4_create(root, "one", 3, &what, &dir), "mkdir");
	run("create", run_create);
	run("lookup", run_lookup);
	run("getxattr", run_getxattr);
	run("setattr", run_setattr);
	run("unlink", run_unlink);
	e4_iput(dir);
	e4_iput(root);
	must(e4_unmount(fs), "unmount");
	blkdev_close(dev);
	return 0;
}
