/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From block maps to extents and back: the bytes stay, blocks are counted right, and whatever
 * stops it leaves the file as it was. On volumes that were made without extents and have got them
 * since, as drives have that were ext3 once.
 */
#include "ext4/extent-node.h"
#include "tests/ext4-model.h"

static const char extent_feature[] = "feature extent";

static void start(uint64_t size, const char *options, unsigned new_seed)
{
	setup(size, options, new_seed);
	close_all();
	CU_ASSERT_EQUAL_FATAL(image_debugfs(mem, extent_feature, true), 0);
	open_all();
	CU_ASSERT_FATAL(!extent_is_tree(inode));
}

static void convert_back_and_forth(void)
{
	CU_ASSERT_EQUAL(e4_set_extents(inode, false), -EINVAL);
	CU_ASSERT_EQUAL_FATAL(e4_set_extents(inode, true), 0);
	CU_ASSERT(extent_is_tree(inode));
	CU_ASSERT_EQUAL(e4_set_extents(inode, true), -EINVAL);
	CU_ASSERT_EQUAL(txn_overdrawn(fs), 0);
	check_all();
	reload();
	check_all();
}

static void test_random(void)
{
	static const char *options[] = {"-t ext3 -b 1024", "-t ext3 -b 2048", "-t ext3 -b 4096 -I 128",
		"-t ext2 -b 1024", "-t ext4 -b 1024 -O ^extent,^64bit"};

	for (unsigned i = 0; i < 3 * ARRAY_SIZE(options); i++) {
		start(24 << 20, options[i % ARRAY_SIZE(options)], i);
		for (unsigned writes = i < 5 ? 3 : 150; writes > 0; writes--) {
			uint32_t off = pick(MODEL);

			do_write(off, 1 + pick((uint32_t)min_u64(20000, MODEL - off)));
		}
		convert_back_and_forth();
		/* It is a file like all others. */
		for (unsigned writes = 0; writes < 20; writes++)
			do_write(pick(MODEL - 9000), 9000);
		do_size(pick(MODEL));
		check_all();
		finish();
	}
}

/* No two blocks adjoin: as many extents as blocks, two levels of nodes. */
static void make_fragments(void)
{
	for (uint32_t off = 0; off + 1024 <= MODEL; off += 2048)
		do_write(off, 1024);
}

static void test_deep(void)
{
	uint64_t leaves, blocks = MODEL / 2048;

	start(24 << 20, "-t ext3 -b 1024", 20);
	make_fragments();
	convert_back_and_forth();
	leaves = div_round_up_u64(blocks, extent_block_entries(fs));
	CU_ASSERT_EQUAL(extent_node_depth(inode->i_block), 2);
	CU_ASSERT_EQUAL(inode->blocks, 2 * (blocks + leaves + 1));
	do_size(0);
	CU_ASSERT_EQUAL(inode->blocks, 0);
	finish();
}

static void test_empty(void)
{
	start(24 << 20, "-t ext3 -b 1024", 21);
	convert_back_and_forth();
	do_write(3000, 5);
	CU_ASSERT_EQUAL(e4_set_extents(inode, false), 0);
	CU_ASSERT_EQUAL(e4_set_extents(inode, true), 0);
	do_size(0);
	CU_ASSERT_EQUAL(e4_set_extents(inode, false), 0);
	do_write(0, 20000);
	check_all();
	reload();
	finish();
}

/* One extent within the first twelve blocks, as the kernel has it. */
static void test_to_map(void)
{
	static const struct {
		uint32_t off, len;
		int want;
	} cases[] = {
		{0, 12 * 1024, 0},
		{0, 12 * 1024 + 1, -EOPNOTSUPP},
		{5 * 1024, 7 * 1024, 0},
		{12 * 1024, 1, -EOPNOTSUPP},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		setup(24 << 20, "-b 1024", 22);
		do_write(cases[i].off, cases[i].len);
		CU_ASSERT_EQUAL(e4_set_extents(inode, false), cases[i].want);
		CU_ASSERT_EQUAL(extent_is_tree(inode), cases[i].want != 0);
		check_all();
		reload();
		check_all();
		do_write(0, 20000);
		reload();
		finish();
	}
	setup(24 << 20, "-b 1024", 23);
	do_write(0, 1000);
	do_write(5000, 1000);
	CU_ASSERT_EQUAL(e4_set_extents(inode, false), -EOPNOTSUPP);
	do_size(0);
	do_fallocate(0, 1000, 0);
	CU_ASSERT_EQUAL(e4_set_extents(inode, false), -EOPNOTSUPP);
	finish();
	setup(24 << 20, "-t ext3 -b 1024", 24);
	CU_ASSERT_EQUAL(e4_set_extents(inode, true), -EINVAL);
	finish();
}

