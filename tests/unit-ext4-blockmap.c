/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files with the block map of ext2 and ext3 against a model in memory: a few windows, placed so
 * that every level of tables and the borders between them are reached. Free blocks hold junk
 * before anything is written. Images end with e2fsck.
 */
#include <fcntl.h>
#include <linux/falloc.h>

#include "ext4/blockmap-table.h"
#include "tests/ext4-model.h"

#define MAPS "-O ^extent,^64bit,^flex_bg"

enum { WINDOW = 1 << 20, WINDOWS = 4 };

static uint8_t windows[WINDOWS][WINDOW];
static uint64_t bases[WINDOWS], size;

/* From the start, over the border to two levels, over that to three, and far away. */
static void start(uint64_t bytes, const char *options, unsigned new_seed)
{
	uint64_t one, two;

	setup(bytes, options, new_seed);
	CU_ASSERT_FATAL(!(inode->flags & EXT4_EXTENTS_FL));
	one = fs_blocks_to_bytes(fs, fs->block_bytes / 4 + 12);
	two = fs_blocks_to_bytes(fs, (uint64_t)(fs->block_bytes / 4) * (fs->block_bytes / 4)) + one;
	bases[0] = 0;
	bases[1] = max_u64(one, WINDOW + WINDOW / 2) - WINDOW / 2;
	bases[2] = two - WINDOW / 2;
	bases[3] = blockmap_max_bytes(fs) / 3 * 2;
	memset(windows, 0, sizeof(windows));
	size = 0;
}

static void put(unsigned w, uint32_t off, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		scratch[i] = windows[w][off + i] = (uint8_t)(rand_r(&seed) % 100 + 1);
	CU_ASSERT_EQUAL_FATAL(e4_write(inode, scratch, len, bases[w] + off, pick(2)), (ssize_t)len);
	size = max_u64(size, bases[w] + off + len);
}

static void forget(uint64_t from, uint64_t to)
{
	for (unsigned w = 0; w < WINDOWS; w++) {
		uint64_t a = max_u64(from, bases[w]), b = min_u64(to, bases[w] + WINDOW);

		if (a < b)
			memset(windows[w] + (a - bases[w]), 0, b - a);
	}
}

static void cut(uint64_t to)
{
	struct e4_attr attr = {.size = to};

	CU_ASSERT_EQUAL_FATAL(e4_setattr(inode, &attr, E4_SET_SIZE), 0);
	if (to < size)
		forget(to, UINT64_MAX);
	size = to;
}

/* Whole blocks out of the middle. */
static void punch(uint64_t from, uint64_t to)
{
	uint64_t first = from >> fs->block_bits, end = to >> fs->block_bits;
	bool done = first >= end;

	while (!done) {
		struct handle h;

		CU_ASSERT_EQUAL_FATAL(handle_begin(fs, EXTENT_REMOVE_CREDITS, &h), 0);
		pthread_rwlock_wrlock(&inode->lock);
		CU_ASSERT_EQUAL_FATAL(inode_reserve(&h, inode), 0);
		CU_ASSERT_EQUAL_FATAL(extent_remove(&h, inode, (uint32_t)first, (uint32_t)end - 1,
			&done), 0);
		CU_ASSERT_EQUAL_FATAL(inode_store(&h, inode, true), 0);
		pthread_rwlock_unlock(&inode->lock);
		handle_end(&h);
	}
	if (first < end)
		forget(first << fs->block_bits, end << fs->block_bits);
}

/* Data and holes take turns inside the window, and holes are zero. */
static void compare_seek(unsigned w)
{
	uint64_t end = min_u64(size, bases[w] + WINDOW), at = bases[w], next;

	while (at < end) {
		int r = e4_seek(inode, at, SEEK_DATA, &next);

		CU_ASSERT_FATAL(r == 0 || r == -ENXIO);
		if (r < 0 || next > end)
			next = end;
		CU_ASSERT(bytes_all_zero(windows[w] + (at - bases[w]), next - at));
		if (next == end)
			break;
		CU_ASSERT_EQUAL_FATAL(e4_seek(inode, next, SEEK_HOLE, &at), 0);
		CU_ASSERT_FATAL(at > next);
	}
}

