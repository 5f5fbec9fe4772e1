/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * File data against a model in memory. The volume's free blocks hold junk before anything is
 * written, so a byte that shows through from the drive is seen.
 */
#include "tests/ext4-model.h"

/* ---- one thread ----------------------------------------------------------------------------- */

static void random_step(uint32_t block)
{
	uint64_t off = pick(2) ? pick(MODEL) : pick((uint32_t)model_size + 1);
	uint64_t len = 1 + pick(pick(8) ? 3 * block : MODEL / 4);
	uint32_t op = pick(100);

	if (pick(3) == 0)
		off = round_down_u64(off, block);
	if (pick(3) == 0)
		len = round_up_u64(len, block);
	len = min_u64(len, MODEL - off);
	if (op < 60 && len)
		do_write(off, len);
	else if (op < 75)
		do_size(off);
	else if (op < 85 && len)
		do_fallocate(off, len, pick(2) ? FALLOC_FL_KEEP_SIZE : 0);
	else
		check_read(off, len);
}

static void random_run(const char *options, uint64_t size, unsigned new_seed)
{
	setup(size, options, new_seed);
	spread_junk();
	for (unsigned i = 1; i <= unit_times(3000, 1000); i++) {
		random_step(fs->block_bytes);
		if (i % 50 == 0)
			check_all();
		if (i % 1000 == 0)
			reload();
	}
	check_all();
	reload();
	check_all();
	finish();
}

static void test_random_1k(void)
{
	random_run("-b 1024", 24 << 20, 1);
}

static void test_random_2k(void)
{
	random_run("-b 2048", 24 << 20, 2);
}

static void test_random_4k(void)
{
	random_run("-b 4096", 24 << 20, 3);
}

static void test_random_small_inodes(void)
{
	random_run("-b 1024 -I 128", 24 << 20, 4);
}

/* Junk that lies behind the end in the last block never becomes part of the file. */
static void stale_tail(void (*grow)(void))
{
	struct extent_run run;

	setup(24 << 20, "-b 4096", 5);
	do_write(0, 5000);
	CU_ASSERT_EQUAL_FATAL(file_map(inode, 1, &run), 0);
	memset(scratch, JUNK, 4096);
	CU_ASSERT_EQUAL_FATAL(blkdev_write(dev, scratch, 4096 - 904, run.pblk * 4096 + 904), 0);
	grow();
	check_all();
	reload();
	check_all();
	finish();
}

static void grow_by_gap(void)
{
	do_write(5100, 10);
}

static void grow_by_far_write(void)
{
	do_write(100000, 4096);
}

static void grow_by_size(void)
{
	do_size(5100);
	do_size(9000);
}

static void grow_by_fallocate(void)
{
	do_fallocate(8192, 100, 0);
}

static void grow_after_append(void)
{
	do_write(5000, 10);
	do_size(20000);
}

static void test_stale_tail(void)
{
	stale_tail(grow_by_gap);
	stale_tail(grow_by_far_write);
	stale_tail(grow_by_size);
	stale_tail(grow_by_fallocate);
	stale_tail(grow_after_append);
}

/* Pieces that arrive in another order lie in order all the same. */
static void test_out_of_order(void)
{
	static const uint32_t order[] = {0, 2, 1, 3, 6, 4, 5, 7};
	struct extent_run run;

	setup(24 << 20, "-b 4096", 22);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		do_write(order[i] * 65536, 65536);
	CU_ASSERT_EQUAL_FATAL(file_map(inode, 0, &run), 0);
	CU_ASSERT_EQUAL(run.count, 8 * 16);
	finish();
}

static unsigned count_runs(struct e4_inode *file)
{
	uint64_t lblk = 0, end = file_size(file) / fs->block_bytes;
	unsigned n = 0;

	for (; lblk < end; n++) {
		struct extent_run run;

		CU_ASSERT_EQUAL_FATAL(file_map(file, lblk, &run), 0);
		lblk += run.count;
	}
	return n;
}

