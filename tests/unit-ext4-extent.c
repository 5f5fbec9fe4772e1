/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Extent trees against a model, an array of one state per logical block, on images made by mke2fs;
 * every image ends with e2fsck.
 */
#include <errno.h>
#include <string.h>

#include "ext4/balloc.h"
#include "ext4/extent-node.h"
#include "ext4/extent.h"
#include "tests/dev/image.h"
#include "tests/dev/memdev.h"
#include "tests/unit.h"

enum { FILE_INO = 12, SPACE = 40000 };

/* What each block should be: physical block, or 0 for a hole. */
static uint64_t model_pblk[SPACE];
static bool model_unwritten[SPACE];

static struct blkdev *dev;
static struct e4_fs *fs;
static struct e4_inode *inode;
static unsigned seed;

static uint32_t pick(uint32_t limit)
{
	return (uint32_t)rand_r(&seed) % limit;
}

static void setup(uint64_t size, const char *options, unsigned new_seed)
{
	char all[256], dir[] = "/tmp/sealdrive-extent-XXXXXX", file[64];
	FILE *f;

	seed = new_seed;
	memset(model_pblk, 0, sizeof(model_pblk));
	memset(model_unwritten, 0, sizeof(model_unwritten));
	CU_ASSERT_FATAL(mkdtemp(dir) != NULL);
	snprintf(file, sizeof(file), "%s/f", dir);
	f = fopen(file, "w");
	CU_ASSERT_FATAL(f != NULL);
	fclose(f);
	snprintf(all, sizeof(all), "%s -d %s", options, dir);
	CU_ASSERT_EQUAL_FATAL(image_make(size, all, &dev), 0);
	unlink(file);
	rmdir(dir);
	struct e4_mount_options mount = {0};

	CU_ASSERT_EQUAL_FATAL(e4_mount(dev, &mount, &fs, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(e4_iget(fs, FILE_INO, &inode), 0);
	CU_ASSERT_FATAL(inode_is_reg(inode));
}

static void finish(void)
{
	e4_iput(inode);
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	CU_ASSERT_EQUAL(image_check(dev), 0);
	blkdev_close(dev);
}

static void begin(struct handle *h, unsigned credits)
{
	CU_ASSERT_EQUAL_FATAL(handle_begin(fs, credits, h), 0);
	pthread_rwlock_wrlock(&inode->lock);
}

static void end(struct handle *h)
{
	inode->size = fs_blocks_to_bytes(fs, SPACE);
	CU_ASSERT_EQUAL_FATAL(inode_store(h, inode, true), 0);
	pthread_rwlock_unlock(&inode->lock);
	handle_end(h);
}

/* ---- operations on tree and model ----------------------------------------------------------- */

/* Up to count blocks into the hole at lblk. */
static int do_insert(uint32_t lblk, uint32_t count, bool unwritten)
{
	struct balloc_request request = {.ino = FILE_INO, .goal = pick(2) ? 0 : pick(30000) + 1};
	struct extent_run run = {.lblk = lblk, .unwritten = unwritten};
	struct handle h;
	int r;

	for (request.wanted = 0; request.wanted < count && lblk + request.wanted < SPACE; )
		if (model_pblk[lblk + request.wanted++]) {
			request.wanted--;
			break;
		}
	if (!request.wanted)
		return 0;
	begin(&h, extent_credits(inode) + BALLOC_CREDITS + INODE_CREDITS);
	r = balloc_alloc(&h, &request, &run.pblk, &run.count);
	if (r == 0) {
		r = extent_insert(&h, inode, &run);
		if (r < 0)
			CU_ASSERT_EQUAL(balloc_free(&h, run.pblk, run.count, false), 0);
	}
	end(&h);
	for (uint32_t i = 0; r == 0 && i < run.count; i++) {
		model_pblk[lblk + i] = run.pblk + i;
		model_unwritten[lblk + i] = unwritten;
	}
	return r;
}

/* Converts up to count blocks from lblk on, as far as there is no hole. */
static void do_convert(uint32_t lblk, uint32_t count)
{
	struct handle h;
	uint32_t n = 0;

	while (n < count && lblk + n < SPACE && model_pblk[lblk + n])
		model_unwritten[lblk + n++] = false;
	begin(&h, extent_credits(inode) + INODE_CREDITS);
	CU_ASSERT_EQUAL_FATAL(extent_convert(&h, inode, lblk, n, false), 0);
	end(&h);
}

/* Up to count blocks of the run at lblk become unwritten. */
static void do_unwrite(uint32_t lblk, uint32_t count)
{
	struct extent_run run;
	struct handle h;
	uint64_t blocks;

	begin(&h, extent_credits(inode) + INODE_CREDITS);
	blocks = txn_overdrawn(fs);
	CU_ASSERT_EQUAL_FATAL(extent_map(inode, lblk, &run), 0);
	count = (uint32_t)min_u64(min_u64(run.count, count), SPACE - lblk);
	if (run.pblk) {
		CU_ASSERT_EQUAL_FATAL(extent_convert(&h, inode, lblk, count, true), 0);
		memset(model_unwritten + lblk, true, count);
	}
	CU_ASSERT_EQUAL(txn_overdrawn(fs), blocks);
	end(&h);
}

static void do_remove(uint32_t from, uint32_t to)
{
	bool done = false;

	while (!done) {
		struct handle h;

		begin(&h, EXTENT_REMOVE_CREDITS);
		CU_ASSERT_EQUAL_FATAL(extent_remove(&h, inode, from, to, &done), 0);
		end(&h);
	}
	for (uint32_t i = from; i <= to && i < SPACE; i++)
		model_pblk[i] = 0;
}

/* Every run that extent_map() names, from one to the next, against the model. */
static void check_all(void)
{
	uint64_t lblk = 0, mapped = 0;
	struct extent_run run;

	pthread_rwlock_rdlock(&inode->lock);
	while (lblk < SPACE) {
		CU_ASSERT_EQUAL_FATAL(extent_map(inode, (uint32_t)lblk, &run), 0);
		CU_ASSERT_FATAL(run.lblk == lblk && run.count > 0);
		for (uint32_t i = 0; i < run.count && lblk + i < SPACE; i++) {
			uint64_t want = model_pblk[lblk + i];

			CU_ASSERT_EQUAL_FATAL(run.pblk ? run.pblk + i : 0, want);
			if (want)
				CU_ASSERT_EQUAL_FATAL(run.unwritten, model_unwritten[lblk + i]);
			mapped += want != 0;
		}
		lblk += run.count;
	}
	/* A hole at the end reaches to the last possible block. */
	if (!run.pblk)
		CU_ASSERT_EQUAL(lblk, EXTENT_LBLK_MAX + 1ull);
	CU_ASSERT(inode->blocks >= mapped << (fs->block_bits - 9));
	pthread_rwlock_unlock(&inode->lock);
}

static void reload(void)
{
	struct e4_mount_options mount = {0};

	e4_iput(inode);
	CU_ASSERT_EQUAL_FATAL(e4_unmount(fs), 0);
	CU_ASSERT_EQUAL_FATAL(image_check(dev), 0);
	CU_ASSERT_EQUAL_FATAL(e4_mount(dev, &mount, &fs, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(e4_iget(fs, FILE_INO, &inode), 0);
}

static unsigned depth(void)
{
	return extent_node_depth(inode->i_block);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void random_run(uint64_t size, const char *options, unsigned new_seed, unsigned steps)
{
	setup(size, options, new_seed);
	for (unsigned i = 1; i <= steps; i++) {
		uint32_t lblk = pick(SPACE), op = pick(100);
		uint32_t count = 1 + pick(pick(10) ? 20 : 2000);

		if (op < 60) {
			int r = do_insert(lblk, count, pick(2));

			CU_ASSERT_FATAL(r == 0 || r == -ENOSPC);
		} else if (op < 80) {
			do_convert(lblk, count);
		} else if (op < 90) {
			do_unwrite(lblk, count);
		} else if (op < 99) {
			do_remove(lblk, min_u64(lblk + count, EXTENT_LBLK_MAX));
		} else {
			do_remove(lblk, EXTENT_LBLK_MAX);
		}
		if (i % 250 == 0)
			check_all();
		if (i % 2000 == 0)
			reload();
	}
	reload();
	check_all();
	do_remove(0, EXTENT_LBLK_MAX);
	CU_ASSERT_EQUAL(inode->blocks, 0);
	CU_ASSERT_EQUAL(depth(), 0);
	check_all();
	finish();
}

static void test_random_1k(void)
{
	random_run(48 << 20, "-b 1024", 1, 6000);
}

static void test_random_2k(void)
{
	random_run(96 << 20, "-b 2048", 2, 4000);
}

static void test_random_4k(void)
{
	random_run(224 << 20, "-b 4096", 3, 4000);
}

static void test_random_tiny_groups(void)
{
	random_run(48 << 20, "-b 1024 -g 256 -O ^resize_inode", 4, 4000);
}

static void test_random_no_checksums(void)
{
	random_run(48 << 20, "-b 1024 -O ^metadata_csum,^64bit", 5, 3000);
}

/* Every second block: nothing merges, and 1 KiB nodes hold 84 entries. */
static void test_deep(void)
{
	setup(96 << 20, "-b 1024", 7);
	for (uint32_t i = 0; i < SPACE; i += 2)
		CU_ASSERT_EQUAL_FATAL(do_insert(i, 1, i % 4 == 0), 0);
	CU_ASSERT(depth() >= 2);
	check_all();
	reload();
	check_all();
	do_convert(0, 1);
	for (uint32_t i = SPACE - 2; i > 100; i -= 2)
		if (i % 400)
			do_remove(i, i);
	check_all();
	reload();
	do_remove(0, EXTENT_LBLK_MAX);
	CU_ASSERT_EQUAL(depth(), 0);
	CU_ASSERT_EQUAL(inode->blocks, 0);
	finish();
}

/* The longest written entry is a block too long for an unwritten one. */
static void test_longest(void)
{
	struct extent_run run;

	setup(224 << 20, "-b 4096 -O ^flex_bg,^has_journal", 13);
	for (uint32_t i = 0; i < SPACE; i += 1000)
		CU_ASSERT_EQUAL_FATAL(do_insert(i, 1000, true), 0);
	do_convert(0, SPACE);
	check_all();
	for (uint32_t i = 0; i < SPACE; i = run.lblk + run.count) {
		CU_ASSERT_EQUAL_FATAL(extent_map(inode, i, &run), 0);
		do_unwrite(i, run.count);
	}
	check_all();
	reload();
	check_all();
	finish();
}

/* Backwards: every insertion changes the first key of the whole tree. */
static void test_backwards(void)
{
	setup(96 << 20, "-b 1024", 8);
	for (uint32_t i = SPACE; i >= 3; i -= 3)
		CU_ASSERT_EQUAL_FATAL(do_insert(i - 3, 1, false), 0);
	CU_ASSERT(depth() >= 2);
	check_all();
	reload();
	check_all();
	finish();
}

/* What was written in order is one entry however it came. */
static void test_merges(void)
{
	setup(96 << 20, "-b 4096", 9);
	for (uint32_t i = 0; i < 64; i++) {
		struct balloc_request request = {.ino = FILE_INO, .wanted = 1};
		struct extent_run run = {.lblk = i, .unwritten = true};
		struct handle h;

		begin(&h, extent_credits(inode) + BALLOC_CREDITS + INODE_CREDITS);
		request.goal = extent_goal(inode, i);
		CU_ASSERT_EQUAL_FATAL(balloc_alloc(&h, &request, &run.pblk, &run.count), 0);
		CU_ASSERT_EQUAL_FATAL(extent_insert(&h, inode, &run), 0);
		end(&h);
		model_pblk[i] = run.pblk;
		do_convert(i, 1);
	}
	check_all();
	CU_ASSERT_EQUAL(extent_node_entries(inode->i_block), 1);
	CU_ASSERT_EQUAL(inode->alloc_goal, model_pblk[63] + 1);
	finish();
}

/* A full volume: -ENOSPC leaves tree and counters as they were. */
static void test_no_space(void)
{
	unsigned failures = 0;
	int r;

	setup(8 << 20, "-b 1024 -O ^has_journal", 10);
	for (uint32_t i = 0; i < SPACE && failures < 50; i += 2) {
		uint64_t blocks = inode->blocks;

		r = do_insert(i, 1, pick(2));
		if (r == 0)
			continue;
		CU_ASSERT_EQUAL_FATAL(r, -ENOSPC);
		CU_ASSERT_EQUAL(inode->blocks, blocks);
		failures++;
	}
	CU_ASSERT_EQUAL(failures, 50);
	check_all();
	reload();
	check_all();
	finish();
}

/* A conversion that needs a tree block when there is none: unwritten as before. */
static void test_convert_no_space(void)
{
	struct balloc_request rest = {.ino = FILE_INO, .wanted = 30000, .for_tree = true};
	struct extent_run run;
	struct handle h;
	uint32_t count;
	int r;

	setup(8 << 20, "-b 1024 -O ^has_journal", 12);
	for (uint32_t i = 0; i < 4; i++)
		CU_ASSERT_EQUAL_FATAL(do_insert(i * 100, 20, true), 0);
	CU_ASSERT_EQUAL_FATAL(extent_node_entries(inode->i_block), EXTENT_ROOT_ENTRIES);
	/* All that is left goes to one run after the other, which the end gives back. */
	static struct extent_run taken[4000];
	size_t n = 0;

	begin(&h, 100);
	while (n < ARRAY_SIZE(taken) && balloc_alloc(&h, &rest, &taken[n].pblk, &count) == 0)
		taken[n++].count = count;
	CU_ASSERT_EQUAL(extent_convert(&h, inode, 105, 5, false), -ENOSPC);
	CU_ASSERT_EQUAL(extent_convert(&h, inode, 115, 5, false), -ENOSPC);
	end(&h);
	check_all();
	begin(&h, 100);
	r = 0;
	while (n-- > 0)
		r |= balloc_free(&h, taken[n].pblk, taken[n].count, false);
	CU_ASSERT_EQUAL(r, 0);
	end(&h);
	CU_ASSERT_EQUAL(e4_sync(fs), 0);
	do_convert(105, 5);
	check_all();
	CU_ASSERT_EQUAL(extent_map(inode, 105, &run), 0);
	CU_ASSERT(run.count == 5 && !run.unwritten);
	finish();
}

/* The first entry of a deep tree grows to the left: its key changes in every parent. */
static void test_first_grows(void)
{
	struct balloc_request pair = {.ino = FILE_INO, .wanted = 2};
	struct extent_run first, second;
	struct handle h;

	setup(96 << 20, "-b 1024", 13);
	begin(&h, extent_credits(inode) + BALLOC_CREDITS + INODE_CREDITS);
	CU_ASSERT_EQUAL_FATAL(balloc_alloc(&h, &pair, &first.pblk, &first.count), 0);
	CU_ASSERT_EQUAL_FATAL(first.count, 2);
	first = (struct extent_run){.lblk = 9, .count = 1, .pblk = first.pblk};
	second = (struct extent_run){.lblk = 10, .count = 1, .pblk = first.pblk + 1};
	CU_ASSERT_EQUAL_FATAL(extent_insert(&h, inode, &second), 0);
	end(&h);
	model_pblk[10] = second.pblk;
	for (uint32_t i = 100; i < 2000; i += 2)
		CU_ASSERT_EQUAL_FATAL(do_insert(i, 1, false), 0);
	CU_ASSERT(depth() >= 2);
	begin(&h, extent_credits(inode) + INODE_CREDITS);
	CU_ASSERT_EQUAL_FATAL(extent_insert(&h, inode, &first), 0);
	end(&h);
	model_pblk[9] = first.pblk;
	check_all();
	reload();
	check_all();
	finish();
}

/* Runs longer than one entry can say: 32768 blocks, unwritten 32767. */
static void test_long_runs(void)
{
	enum { BLOCKS = 80000 };
	struct extent_run run;
	uint64_t blocks = 0;
	unsigned runs = 0;

	setup(400 << 20, "-b 4096 -O ^has_journal", 14);
	CU_ASSERT_EQUAL_FATAL(e4_fallocate(inode, 0, 0, (uint64_t)BLOCKS << 12), 0);
	for (uint32_t at = 0; at < BLOCKS; at += run.count) {
		CU_ASSERT_EQUAL_FATAL(extent_map(inode, at, &run), 0);
		CU_ASSERT_FATAL(run.pblk && run.unwritten && run.count <= EXTENT_UNWRITTEN_MAX);
		blocks += run.count;
	}
	CU_ASSERT_EQUAL(blocks, BLOCKS);
	for (uint32_t at = 0; at < BLOCKS; at += 5000) {
		struct handle h;

		begin(&h, extent_credits(inode) + INODE_CREDITS);
		CU_ASSERT_EQUAL_FATAL(extent_convert(&h, inode, at, 5000, false), 0);
		inode->size = (uint64_t)BLOCKS << 12;
		CU_ASSERT_EQUAL(inode_store(&h, inode, true), 0);
		pthread_rwlock_unlock(&inode->lock);
		handle_end(&h);
	}
	for (uint32_t at = 0; at < BLOCKS; at += run.count, runs++) {
		CU_ASSERT_EQUAL_FATAL(extent_map(inode, at, &run), 0);
		CU_ASSERT_FATAL(run.pblk && !run.unwritten && run.count <= EXTENT_WRITTEN_MAX);
	}
	CU_ASSERT(runs < 20);
	finish();
}

static void test_arguments(void)
{
	struct extent_run run = {.lblk = 1, .count = 0, .pblk = 5000};
	struct handle h;

	setup(48 << 20, "-b 1024", 11);
	CU_ASSERT_EQUAL(do_insert(10, 5, false), 0);
	CU_ASSERT_EQUAL(extent_map(inode, 0xffffffff, &run), -EFBIG);
	begin(&h, extent_credits(inode) + INODE_CREDITS);
	CU_ASSERT_EQUAL(extent_insert(&h, inode, &run), -EINVAL);
	run.count = EXTENT_RUN_MAX + 1;
	CU_ASSERT_EQUAL(extent_insert(&h, inode, &run), -EINVAL);
	run = (struct extent_run){.lblk = 8, .count = 3, .pblk = 5000};
	CU_ASSERT_EQUAL(extent_insert(&h, inode, &run), -EEXIST);
	run = (struct extent_run){.lblk = 12, .count = 1, .pblk = 5000};
	CU_ASSERT_EQUAL(extent_insert(&h, inode, &run), -EEXIST);
	run = (struct extent_run){.lblk = 0xfffffffe, .count = 2, .pblk = 5000};
	CU_ASSERT_EQUAL(extent_insert(&h, inode, &run), -EINVAL);
	CU_ASSERT_EQUAL(extent_convert(&h, inode, 9, 2, false), -EINVAL);
	end(&h);
	check_all();
	finish();
}

int main(void)
{
	return UNIT_RUN(UNIT(test_random_1k), UNIT(test_random_2k), UNIT(test_random_4k),
		UNIT(test_random_tiny_groups), UNIT(test_random_no_checksums), UNIT(test_deep),
		UNIT(test_longest), UNIT(test_backwards), UNIT(test_merges), UNIT(test_no_space),
		UNIT(test_convert_no_space), UNIT(test_first_grows), UNIT(test_long_runs),
		UNIT(test_arguments));
}