static void compare(void)
{
	struct e4_attr attr;

	e4_getattr(inode, &attr);
	CU_ASSERT_EQUAL_FATAL(attr.size, size);
	for (unsigned w = 0; w < WINDOWS; w++) {
		size_t want = size > bases[w] ? (size_t)min_u64(WINDOW, size - bases[w]) : 0;

		memset(scratch, 0xee, WINDOW);
		CU_ASSERT_EQUAL_FATAL(e4_read(inode, scratch, WINDOW, bases[w]), (ssize_t)want);
		CU_ASSERT_EQUAL_FATAL(memcmp(scratch, windows[w], want), 0);
		compare_seek(w);
	}
	CU_ASSERT_EQUAL(txn_overdrawn(fs), 0);
}

static void again(void)
{
	close_all();
	CU_ASSERT_EQUAL_FATAL(image_check(mem), 0);
	open_all();
	compare();
}

static void step(void)
{
	unsigned w = pick(WINDOWS), op = pick(100);
	uint32_t block = fs->block_bytes;
	uint32_t off = pick(WINDOW), len = 1 + pick(pick(8) ? 3 * block : WINDOW / 4);

	if (pick(3) == 0)
		off = (uint32_t)round_down_u64(off, block);
	if (pick(3) == 0)
		len = (uint32_t)round_up_u64(len, block);
	len = (uint32_t)min_u64(len, WINDOW - off);
	if (op < 70)
		put(w, off, len);
	else if (op < 75)
		cut(bases[w] + off);
	else if (op < 97)
		punch(bases[w] + off, bases[w] + off + len);
	else
		punch(bases[w] + off, bases[pick(WINDOWS)] + pick(WINDOW));
}

static void random_run(const char *options, unsigned new_seed)
{
	start(24 << 20, options, new_seed);
	spread_junk();
	for (unsigned i = 1; i <= unit_times(2500, 500); i++) {
		step();
		if (i % 50 == 0)
			compare();
		if (i % 500 == 0)
			again();
	}
	cut(0);
	CU_ASSERT_EQUAL(inode->blocks, 0);
	again();
	finish();
}

static void test_random_1k(void)
{
	random_run("-b 1024 " MAPS, 1);
}

static void test_random_2k(void)
{
	random_run("-b 2048 -I 128 " MAPS, 2);
}

static void test_random_4k(void)
{
	random_run("-b 4096 " MAPS, 3);
}

static void test_random_ext3(void)
{
	random_run("-b 1024 -t ext3", 4);
}

static void test_random_ext2(void)
{
	random_run("-b 1024 -t ext2 -O none -r 0", 5);
}

/* What the kernel's ext4 gives, measured. */
static void test_limits(void)
{
	static const struct {
		const char *options;
		uint64_t max;
	} known[] = {
		{"-t ext3 -b 1024", 17247252480},
		{"-t ext3 -b 2048", 275415851008},
		{"-t ext3 -b 4096", 2196873666560},
		{"-t ext3 -b 4096 -O huge_file", 4402345721856},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		struct e4_attr attr = {.size = known[i].max + 1};
		uint8_t byte = 1;

		start(24 << 20, known[i].options, 6);
		CU_ASSERT_EQUAL(blockmap_max_bytes(fs), known[i].max);
		CU_ASSERT_EQUAL(e4_setattr(inode, &attr, E4_SET_SIZE), -EFBIG);
		attr.size--;
		CU_ASSERT_EQUAL(e4_setattr(inode, &attr, E4_SET_SIZE), 0);
		CU_ASSERT_EQUAL(e4_write(inode, &byte, 1, attr.size, 0), -EFBIG);
		CU_ASSERT_EQUAL(e4_write(inode, &byte, 1, attr.size - 1, 0), 1);
		byte = 0;
		CU_ASSERT_EQUAL(e4_read(inode, &byte, 1, attr.size - 1), 1);
		CU_ASSERT_EQUAL(byte, 1);
		CU_ASSERT(fs_has_ro_compat(fs, EXT2_FEATURE_RO_COMPAT_LARGE_FILE));
		CU_ASSERT_EQUAL(e4_fallocate(inode, 0, 0, 1), -EOPNOTSUPP);
		CU_ASSERT_EQUAL(e4_fallocate(inode, FALLOC_FL_KEEP_SIZE, 0, 1), -EOPNOTSUPP);
		finish();
	}
}