/* Files that take turns in growing do not take turns on the drive. */
static void test_turns(void)
{
	enum { FILES = 3, TURNS = 300, PIECE = 16384 };
	struct e4_create what = {.mode = 0100644};
	struct e4_inode *root, *files[FILES];
	char name[] = "a";

	setup(64 << 20, "-b 4096", 25);
	CU_ASSERT_EQUAL_FATAL(e4_iget(fs, E4_ROOT_INO, &root), 0);
	for (unsigned i = 0; i < FILES; i++, name[0]++)
		CU_ASSERT_EQUAL_FATAL(e4_create(root, name, 1, &what, &files[i]), 0);
	for (unsigned turn = 0; turn < TURNS; turn++)
		for (unsigned i = 0; i < FILES; i++)
			CU_ASSERT_EQUAL_FATAL(e4_write(files[i], scratch, PIECE, turn * PIECE, 0), PIECE);
	for (unsigned i = 0; i < FILES; i++) {
		CU_ASSERT(count_runs(files[i]) < 12);
		e4_iput(files[i]);
	}
	e4_iput(root);
	finish();
}

/* Shrinking zeroes the rest of the last block on the drive: others read whole blocks. */
static void test_shrink_zeroes(void)
{
	struct extent_run run;

	setup(24 << 20, "-b 4096", 6);
	do_write(0, 8192);
	do_size(5000);
	CU_ASSERT_EQUAL_FATAL(file_map(inode, 1, &run), 0);
	CU_ASSERT_EQUAL_FATAL(blkdev_read(dev, scratch, 4096, run.pblk * 4096), 0);
	CU_ASSERT_EQUAL(memcmp(scratch, model + 4096, 904), 0);
	CU_ASSERT(bytes_all_zero(scratch + 904, 4096 - 904));
	finish();
}

static void test_far(void)
{
	static const uint64_t offs[] = {5ull << 30, (3ull << 40) + 77, (1ull << 44) - 4096 - 5000};
	uint64_t start, next;
	uint8_t byte[3];

	setup(24 << 20, "-b 4096", 7);
	for (size_t i = 0; i < ARRAY_SIZE(offs); i++) {
		memcpy(byte, "abc", 3);
		CU_ASSERT_EQUAL_FATAL(e4_write(inode, byte, 3, offs[i], 0), 3);
	}
	close_all();
	CU_ASSERT_EQUAL(image_check(mem), 0);
	open_all();
	for (size_t i = 0; i < ARRAY_SIZE(offs); i++) {
		CU_ASSERT_EQUAL(e4_read(inode, byte, 3, offs[i]), 3);
		CU_ASSERT_EQUAL(memcmp(byte, "abc", 3), 0);
		start = i ? offs[i - 1] + 4096 : 0;
		CU_ASSERT_EQUAL(e4_seek(inode, start, SEEK_DATA, &next), 0);
		CU_ASSERT_EQUAL(next, round_down_u64(offs[i], 4096));
		CU_ASSERT_EQUAL(e4_seek(inode, next, SEEK_HOLE, &next), 0);
		CU_ASSERT(next <= round_down_u64(offs[i], 4096) + 4096);
	}
	CU_ASSERT_EQUAL(e4_read(inode, byte, 3, 1ull << 41), 3);
	CU_ASSERT(bytes_all_zero(byte, 3));
	finish();
}

/* 2^32 - 1 blocks are the limit of a file; sizes do not cost time. */
static void test_limits(void)
{
	uint64_t max = ((1ull << 32) - 1) << 12;
	struct e4_attr attr = {.size = max};
	uint8_t byte = 1, two[] = {1, 2};

	setup(24 << 20, "-b 4096", 8);
	CU_ASSERT_EQUAL(e4_write(inode, &byte, 1, max, 0), -EFBIG);
	CU_ASSERT_EQUAL(e4_write(inode, &byte, 1, UINT64_MAX, 0), -EFBIG);
	CU_ASSERT_EQUAL(e4_fallocate(inode, 0, max - 1, 2), -EFBIG);
	CU_ASSERT_EQUAL(e4_fallocate(inode, 0, 0, 0), -EINVAL);
	CU_ASSERT_EQUAL(e4_write(inode, two, 2, max - 1, 0), 1);
	CU_ASSERT_EQUAL(e4_write(inode, two, 2, max - 1, E4_WRITE_WHOLE), -EFBIG);
	CU_ASSERT_EQUAL(e4_setattr(inode, &attr, E4_SET_SIZE), 0);
	attr.size = max + 1;
	CU_ASSERT_EQUAL(e4_setattr(inode, &attr, E4_SET_SIZE), -EFBIG);
	e4_getattr(inode, &attr);
	CU_ASSERT_EQUAL(attr.size, max);
	byte = 0;
	CU_ASSERT_EQUAL(e4_read(inode, &byte, 1, max - 1), 1);
	CU_ASSERT_EQUAL(byte, 1);
	CU_ASSERT_EQUAL(e4_read(inode, &byte, 1, max), 0);
	CU_ASSERT_EQUAL(e4_read(inode, &byte, 1, UINT64_MAX), 0);
	CU_ASSERT_EQUAL(e4_write(inode, &byte, 0, 5, 0), 0);
	finish();
}

