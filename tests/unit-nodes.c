/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of lookup counts, against a plain model; inodes are counters of references. */
#include <pthread.h>
#include <string.h>

#include "fuse/nodes.h"
#include "tests/unit.h"

enum { INODES = 4096, THREADS = 4, ROUNDS = 200000 };

struct e4_inode {
	uint32_t ino;
	_Atomic int refs;
	_Atomic int puts;
};

static struct e4_inode inodes[INODES];

struct e4_inode *e4_iref(struct e4_inode *inode)
{
	inode->refs++;
	return inode;
}

void e4_iput(struct e4_inode *inode)
{
	inode->refs--;
	inode->puts++;
}

void e4_iput_number(struct e4_fs *fs, uint32_t ino)
{
	CU_ASSERT(inodes[ino - 11].refs > 0);
	e4_iput(&inodes[ino - 11]);
}

uint32_t e4_ino(const struct e4_inode *inode)
{
	return inode->ino;
}

static struct nodes *setup(void)
{
	struct nodes *nodes = NULL;

	memset(inodes, 0, sizeof(inodes));
	for (uint32_t i = 0; i < INODES; i++)
		inodes[i].ino = i + 11;
	CU_ASSERT_EQUAL_FATAL(nodes_new(NULL, &nodes), 0);
	return nodes;
}

static void test_counts(void)
{
	struct nodes *nodes = setup();

	CU_ASSERT_EQUAL(nodes_count(nodes), 0);
	for (int k = 0; k < 3; k++)
		CU_ASSERT_EQUAL(nodes_add(nodes, 11), 0);
	CU_ASSERT_EQUAL(nodes_count(nodes), 1);
	nodes_forget(nodes, 11, 2);
	CU_ASSERT_EQUAL(nodes_count(nodes), 1);
	nodes_forget(nodes, 11, 1);
	CU_ASSERT_EQUAL(nodes_count(nodes), 0);
	nodes_forget(nodes, 11, 1); /* more than was counted */
	nodes_forget(nodes, 4711, 1);
	CU_ASSERT_EQUAL(nodes_count(nodes), 0);
	nodes_free(nodes);
}

static void test_pin(void)
{
	struct nodes *nodes = setup();

	nodes_pin(nodes, &inodes[0]); /* unknown to the kernel */
	CU_ASSERT_EQUAL(inodes[0].refs, 0);
	CU_ASSERT_EQUAL(nodes_add(nodes, inodes[0].ino), 0);
	CU_ASSERT_EQUAL(nodes_add(nodes, inodes[0].ino), 0);
	nodes_pin(nodes, &inodes[0]);
	nodes_pin(nodes, &inodes[0]);
	CU_ASSERT_EQUAL(inodes[0].refs, 1);
	nodes_forget(nodes, inodes[0].ino, 1);
	CU_ASSERT_EQUAL(inodes[0].refs, 1);
	nodes_forget(nodes, inodes[0].ino, 1);
	CU_ASSERT_EQUAL(inodes[0].refs, 0);
	CU_ASSERT_EQUAL(inodes[0].puts, 1);
	nodes_free(nodes);
	CU_ASSERT_EQUAL(inodes[0].puts, 1);
}

static void test_free_lets_go(void)
{
	struct nodes *nodes = setup();

	for (int i = 0; i < 100; i++) {
		CU_ASSERT_EQUAL(nodes_add(nodes, inodes[i].ino), 0);
		nodes_pin(nodes, &inodes[i]);
	}
	nodes_free(nodes);
	for (int i = 0; i < 100; i++) {
		CU_ASSERT_EQUAL(inodes[i].refs, 0);
		CU_ASSERT_EQUAL(inodes[i].puts, 1);
	}
}

/* Growing, shrinking, moving up behind a deleted slot: nothing is lost, nothing stays. */
static void test_random_against_model(void)
{
	struct nodes *nodes = setup();
	static unsigned count[INODES];
	unsigned seed = 20240517;
	size_t known = 0;

	memset(count, 0, sizeof(count));
	for (int k = 0; k < ROUNDS; k++) {
		unsigned i = (unsigned)rand_r(&seed) % INODES;
		bool grow = k / 20000 % 2 == 0;

		if ((unsigned)rand_r(&seed) % 10 < (grow ? 7 : 3)) {
			CU_ASSERT_EQUAL(nodes_add(nodes, inodes[i].ino), 0);
			known += count[i]++ == 0;
		} else if (count[i] > 0) {
			unsigned n = 1 + (unsigned)rand_r(&seed) % count[i];

			if (rand_r(&seed) % 4 == 0)
				nodes_pin(nodes, &inodes[i]);
			nodes_forget(nodes, inodes[i].ino, n);
			count[i] -= n;
			known -= count[i] == 0;
			if (count[i] == 0)
				CU_ASSERT_EQUAL(inodes[i].refs, 0);
		}
	}
	CU_ASSERT_EQUAL(nodes_count(nodes), known);
	for (int i = 0; i < INODES; i++) {
		if (count[i] > 0) {
			nodes_pin(nodes, &inodes[i]);
			CU_ASSERT_EQUAL(inodes[i].refs, 1);
			nodes_forget(nodes, inodes[i].ino, count[i]);
		}
		CU_ASSERT_EQUAL(inodes[i].refs, 0);
	}
	CU_ASSERT_EQUAL(nodes_count(nodes), 0);
	nodes_free(nodes);
}

static void *hammer(void *ctx)
{
	struct nodes *nodes = ctx;
	unsigned seed = (unsigned)(uintptr_t)pthread_self();

	for (int k = 0; k < ROUNDS / 4; k++) {
		unsigned i = (unsigned)rand_r(&seed) % 64;

		if (nodes_add(nodes, inodes[i].ino) < 0)
			abort();
		if (k % 3 == 0)
			nodes_pin(nodes, &inodes[i]);
		nodes_forget(nodes, inodes[i].ino, 1);
	}
	return NULL;
}

static void test_threads(void)
{
	struct nodes *nodes = setup();
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, hammer, nodes), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(nodes_count(nodes), 0);
	for (int i = 0; i < INODES; i++)
		CU_ASSERT_EQUAL(inodes[i].refs, 0);
	nodes_free(nodes);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_counts), UNIT(test_pin), UNIT(test_free_lets_go),
		UNIT(test_random_against_model), UNIT(test_threads));
}
