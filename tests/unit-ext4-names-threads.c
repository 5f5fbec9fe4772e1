/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many threads at once in one tree, and in one directory. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "tests/ext4-two-dirs.h"

enum {
	THREADS = 6,
	DIRS = 4,
	STEPS = 2500,
};

static int walk(uint64_t *random, struct e4_inode **ret_dir)
{
	struct e4_inode *at = e4_iref(volume.root);
	unsigned depth = volume_random(random, 4);
	char name[16];

	for (unsigned i = 0; i < depth; i++) {
		struct e4_inode *next;

		snprintf(name, sizeof(name), "d%u", volume_random(random, DIRS));
		if (e4_lookup(at, name, strlen(name), &next) < 0)
			break;
		e4_iput(at);
		at = next;
	}
	*ret_dir = at;
	return 0;
}

static bool count_entry(void *ctx, const struct e4_dirent *entry)
{
	unsigned *count = ctx;

	return ++*count == 200;
}

static int torture_step(uint64_t *random, struct e4_inode *from, struct e4_inode *to)
{
	char name[32], other[32];
	unsigned count = 0;
	struct e4_inode *inode;
	int r;

	snprintf(name, sizeof(name), volume_random(random, 2) ? "d%u" : "name%u",
		volume_random(random, DIRS));
	snprintf(other, sizeof(other), volume_random(random, 2) ? "d%u" : "name%u",
		volume_random(random, DIRS));
	switch (volume_random(random, 12)) {
	case 0:
	case 1:
		return make_file(from, name);
	case 2:
	case 3:
		return volume_create(from, name, S_IFDIR | 0755);
	case 4:
		return volume_unlink(from, name);
	case 5:
		return volume_rmdir(from, name);
	case 6:
	case 7:
		return volume_rename(from, name, to, other, 0);
	case 8:
		return volume_rename(from, name, to, other, RENAME_EXCHANGE);
	case 9:
		r = e4_lookup(from, name, strlen(name), &inode);
		if (r == 0) {
			r = e4_link(inode, to, other, strlen(other), false);
			e4_iput(inode);
		}
		return r;
	case 10:
		/* big enough for an index now and then */
		for (unsigned i = 0; i < 30; i++) {
			snprintf(name, sizeof(name), "bulk-%u-with-a-longer-name", i);
			r = volume_random(random, 2) ? make_file(to, name)
						     : volume_unlink(to, name);
		}
		return r;
	default:
		return e4_readdir(from, 0, count_entry, &count);
	}
}

static bool is_expected(int r)
{
	return r == 0 || r == -ENOENT || r == -EEXIST || r == -ENOTEMPTY || r == -EISDIR ||
	       r == -ENOTDIR || r == -EINVAL || r == -EPERM;
}

static void *torture(void *arg)
{
	uint64_t random = (uintptr_t)arg * 0x9e3779b97f4a7c15 | 1;
	uintptr_t unexpected = 0;

	for (unsigned i = 0; i < STEPS; i++) {
		struct e4_inode *from, *to;

		walk(&random, &from);
		walk(&random, &to);
		unexpected += !is_expected(torture_step(&random, from, to));
		e4_iput(from);
		e4_iput(to);
		if (i % 500 == 499)
			unexpected += e4_sync(volume.fs) < 0;
	}
	return (void *)unexpected;
}

/* Directories are moved, exchanged, replaced and removed by all threads in one small tree. */
static void test_threads_tree(void)
{
	pthread_t threads[THREADS];
	void *unexpected;

	setup();
	alarm(500); /* threads that wait for each other never end */
	for (uintptr_t i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(
			pthread_create(&threads[i], NULL, torture, (void *)(i + 1)), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &unexpected);
		CU_ASSERT_PTR_NULL(unexpected);
	}
	alarm(0);
	teardown();
}

static void *create_many(void *arg)
{
	uintptr_t failed = 0;
	char name[32];

	for (unsigned i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "thread%u-%u", (unsigned)(uintptr_t)arg, i);
		failed += make_file(a, name) != 0;
		if (i % 3 == 0)
			failed += volume_unlink(a, name) != 0;
	}
	return (void *)failed;
}

static bool count_stable(void *ctx, const struct e4_dirent *entry)
{
	unsigned *count = ctx;

	*count += entry->name_len > 6 && !memcmp(entry->name, "stable", 6);
	return false;
}

/* Listing and looking up in a directory that grows, by other threads, from one block on. */
static void test_threads_one_directory(void)
{
	pthread_t threads[THREADS];
	char name[32];
	void *failed;

	setup();
	alarm(500);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "stable%u", i);
		CU_ASSERT_EQUAL(make_file(a, name), 0);
	}
	for (uintptr_t i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, create_many, (void *)i), 0);
	for (unsigned i = 0; i < 100; i++) {
		unsigned count = 0;

		CU_ASSERT_EQUAL(e4_readdir(a, 0, count_stable, &count), 0);
		CU_ASSERT_EQUAL(count, 20);
		snprintf(name, sizeof(name), "stable%u", i % 20);
		CU_ASSERT(volume_ino(a, name) > 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &failed);
		CU_ASSERT_PTR_NULL(failed);
	}
	alarm(0);
	teardown();
}

static pthread_barrier_t all_removed;

/* Directories of several blocks, whose blocks all threads free (and revoke) at once. */
static void *remove_large(void *arg)
{
	uintptr_t failed = 0;
	char folder[16], name[240];

	snprintf(folder, sizeof(folder), "large%u", (unsigned)(uintptr_t)arg);
	for (unsigned round = 0; round < unit_times(12, 3); round++) {
		struct e4_inode *dir;

		failed += volume_create(a, folder, S_IFDIR | 0755) != 0;
		failed += e4_lookup(a, folder, strlen(folder), &dir) != 0;
		for (unsigned i = 0; i < 120; i++) {
			snprintf(name, sizeof(name), "%0200u", i);
			failed += make_file(dir, name) != 0;
		}
		for (unsigned i = 0; i < 120; i++) {
			snprintf(name, sizeof(name), "%0200u", i);
			failed += volume_unlink(dir, name) != 0;
		}
		failed += volume_rmdir(a, folder) != 0;
		pthread_barrier_wait(&all_removed);
		e4_iput(dir); /* the last one: its blocks go */
	}
	return (void *)failed;
}

static void test_threads_free_metadata(void)
{
	pthread_t threads[THREADS];
	void *failed;

	setup();
	alarm(500);
	pthread_barrier_init(&all_removed, NULL, THREADS);
	for (uintptr_t i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, remove_large, (void *)i), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &failed);
		CU_ASSERT_PTR_NULL(failed);
	}
	pthread_barrier_destroy(&all_removed);
	alarm(0);
	teardown();
}

int main(void)
{
	return UNIT_RUN(UNIT(test_threads_tree), UNIT(test_threads_one_directory), UNIT(test_threads_free_metadata));
}