/* ---- full volume ----------------------------------------------------------------------------- */

static void test_no_space(void)
{
	struct e4_statfs before, after;
	uint64_t off = 0;
	ssize_t n;

	setup(8 << 20, "-b 1024 -O ^has_journal", 9);
	e4_statfs(fs, &before);
	for (;;) {
		for (size_t i = 0; i < 700000; i++)
			scratch[i] = (uint8_t)((off + i) * 7 >> 3);
		n = e4_write(inode, scratch, 700000, off, 0);
		if (n <= 0)
			break;
		off += (uint64_t)n;
	}
	CU_ASSERT_EQUAL(n, -ENOSPC);
	CU_ASSERT_EQUAL(file_size(inode), off);
	CU_ASSERT_EQUAL(e4_write(inode, scratch, 100, off + (10 << 20), 0), -ENOSPC);
	/* What is there can still be overwritten. */
	CU_ASSERT_EQUAL(e4_write(inode, scratch, 0, 0, 0), 0);
	for (uint64_t at = 0; at < off; at += 100000) {
		n = e4_read(inode, scratch, 100000, at);
		CU_ASSERT_FATAL(n > 0);
		for (ssize_t i = 0; i < n; i++)
			CU_ASSERT_EQUAL_FATAL(scratch[i], (uint8_t)((at + (uint64_t)i) * 7 >> 3));
	}
	CU_ASSERT_EQUAL(file_set_size(inode, 0), 0);
	/* Freed blocks serve the next writer at once. */
	memset(scratch, 1, 700000);
	CU_ASSERT_EQUAL(e4_write(inode, scratch, 700000, 0, 0), 700000);
	CU_ASSERT_EQUAL(file_set_size(inode, 0), 0);
	CU_ASSERT_EQUAL(e4_sync(fs), 0);
	e4_statfs(fs, &after);
	CU_ASSERT_EQUAL(after.blocks_free, before.blocks_free);
	finish();
}

/* ---- many threads --------------------------------------------------------------------------- */

enum { WRITERS = 4, RECORD = 777, RECORDS = 800 };

static uint8_t record_byte(uint64_t off)
{
	return (uint8_t)(off * 31 >> 2 | 1);
}

/* Every writer owns every fourth record of a file nobody has made the blocks of. */
static void *write_records(void *arg)
{
	unsigned me = *(unsigned *)arg;
	uint8_t buf[RECORD];

	for (unsigned i = me; i < RECORDS; i += WRITERS) {
		uint64_t off = (uint64_t)i * RECORD;

		for (unsigned j = 0; j < RECORD; j++)
			buf[j] = record_byte(off + j);
		if (e4_write(inode, buf, RECORD, off, E4_WRITE_MAY_CLOBBER) != RECORD)
			return (void *)1;
	}
	return NULL;
}

/* Large aligned pieces: these run side by side under the shared lock. */
static void *write_pieces(void *arg)
{
	enum { PIECE = 16384 };
	unsigned me = *(unsigned *)arg;
	uint8_t buf[PIECE];

	for (unsigned i = me; i < MODEL / PIECE; i += WRITERS) {
		uint64_t off = (uint64_t)i * PIECE;

		for (unsigned j = 0; j < PIECE; j++)
			buf[j] = record_byte(off + j);
		if (e4_write(inode, buf, PIECE, off, E4_WRITE_MAY_CLOBBER) != PIECE)
			return (void *)1;
		if (e4_read(inode, buf, PIECE, off) != PIECE || buf[9] != record_byte(off + 9))
			return (void *)1;
		if (i % 16 == 0 && e4_fsync(inode, i % 32 == 0) < 0)
			return (void *)1;
	}
	return NULL;
}

static void run_threads(void *(*fn)(void *))
{
	unsigned numbers[WRITERS];
	pthread_t threads[WRITERS];

	for (unsigned i = 0; i < WRITERS; i++) {
		numbers[i] = i;
		CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, fn, &numbers[i]) == 0);
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		CU_ASSERT_PTR_NULL(failed);
	}
}