/* A pointer has 32 bits: on a volume with more blocks than that only the first of them will do. */
static void test_low_blocks(void)
{
	struct e4_mkfs_params params = {.block_bytes = 1024};
	struct e4_create what = {.mode = 0100644};
	struct e4_mount_options mount = {0};
	struct e4_inode *root;
	struct extent_run run;

	if (memdev_new(4200ull << 30, 512, &dev) < 0) {
		unit_skip("no address space for a volume so large");
		return;
	}
	CU_ASSERT_EQUAL_FATAL(e4_mkfs(dev, &params, NULL, NULL, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(e4_mount(dev, &mount, &fs, NULL), 0);
	CU_ASSERT_FATAL(fs->blocks_count > 1ull << 32);
	CU_ASSERT_EQUAL_FATAL(e4_iget(fs, E4_ROOT_INO, &root), 0);
	CU_ASSERT_EQUAL_FATAL(e4_create(root, "f", 1, &what, &inode), 0);
	CU_ASSERT_EQUAL(e4_set_extents(inode, false), -EOPNOTSUPP);
	for (unsigned tree = 0; tree < 2; tree++) {
		inode->flags = tree ? inode->flags | EXT4_EXTENTS_FL :
				      inode->flags & ~(uint32_t)EXT4_EXTENTS_FL;
		extent_init(inode);
		inode->alloc_goal = (1ull << 32) + 100000;
		CU_ASSERT_EQUAL(e4_write(inode, scratch, 20000, 0, 0), 20000);
		for (uint32_t lblk = 0; lblk < 20; lblk++) {
			CU_ASSERT_EQUAL_FATAL(file_map(inode, lblk, &run), 0);
			CU_ASSERT_EQUAL(run.pblk > 1ull << 32, tree);
			CU_ASSERT_NOT_EQUAL(run.pblk, 0);
		}
		CU_ASSERT_EQUAL(file_set_size(inode, 0), 0);
	}
	e4_iput(root);
	e4_iput(inode);
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	blkdev_close(dev);
}

/* ---- full volume ---------------------------------------------------------------------------- */

/* Places that all need tables of their own, until nothing is left, again and again. */
static void test_no_space(void)
{
	struct e4_statfs before, after;
	unsigned full = 0;

	start(4 << 20, "-b 1024 -O ^has_journal -N 64 -t ext2", 7);
	e4_statfs(fs, &before);
	for (unsigned i = 0; i < 60; i++) {
		ssize_t n = 1;

		for (unsigned j = 0; n > 0; j++) {
			uint64_t off = fs_blocks_to_bytes(fs, (uint64_t)pick(1 << 24) * (j % 8 != 0));

			memset(scratch, 1, 100000);
			n = e4_write(inode, scratch, 1 + pick(i % 3 ? 3000 : 100000), off, 0);
		}
		CU_ASSERT_EQUAL(n, -ENOSPC);
		full++;
		e4_statfs(fs, &after);
		CU_ASSERT_EQUAL_FATAL(after.blocks_free + inode->blocks / 2, before.blocks_free);
		if (i % 20 == 0) {
			close_all();
			CU_ASSERT_EQUAL_FATAL(image_check(mem), 0);
			open_all();
		}
		CU_ASSERT_EQUAL_FATAL(file_set_size(inode, fs_blocks_to_bytes(fs, pick(1 << 24))), 0);
	}
	CU_ASSERT_EQUAL(full, 60);
	CU_ASSERT_EQUAL_FATAL(file_set_size(inode, 0), 0);
	CU_ASSERT_EQUAL(inode->blocks, 0);
	CU_ASSERT_EQUAL(e4_sync(fs), 0);
	e4_statfs(fs, &after);
	CU_ASSERT_EQUAL(after.blocks_free, before.blocks_free);
	CU_ASSERT_EQUAL(atomic_load(&fs->claimed_blocks), 0);
	finish();
}

/* Room for some of the tables that a block needs, and for all of them: all or nothing. */
static void test_no_room_for_tables(void)
{
	struct e4_create what = {.mode = 0100644};
	struct e4_inode *root, *filler;
	struct e4_statfs before, after;
	uint8_t byte = 1;

	start(4 << 20, "-b 1024 -O ^has_journal -N 64 -t ext2 -m 0", 13);
	CU_ASSERT_EQUAL_FATAL(e4_iget(fs, E4_ROOT_INO, &root), 0);
	CU_ASSERT_EQUAL_FATAL(e4_create(root, "filler", 6, &what, &filler), 0);
	while (e4_write(filler, scratch, 1024, filler->size, 0) == 1024)
		;
	for (unsigned room = 0; room < 5; room++) {
		for (unsigned levels = 0; levels < 4; levels++) {
			uint64_t lblk = levels ? blockmap_base(fs, 11 + levels) : 5;

			e4_statfs(fs, &before);
			CU_ASSERT_EQUAL_FATAL(before.blocks_free, room);
			CU_ASSERT_EQUAL(e4_write(inode, &byte, 1, lblk * 1024, 0),
				room > levels ? 1 : -ENOSPC);
			CU_ASSERT_EQUAL(inode->blocks, room > levels ? 2 * (levels + 1) : 0);
			e4_statfs(fs, &after);
			CU_ASSERT_EQUAL(after.blocks_free + inode->blocks / 2, room);
			CU_ASSERT_EQUAL_FATAL(file_set_size(inode, 0), 0);
			CU_ASSERT_EQUAL_FATAL(e4_sync(fs), 0);
		}
		/* One block of the filler's last table, whose other blocks stay. */
		CU_ASSERT_EQUAL_FATAL(file_set_size(filler, filler->size - 1024), 0);
	}
	e4_iput(root);
	e4_iput(filler);
	finish();
}

/* ---- threads ---------------------------------------------------------------------------------- */

enum { THREADS = 4, PIECE = 16384, PIECES = WINDOW / PIECE };

/* Two threads each race for the same holes; pieces hold one byte each. (Three
 * would overwrite each other's data at the same time.) */
static void *write_everywhere(void *arg)
{
	unsigned me = *(unsigned *)arg;
	uint8_t buf[PIECE];

	for (unsigned i = me / 2; i < PIECES; i += THREADS / 2) {
		memset(buf, (int)i + 1, PIECE);
		if (e4_write(inode, buf, PIECE, (uint64_t)i * PIECE, E4_WRITE_MAY_CLOBBER) !=
			PIECE)
			return (void *)1;
		if (i % 16 == 0 && e4_fsync(inode, false) < 0)
			return (void *)1;
	}
	return NULL;
}

static void test_threads(void)
{
	unsigned numbers[THREADS];
	pthread_t threads[THREADS];

	start(24 << 20, "-b 1024 " MAPS, 8);
	spread_junk();
	for (unsigned i = 0; i < THREADS; i++) {
		numbers[i] = i;
		CU_ASSERT_FATAL(!pthread_create(&threads[i], NULL, write_everywhere, &numbers[i]));
	}
	for (unsigned i = 0; i < THREADS; i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		CU_ASSERT_PTR_NULL(failed);
	}
	for (unsigned i = 0; i < PIECES; i++)
		memset(windows[0] + (size_t)i * PIECE, (int)i + 1, PIECE);
	size = WINDOW;
	compare();
	CU_ASSERT_EQUAL(atomic_load(&fs->claimed_blocks), 0);
	again();
	finish();
}

/* ---- what fails ------------------------------------------------------------------------------- */

/* Whatever is on the medium at a flush: what the file shows is data or zero, never junk. */
static void test_crash(void)
{
	CLEANUP_FREE uint8_t *saved = NULL;
	const struct fault_record *records;
	struct e4_mount_options mount = {.read_only = true};
	unsigned looked = 0;
	size_t count;

	start(6 << 20, "-b 1024 -N 64 -t ext2", 9);
	spread_junk();
	close_all();
	saved = malloc(mem->size_bytes);
	CU_ASSERT_FATAL(saved != NULL);
	memcpy(saved, memdev_data(mem), mem->size_bytes);
	faultdev_record(dev, true);
	open_all();
	for (unsigned i = 0; i < 60; i++) {
		put(pick(WINDOWS), pick(WINDOW - 20000), 1 + pick(20000));
		if (i % 3 == 0)
			CU_ASSERT_EQUAL(e4_fsync(inode, false), 0);
		if (i % 20 == 19)
			cut(bases[pick(WINDOWS)] + pick(WINDOW));
	}
	close_all();
	records = faultdev_records(dev, &count);
	memcpy(memdev_data(mem), saved, mem->size_bytes);
	for (size_t i = 0; i < count; i++) {
		struct e4_fs *seen;
		struct e4_inode *file;

		if (records[i].op == FAULT_WRITE)
			memcpy((uint8_t *)memdev_data(mem) + records[i].off, records[i].data,
				records[i].len);
		if (records[i].op != FAULT_FLUSH)
			continue;
		CU_ASSERT_EQUAL_FATAL(e4_mount(mem, &mount, &seen, NULL), 0);
		CU_ASSERT_EQUAL_FATAL(e4_iget(seen, FILE_INO, &file), 0);
		for (unsigned w = 0; w < WINDOWS; w++) {
			ssize_t n = e4_read(file, scratch, WINDOW, bases[w]);

			CU_ASSERT_FATAL(n >= 0);
			CU_ASSERT_PTR_NULL(memchr(scratch, JUNK, (size_t)n));
		}
		e4_iput(file);
		CU_ASSERT_EQUAL(e4_unmount(seen), 0);
		looked++;
	}
	CU_ASSERT(looked > 20);
	open_all();
	finish();
}

/* Data that does not reach the drive: an error, and nothing has changed. */
static void test_write_fails(void)
{
	start(24 << 20, "-b 4096 " MAPS, 10);
	spread_junk();
	put(0, 0, 20000);
	CU_ASSERT_EQUAL(e4_sync(fs), 0);
	for (unsigned n = 1; n <= 3; n++) {
		memset(scratch, JUNK, 100000);
		faultdev_fail_once(dev, FAULT_WRITE, n, -EIO);
		CU_ASSERT_EQUAL(e4_write(inode, scratch, 100000, 40000, 0), -EIO);
		CU_ASSERT_EQUAL(atomic_load(&fs->claimed_blocks), 0);
		cut(20000);
		compare();
	}
	put(0, 30000, 50000);
	again();
	finish();
}

/* Every transfer fails once: an error, or what fsync has promised is there. */
static int live(void)
{
	struct e4_attr attr = {.size = bases[2] + 1000};
	int r = 0;

	for (unsigned i = 0; r >= 0 && i < 100; i++) {
		uint64_t off = bases[i % 4] + i * 3000;

		memset(scratch, (int)i + 1, 1500);
		r = (int)e4_write(inode, scratch, 1500, off, 0);
	}
	if (r >= 0)
		r = e4_setattr(inode, &attr, E4_SET_SIZE);
	return r < 0 ? r : e4_fsync(inode, false);
}

static void check_live(void)
{
	for (unsigned i = 0; i < 100; i++) {
		if (i % 4 == 3 || (i % 4 == 2 && i > 0))
			continue;
		CU_ASSERT_EQUAL_FATAL(e4_read(inode, scratch, 1500, bases[i % 4] + i * 3000), 1500);
		for (unsigned j = 0; j < 1500; j++)
			CU_ASSERT_EQUAL_FATAL(scratch[j], i + 1);
	}
	CU_ASSERT_EQUAL(e4_read(inode, scratch, 1500, bases[2]), 1000);
}

static void test_every_fault(void)
{
	struct e4_mount_options mount = {0};
	CLEANUP_FREE uint8_t *saved = NULL;
	unsigned failed = 0, fine = 0;

	start(4 << 20, "-b 1024 -O ^has_journal -N 64 -t ext2", 11);
	close_all();
	saved = malloc(mem->size_bytes);
	CU_ASSERT_FATAL(saved != NULL);
	memcpy(saved, memdev_data(mem), mem->size_bytes);
	for (unsigned i = 0; i < 3 * 140; i++) {
		bool promised = false;

		memcpy(memdev_data(mem), saved, mem->size_bytes);
		faultdev_fail_once(dev, (enum fault_op)(i % 3), 1 + i / 3, -EIO);
		if (e4_mount(dev, &mount, &fs, NULL) == 0) {
			if (e4_iget(fs, FILE_INO, &inode) == 0) {
				promised = live() == 0;
				e4_iput(inode);
			}
			/* What failed has been undone, or the volume is no longer clean. */
			if (e4_unmount(fs) == 0 && i % 10 == 0)
				CU_ASSERT_EQUAL_FATAL(image_check(mem), 0);
		}
		failed += !promised;
		fine += promised;
		faultdev_fail_once(dev, (enum fault_op)(i % 3), 0, 0);
		if (!promised)
			continue;
		open_all();
		check_live();
		close_all();
	}
	CU_ASSERT(failed > 50);
	CU_ASSERT(fine > 50);
	memcpy(memdev_data(mem), saved, mem->size_bytes);
	open_all();
	finish();
}

/* ---- hostile maps ----------------------------------------------------------------------------- */

/* A file with tables on all levels; *ret_tables are the tables of slots 12, 13 and 14. */
static void start_hostile(uint32_t ret_tables[3])
{
	start(24 << 20, "-b 1024 " MAPS, 12);
	for (unsigned w = 0; w < WINDOWS; w++)
		put(w, 0, WINDOW / 2 + 5000);
	for (unsigned i = 0; i < 3; i++)
		ret_tables[i] = le32toh(inode->i_block32[12 + i]);
	close_all();
}

static le32 *slots_at(uint32_t block)
{
	return (le32 *)((uint8_t *)memdev_data(mem) + (uint64_t)block * 1024);
}

/* Whatever a map says, everything ends: with an error where it was needed. */
static void use_hostile(bool damage)
{
	struct e4_attr attr = {.size = 0};
	uint64_t at;
	int bad = 0, r;

	open_all();
	for (unsigned w = 0; w < WINDOWS; w++)
		bad += e4_read(inode, scratch, WINDOW, bases[w]) == -EUCLEAN;
	(void)!e4_seek(inode, bases[1], SEEK_DATA, &at);
	(void)!e4_seek(inode, bases[1], SEEK_HOLE, &at);
	memset(scratch, 1, 10000);
	bad += e4_write(inode, scratch, 10000, bases[3] + 5000, 0) == -EUCLEAN;
	r = e4_setattr(inode, &attr, E4_SET_SIZE);
	bad += r == -EUCLEAN;
	CU_ASSERT(r == 0 || r == -EUCLEAN || r == -EROFS);
	CU_ASSERT_EQUAL(bad > 0, damage);
	e4_iput(inode);
	r = e4_unmount(fs);
	CU_ASSERT(damage ? r < 0 : r == 0);
	blkdev_close(dev);
}

static void test_hostile_pointers(void)
{
	static const uint32_t wrong[] = {1, 2, 3, 24 << 10, UINT32_MAX};
	uint32_t tables[3];

	for (unsigned level = 0; level < 3; level++) {
		for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
			start_hostile(tables);
			slots_at(tables[level])[level ? 0 : 3] = le32_make(wrong[i]);
			use_hostile(true);
		}
	}
}

/* An inode table block and a bitmap as tables of pointers. */
static void test_hostile_metadata(void)
{
	uint32_t tables[3];

	for (unsigned level = 0; level < 3; level++) {
		for (unsigned which = 0; which < 2; which++) {
			const struct ext2_group_desc *group;

			start_hostile(tables);
			group = (const void *)slots_at(2);
			slots_at(tables[level])[0] = le32_make(le32toh(which ?
				group->bg_inode_table : group->bg_block_bitmap));
			use_hostile(true);
		}
	}
}

/* Tables that lead to themselves, to each other, or to the same one from everywhere. */
static void test_hostile_cycles(void)
{
	uint32_t tables[3];

	for (unsigned from = 0; from < 3; from++) {
		for (unsigned to = 0; to < 3; to++) {
			start_hostile(tables);
			for (unsigned i = 0; i < 256; i++)
				slots_at(tables[from])[i] = le32_make(tables[to]);
			use_hostile(true);
		}
	}
}

int main(void)
{
	return UNIT_RUN(UNIT(test_random_1k), UNIT(test_random_2k), UNIT(test_random_4k),
		UNIT(test_random_ext3), UNIT(test_random_ext2), UNIT(test_limits), UNIT(test_low_blocks),
		UNIT(test_no_space), UNIT(test_no_room_for_tables), UNIT(test_threads), UNIT(test_crash), UNIT(test_write_fails),
		UNIT(test_every_fault), UNIT(test_hostile_pointers), UNIT(test_hostile_metadata),
		UNIT(test_hostile_cycles));
}