/* With ever more room the conversion fails, and changes nothing, until it succeeds. */
static void test_no_space(void)
{
	uint8_t old[sizeof(inode->i_block)];
	struct e4_inode *root, *filler;
	struct e4_create what = {.mode = 0100644};
	unsigned failed = 0;
	ssize_t n = 1;
	int r = -ENOSPC;

	start(6 << 20, "-t ext3 -b 1024 -O ^has_journal -m 0", 25);
	fs->tree_reserve = 0; /* full to the last block */
	make_fragments();
	CU_ASSERT_EQUAL_FATAL(e4_iget(fs, E4_ROOT_INO, &root), 0);
	CU_ASSERT_EQUAL_FATAL(e4_create(root, "filler", 6, &what, &filler), 0);
	e4_iput(root);
	while (n > 0)
		n = e4_write(filler, scratch, 1024, filler->size, 0);
	CU_ASSERT_EQUAL(n, -ENOSPC);
	for (unsigned i = 0; r < 0 && i < 100; i++) {
		uint64_t blocks = inode->blocks;

		memcpy(old, inode->i_block, sizeof(old));
		r = e4_set_extents(inode, true);
		CU_ASSERT(r == 0 || r == -ENOSPC);
		if (r == 0)
			break;
		failed++;
		CU_ASSERT_EQUAL(inode->blocks, blocks);
		CU_ASSERT_EQUAL(memcmp(old, inode->i_block, sizeof(old)), 0);
		CU_ASSERT_EQUAL_FATAL(file_set_size(filler, filler->size - 1024), 0);
	}
	CU_ASSERT_EQUAL(r, 0);
	CU_ASSERT(failed >= MODEL / 2048 / 84);
	check_all();
	e4_iput(filler);
	reload();
	finish();
}

/* Any transfer may fail: an error, and the old map; or it is converted. */
static void test_faults(void)
{
	CLEANUP_FREE uint8_t *saved = NULL;
	unsigned failed = 0, fine = 0;

	start(6 << 20, "-t ext2 -b 1024", 26);
	make_fragments();
	close_all();
	saved = malloc(mem->size_bytes);
	CU_ASSERT_FATAL(saved != NULL);
	memcpy(saved, memdev_data(mem), mem->size_bytes);
	for (unsigned i = 0; i < 40; i++) {
		bool clean;
		int r;

		memcpy(memdev_data(mem), saved, mem->size_bytes);
		open_all();
		faultdev_fail_once(dev, i % 2 ? FAULT_READ : FAULT_WRITE, 1 + i / 2, -EIO);
		r = e4_set_extents(inode, true);
		if (r == 0)
			r = e4_fsync(inode, false);
		failed += r < 0;
		fine += r == 0;
		e4_iput(inode);
		clean = e4_unmount(fs) == 0;
		faultdev_fail_once(dev, FAULT_READ, 0, 0);
		faultdev_fail_once(dev, FAULT_WRITE, 0, 0);
		if (!clean)
			continue;
		CU_ASSERT_EQUAL_FATAL(image_check(mem), 0);
		open_all();
		check_all();
		close_all();
	}
	CU_ASSERT(failed > 5);
	CU_ASSERT(fine > 5);
	memcpy(memdev_data(mem), saved, mem->size_bytes);
	open_all();
	finish();
}

/* Two pointers to one table: found before anything is freed. */
static void test_hostile(void)
{
	uint32_t table;

	start(24 << 20, "-t ext3 -b 1024", 27);
	do_write(0, 2 << 20);
	table = le32toh(inode->i_block32[13]);
	close_all();
	le32 *slots = (le32 *)((uint8_t *)memdev_data(mem) + (uint64_t)table * 1024);
	slots[2] = slots[1];
	open_all();
	CU_ASSERT_EQUAL(e4_set_extents(inode, true), -EUCLEAN);
	e4_iput(inode);
	CU_ASSERT(e4_unmount(fs) < 0);
	blkdev_close(dev);
}

static int names_of(struct e4_inode *dir, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct e4_inode *found;
		char name[80];
		int r = e4_lookup(dir, name, (size_t)snprintf(name, sizeof(name),
			"a name as long as this one fills folders quickly %u", i), &found);

		if (r < 0)
			return r;
		e4_iput(found);
	}
	return 0;
}

static void test_directory(void)
{
	enum { NAMES = 2500 };
	struct e4_create folder = {.mode = 040755}, file = {.mode = 0100644};
	struct e4_inode *root, *dir, *made;
	char name[80];

	setup(24 << 20, "-t ext3 -b 1024", 28);
	CU_ASSERT_EQUAL_FATAL(e4_iget(fs, E4_ROOT_INO, &root), 0);
	CU_ASSERT_EQUAL_FATAL(e4_create(root, "dir", 3, &folder, &dir), 0);
	for (unsigned i = 0; i < NAMES; i++) {
		int len = snprintf(name, sizeof(name),
			"a name as long as this one fills folders quickly %u", i);

		CU_ASSERT_EQUAL_FATAL(e4_create(dir, name, (size_t)len, &file, &made), 0);
		e4_iput(made);
	}
	e4_iput(root);
	e4_iput(dir);
	close_all();
	CU_ASSERT_EQUAL_FATAL(image_check(mem), 0);
	CU_ASSERT_EQUAL_FATAL(image_debugfs(mem, extent_feature, true), 0);
	open_all();
	CU_ASSERT_EQUAL_FATAL(e4_iget(fs, E4_ROOT_INO, &root), 0);
	CU_ASSERT_EQUAL(e4_set_extents(root, true), 0);
	CU_ASSERT_EQUAL_FATAL(e4_lookup(root, "dir", 3, &dir), 0);
	CU_ASSERT(!extent_is_tree(dir));
	CU_ASSERT_EQUAL(e4_set_extents(dir, true), 0);
	CU_ASSERT(extent_is_tree(dir));
	CU_ASSERT_EQUAL(names_of(dir, NAMES), 0);
	e4_iput(root);
	e4_iput(dir);
	finish();
}

int main(void)
{
	return UNIT_RUN(UNIT(test_random), UNIT(test_deep), UNIT(test_empty), UNIT(test_to_map),
		UNIT(test_no_space), UNIT(test_faults), UNIT(test_hostile), UNIT(test_directory));
}