static void parallel(void *(*fn)(void *), uint64_t size)
{
	setup(24 << 20, "-b 4096", 10);
	spread_junk();
	run_threads(fn);
	model_size = size;
	for (uint64_t i = 0; i < size; i++)
		model[i] = record_byte(i);
	check_all();
	reload();
	finish();
}

static void test_parallel_records(void)
{
	parallel(write_records, (uint64_t)RECORD * RECORDS);
}

static void test_parallel_pieces(void)
{
	parallel(write_pieces, MODEL);
}

/*
 * One thread moves the end of the file, one makes blocks and looks for holes, two write and read,
 * each in slots of its own: what they read is their data, zero (cut off since), or nothing.
 */
enum { SLOT = 9000, SLOTS = 24, ROUNDS = 300 };

static int disturb_slot(unsigned me, unsigned slot, size_t len)
{
	uint8_t buf[SLOT];
	uint64_t off = (uint64_t)(slot * 2 + me % 2) * SLOT;
	ssize_t n;

	memset(buf, (int)me, len);
	if (e4_write(inode, buf, len, off, 0) != (ssize_t)len)
		return -1;
	n = e4_read(inode, buf, sizeof(buf), off);
	for (ssize_t i = 0; i < n; i++)
		if (buf[i] && buf[i] != me)
			return -1;
	return n < 0 ? -1 : 0;
}

static void *disturb(void *arg)
{
	unsigned me = *(unsigned *)arg, mine = me + 77;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t off = (uint64_t)rand_r(&mine) % (2 * SLOT * SLOTS), hole;
		struct e4_attr attr = {.size = off};
		int r = 0;

		if (me == 0) {
			r = e4_setattr(inode, &attr, E4_SET_SIZE);
		} else if (me == 1) {
			r = e4_fallocate(inode, FALLOC_FL_KEEP_SIZE, off, 3000);
			if (r == 0 && i % 50 == 0)
				r = e4_fsync(inode, false);
			if (r == 0)
				r = e4_seek(inode, off, SEEK_HOLE, &hole);
			r = r == -ENXIO ? 0 : r;
			e4_getattr(inode, &attr);
		} else {
			r = disturb_slot(me, (unsigned)(off % SLOTS), 1 + off % SLOT);
		}
		if (r < 0)
			return (void *)1;
	}
	return NULL;
}

static void test_parallel_truncate(void)
{
	setup(24 << 20, "-b 1024", 11);
	spread_junk();
	run_threads(disturb);
	finish();
}

/* The last block in one piece with those before it, where there is room, and nothing behind that changes. */
static void test_one_read(void)
{
	uint64_t before;

	setup(24 << 20, "-b 4096", 24);
	do_write(0, 9000);
	CU_ASSERT_EQUAL(e4_sync(fs), 0);
	before = faultdev_calls(dev, FAULT_READ);
	memset(scratch, JUNK, 50000);
	CU_ASSERT_EQUAL(e4_read_room(inode, scratch, 12288, 12288, 0), 9000);
	CU_ASSERT_EQUAL(scratch[12287], 0); /* the whole block */
	CU_ASSERT_EQUAL(faultdev_calls(dev, FAULT_READ), before + 1);
	for (unsigned len = 8190, bad = 0; len < 12290; len += 1 + len % 97) {
		unsigned room = len + len % 5000, want = len < 9000 ? len : 9000;

		memset(scratch, JUNK, 50000);
		CU_ASSERT_EQUAL(e4_read_room(inode, scratch, len, room, 0), want);
		CU_ASSERT_EQUAL(memcmp(scratch, model, want), 0);
		for (unsigned i = room; i < room + 4096; i++)
			bad += scratch[i] != JUNK;
		CU_ASSERT_EQUAL(bad, 0);
	}
	check_all();
	finish();
}

/* ---- what fails ------------------------------------------------------------------------------ */

/* Data that does not reach the drive: an error, the old content or zeroes, never junk. */
static void test_write_fails(void)
{
	setup(24 << 20, "-b 4096", 18);
	spread_junk();
	do_write(0, 20000);
	CU_ASSERT_EQUAL(e4_sync(fs), 0);
	memset(scratch, JUNK, 50000);
	faultdev_fail_once(dev, FAULT_WRITE, 1, -EIO);
	CU_ASSERT_EQUAL(e4_write(inode, scratch, 50000, 40960, 0), -EIO);
	check_all();
	faultdev_fail_once(dev, FAULT_WRITE, 2, -EIO);
	CU_ASSERT_EQUAL(e4_write(inode, scratch, 50000, 40000, 0), -EIO);
	check_all();
	do_write(100000, 10000);
	check_all();
	reload();
	faultdev_fail_once(dev, FAULT_READ, 1, -EIO);
	CU_ASSERT_EQUAL(e4_read(inode, scratch, 10, 0), -EIO);
	check_all();
	finish();
}

static void test_gone(void)
{
	setup(24 << 20, "-b 4096", 19);
	do_write(0, 20000);
	faultdev_set_gone(dev, true);
	CU_ASSERT_EQUAL(e4_read(inode, scratch, 10, 0), -ENODEV);
	CU_ASSERT_EQUAL(e4_write(inode, scratch, 10, 0, 0), -ENODEV);
	CU_ASSERT(e4_fsync(inode, false) < 0);
	CU_ASSERT(e4_write(inode, scratch, 10, 0, 0) < 0);
	e4_iput(inode);
	CU_ASSERT(e4_unmount(fs) < 0);
	blkdev_close(dev);
}

/* Everything a file can go through, up to the first failure; 0: it is all on the medium. */
static int live(void)
{
	struct e4_attr attr = {.size = 90000};
	int r = 0;

	model_size = 0;
	memset(model, 0, sizeof(model));
	for (unsigned i = 0; r >= 0 && i < 120; i++) {
		uint64_t off = i * 3000 % 200000;

		memset(scratch, (int)i + 1, 700);
		memset(model + off, (int)i + 1, 700);
		r = (int)e4_write(inode, scratch, 700, off, 0);
		model_size = max_u64(model_size, off + 700);
	}
	if (r >= 0)
		r = e4_setattr(inode, &attr, E4_SET_SIZE);
	if (r >= 0)
		r = e4_fallocate(inode, FALLOC_FL_KEEP_SIZE, 300000, 50000);
	if (r >= 0)
		r = e4_fsync(inode, false);
	memset(model + 90000, 0, sizeof(model) - 90000);
	model_size = 90000;
	return r;
}

/* The nth transfer fails, for every n: an error, or what fsync has promised is there. */
static void test_every_fault(void)
{
	struct e4_mount_options mount = {0};
	CLEANUP_FREE uint8_t *saved = NULL;
	unsigned failed = 0, fine = 0;

	setup(4 << 20, "-b 1024 -O ^has_journal -N 64", 23);
	close_all();
	saved = malloc(mem->size_bytes);
	CU_ASSERT_FATAL(saved != NULL);
	memcpy(saved, memdev_data(mem), mem->size_bytes);
	for (unsigned i = 0; i < 3 * 150; i++) {
		bool promised = false;

		memcpy(memdev_data(mem), saved, mem->size_bytes);
		faultdev_fail_once(dev, (enum fault_op)(i % 3), 1 + i / 3, -EIO);
		if (e4_mount(dev, &mount, &fs, NULL) == 0) {
			if (e4_iget(fs, FILE_INO, &inode) == 0) {
				promised = live() == 0;
				e4_iput(inode);
			}
			/* Fine in itself, a failure here included: all has been on the medium. */
			if (e4_unmount(fs) == 0 && promised && i % 20 == 0)
				CU_ASSERT_EQUAL_FATAL(image_check(mem), 0);
		}
		failed += !promised;
		fine += promised;
		faultdev_fail_once(dev, (enum fault_op)(i % 3), 0, 0);
		if (!promised)
			continue;
		open_all();
		check_all();
		close_all();
	}
	CU_ASSERT(failed > 50);
	CU_ASSERT(fine > 50);
	memcpy(memdev_data(mem), saved, mem->size_bytes);
	open_all();
	finish();
}

int main(void)
{
	return UNIT_RUN(UNIT(test_random_1k), UNIT(test_random_2k), UNIT(test_random_4k),
		UNIT(test_random_small_inodes), UNIT(test_stale_tail), UNIT(test_out_of_order), UNIT(test_turns),
		UNIT(test_shrink_zeroes), UNIT(test_far), UNIT(test_limits), UNIT(test_no_space),
		UNIT(test_parallel_records), UNIT(test_parallel_pieces),
		UNIT(test_parallel_truncate), UNIT(test_one_read), UNIT(test_write_fails), UNIT(test_gone),
		UNIT(test_every_fault));
}
