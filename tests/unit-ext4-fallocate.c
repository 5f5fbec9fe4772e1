/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fallocate against a model in memory: bytes and sizes, and which blocks there are. The volume's
 * free blocks hold junk before, so a byte that shows through from the drive is seen.
 */
#include "ext4/extent-node.h"
#include "tests/ext4-model.h"

enum {
	KEEP = FALLOC_FL_KEEP_SIZE,
	PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	ZERO = FALLOC_FL_ZERO_RANGE,
};

static const int modes[] = {0, KEEP, PUNCH, PUNCH, ZERO, ZERO | KEEP};

static uint64_t free_blocks(void)
{
	struct e4_statfs st;

	e4_statfs(fs, &st);
	return st.blocks_free;
}

/* ---- what a range must look like afterwards -------------------------------------------------- */

static void check_blocks(uint64_t off, uint64_t end, int mode)
{
	uint64_t bytes = fs->block_bytes;
	bool punch = mode == PUNCH, zero = mode & ZERO;

	for (uint64_t at = round_down_u64(off, bytes); at < end; at += bytes) {
		bool whole = at >= off && at + bytes <= end;
		struct extent_run run;

		CU_ASSERT_EQUAL_FATAL(file_map(inode, at / bytes, &run), 0);
		if (punch && whole && at < model_size)
			CU_ASSERT_EQUAL_FATAL(run.pblk, 0);
		if (!punch)
			CU_ASSERT_FATAL(run.pblk != 0);
		if (zero && whole)
			CU_ASSERT_FATAL(run.unwritten);
	}
}

static void pick_range(uint64_t limit, uint64_t *ret_off, uint64_t *ret_len)
{
	uint32_t block = fs->block_bytes;
	uint64_t off = pick(2) ? pick((uint32_t)limit) :
				 pick((uint32_t)min_u64(model_size + 1, limit));
	uint64_t len = 1 + pick(pick(4) ? 5 * block : (uint32_t)limit / 2);

	if (pick(3) == 0)
		off = round_down_u64(off, block);
	if (pick(3) == 0)
		len = round_up_u64(len, block);
	*ret_off = off;
	*ret_len = min_u64(len, limit - off);
}

/* ---- random operations ----------------------------------------------------------------------- */

static void random_step(void)
{
	int mode = modes[pick(ARRAY_SIZE(modes))];
	uint32_t op = pick(100);
	uint64_t off, len;

	pick_range(MODEL, &off, &len);
	if (op < 40 && len) {
		do_write(off, len);
	} else if (op < 48) {
		do_size(off);
	} else if (op < 90 && len) {
		do_fallocate(off, len, mode);
		check_blocks(off, off + len, mode);
	} else {
		check_read(off, len);
	}
}

static void random_run(const char *options, unsigned new_seed)
{
	setup(24 << 20, options, new_seed);
	spread_junk();
	for (unsigned i = 1; i <= unit_times(2500, 500); i++) {
		random_step();
		if (i % 50 == 0)
			check_all();
		if (i % 500 == 0)
			reload();
	}
	check_all();
	CU_ASSERT_EQUAL(txn_overdrawn(fs), 0);
	do_size(0);
	CU_ASSERT_EQUAL(inode->blocks, 0);
	finish();
}

static void test_random_1k(void)
{
	random_run("-b 1024", 1);
}

static void test_random_4k(void)
{
	random_run("-b 4096", 2);
}

static void test_random_old_features(void)
{
	random_run("-b 1024 -I 128 -O ^metadata_csum,^64bit,^flex_bg", 3);
}

/* Block maps have holes, but nothing that is unwritten. */
static void test_block_map(void)
{
	setup(24 << 20, "-b 1024 -O ^extents,^64bit", 14);
	spread_junk();
	for (unsigned i = 1; i <= unit_times(1500, 300); i++) {
		uint64_t off, len;

		pick_range(MODEL, &off, &len);
		if (!len)
			continue;
		CU_ASSERT_EQUAL_FATAL(e4_fallocate(inode, modes[i % 2], off, len), -EOPNOTSUPP);
		CU_ASSERT_EQUAL_FATAL(e4_fallocate(inode, ZERO, off, len), -EOPNOTSUPP);
		if (i % 3) {
			do_fallocate(off, len, PUNCH);
			check_blocks(off, off + len, PUNCH);
		} else {
			do_write(off, len);
		}
		if (i % 50 == 0)
			check_all();
		if (i % 500 == 0)
			reload();
	}
	check_all();
	do_size(0);
	CU_ASSERT_EQUAL(inode->blocks, 0);
	finish();
}

/* ---- no space --------------------------------------------------------------------------------- */

static void write_what_fits(uint64_t off, uint64_t len)
{
	ssize_t n;

	for (size_t i = 0; i < len; i++)
		scratch[i] = (uint8_t)(rand_r(&seed) | 1);
	n = e4_write(inode, scratch, len, off, 0);
	CU_ASSERT_FATAL(n > 0 || n == -ENOSPC);
	if (n <= 0)
		return;
	CU_ASSERT_EQUAL_FATAL(e4_read(inode, model + off, (size_t)n, off), n);
	CU_ASSERT_EQUAL_FATAL(memcmp(model + off, scratch, (size_t)n), 0);
	model_size = max_u64(model_size, off + (uint64_t)n);
}

/* A call that fails has changed nothing. */
static bool allocate_what_fits(uint64_t off, uint64_t len, int mode)
{
	uint64_t before = free_blocks(), blocks = inode->blocks;
	int r = e4_fallocate(inode, mode, off, len);

	if (r == 0) {
		if (mode & ~KEEP)
			memset(model + off, 0, len);
		if (!(mode & KEEP))
			model_size = max_u64(model_size, off + len);
		check_blocks(off, off + len, 0 | (mode == PUNCH ? mode : 0));
		return true;
	}
	CU_ASSERT_EQUAL_FATAL(r, -ENOSPC);
	CU_ASSERT_FATAL(mode != PUNCH);
	CU_ASSERT_EQUAL_FATAL(free_blocks(), before);
	CU_ASSERT_EQUAL_FATAL(inode->blocks, blocks);
	return false;
}

/* A volume smaller than the file may become: full most of the time. */
static void random_full(const char *options, uint64_t size, unsigned new_seed)
{
	unsigned refused = 0;

	setup(size, options, new_seed);
	spread_junk();
	for (unsigned i = 1; i <= unit_times(3000, 1500); i++) {
		int mode = modes[pick(ARRAY_SIZE(modes))];
		uint32_t op = pick(100);
		uint64_t off, len;

		pick_range(MODEL, &off, &len);
		if (!len)
			continue;
		if (op < 45)
			write_what_fits(off, len);
		else if (op < 47)
			do_size(off);
		else
			refused += !allocate_what_fits(off, len, mode);
		if (i % 50 == 0)
			check_all();
		if (i % 1000 == 0)
			reload();
	}
	CU_ASSERT(refused > unit_times(100, 10));
	check_all();
	reload();
	finish();
}

static void test_full_1k(void)
{
	random_full("-b 1024 -O ^has_journal -N 16", 2 << 20, 4);
}

static void test_full_4k(void)
{
	random_full("-b 4096 -O ^has_journal -N 16", 2 << 20, 5);
}

static void test_full_no_reserve(void)
{
	random_full("-b 1024 -O ^has_journal -N 16 -m 0", 2 << 20, 6);
}

/* Root's reserve, and what trees may need besides. */
static void reserve(const char *options)
{
	struct e4_statfs st;
	uint64_t fits;

	setup(8 << 20, options, 15);
	spread_junk();
	e4_statfs(fs, &st);
	CU_ASSERT_EQUAL(st.blocks_free - st.blocks_avail, st.blocks * 10 / 100 + st.blocks / 50);
	fits = st.blocks_avail * st.block_bytes;
	CU_ASSERT_EQUAL(e4_fallocate(inode, KEEP, 0, fits + 1), -ENOSPC);
	CU_ASSERT_EQUAL(e4_fallocate(inode, KEEP, 0, fits - (64 << 10)), 0);
	do_write(0, 5000);
	CU_ASSERT_EQUAL(e4_fallocate(inode, KEEP, fits, 128 << 10), -ENOSPC);
	CU_ASSERT_EQUAL(e4_fallocate(inode, KEEP | E4_FALLOC_USE_RESERVE, fits, 128 << 10), 0);
	CU_ASSERT_EQUAL(e4_write(inode, scratch, 4096, 64ull << 20, 0), -ENOSPC);
	CU_ASSERT_EQUAL(e4_write(inode, scratch, 4096, 64ull << 20, E4_WRITE_USE_RESERVE), 4096);
	CU_ASSERT_EQUAL(e4_fallocate(inode, KEEP | E4_FALLOC_USE_RESERVE, fits, 1 << 20), -ENOSPC);
	/* Every second block of what was allocated ahead: no lack of space now. */
	for (uint64_t at = 8192; at < MODEL; at += 2 * st.block_bytes)
		do_write(at, st.block_bytes);
	CU_ASSERT_EQUAL(file_set_size(inode, model_size), 0);
	check_all();
	reload();
	finish();
}

static void test_reserve(void)
{
	reserve("-b 1024 -O ^has_journal -N 16 -m 10");
	reserve("-b 4096 -O ^has_journal -N 16 -m 10");
}

/* ---- the shape of the tree -------------------------------------------------------------------- */

/* Holes in every second block need tree blocks; freeing the rest gives all of them back. */
static void test_comb(void)
{
	uint64_t before;

	setup(24 << 20, "-b 1024", 7);
	before = free_blocks();
	do_write(0, MODEL);
	for (uint64_t at = 0; at < MODEL; at += 2048)
		do_fallocate(at, 1024, PUNCH);
	CU_ASSERT(extent_node_depth(inode->i_block) >= 2);
	check_all();
	reload();
	CU_ASSERT(inode->blocks >= MODEL / 1024);
	do_fallocate(0, MODEL, ZERO);
	check_all();
	do_write(500, 5000);
	do_fallocate(0, MODEL, PUNCH);
	CU_ASSERT_EQUAL(inode->blocks, 0);
	CU_ASSERT_EQUAL(extent_node_depth(inode->i_block), 0);
	CU_ASSERT_EQUAL(free_blocks(), before);
	check_all();
	reload();
	finish();
}

/* A gigabyte is zeroed without writing it. */
static void test_large(void)
{
	enum { GIB = 1 << 30 };
	uint64_t writes, off = 0;
	struct extent_run run;

	setup(1100u << 20, "-b 4096 -O ^has_journal -N 64 -m 0", 8);
	CU_ASSERT_EQUAL_FATAL(e4_fallocate(inode, 0, 0, GIB), 0);
	CU_ASSERT_EQUAL(file_size(inode), GIB);
	memset(scratch, 7, MODEL);
	for (off = 0; off + MODEL <= 64 << 20; off += MODEL)
		CU_ASSERT_EQUAL_FATAL(e4_write(inode, scratch, MODEL, off, 0), MODEL);
	CU_ASSERT_EQUAL(e4_sync(fs), 0);
	writes = faultdev_calls(dev, FAULT_WRITE);
	CU_ASSERT_EQUAL(e4_fallocate(inode, ZERO, 10, GIB - 20), 0);
	CU_ASSERT_EQUAL(e4_sync(fs), 0);
	CU_ASSERT(faultdev_calls(dev, FAULT_WRITE) < writes + 50);
	CU_ASSERT_EQUAL(file_map(inode, 1, &run), 0);
	CU_ASSERT(run.unwritten && run.count > 10000);
	CU_ASSERT_EQUAL(e4_read(inode, scratch, MODEL, 0), MODEL);
	CU_ASSERT(scratch[9] == 7 && bytes_all_zero(scratch + 10, MODEL - 10));
	CU_ASSERT_EQUAL(e4_fallocate(inode, PUNCH, 0, GIB), 0);
	CU_ASSERT_EQUAL(inode->blocks, 0);
	finish();
}

/* ---- the end of the file ---------------------------------------------------------------------- */

static uint64_t kib(void)
{
	return inode->blocks / 2;
}

/* What the kernel's ext4 does with blocks behind the end. */
static void test_behind_end(void)
{
	setup(24 << 20, "-b 1024", 9);
	spread_junk();
	do_write(0, 5000);
	do_fallocate(0, 100000, KEEP);
	CU_ASSERT_EQUAL(kib(), 98);
	do_fallocate(8192, 50000, PUNCH);
	CU_ASSERT_EQUAL(kib(), 98);
	do_fallocate(4000, 50000, PUNCH); /* to the end of the page that holds the end */
	CU_ASSERT_EQUAL(kib(), 94);
	do_fallocate(3000, 20000, ZERO | KEEP);
	CU_ASSERT_EQUAL(kib(), 98);
	CU_ASSERT_EQUAL(file_size(inode), 5000);
	do_fallocate(3000, 20000, ZERO);
	CU_ASSERT_EQUAL(file_size(inode), 23000);
	check_all();
	reload();
	do_size(50000);
	check_all();
	do_size(1);
	CU_ASSERT_EQUAL(kib(), 1);
	check_all();
	finish();
}

static void test_refused(void)
{
	uint64_t max = ((1ull << 32) - 1) << 10;
	struct e4_inode *root;

	setup(24 << 20, "-b 1024", 10);
	do_write(0, 5000);
	CU_ASSERT_EQUAL(e4_fallocate(inode, FALLOC_FL_PUNCH_HOLE, 0, 10), -EOPNOTSUPP);
	CU_ASSERT_EQUAL(e4_fallocate(inode, PUNCH | ZERO, 0, 10), -EOPNOTSUPP);
	CU_ASSERT_EQUAL(e4_fallocate(inode, FALLOC_FL_COLLAPSE_RANGE, 0, 1024), -EOPNOTSUPP);
	CU_ASSERT_EQUAL(e4_fallocate(inode, FALLOC_FL_INSERT_RANGE, 0, 1024), -EOPNOTSUPP);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		CU_ASSERT_EQUAL(e4_fallocate(inode, modes[i], 0, 0), -EINVAL);
		CU_ASSERT_EQUAL(e4_fallocate(inode, modes[i], max - 5, 6), -EFBIG);
		CU_ASSERT_EQUAL(e4_fallocate(inode, modes[i], UINT64_MAX, 6), -EFBIG);
		if (modes[i] != PUNCH)
			CU_ASSERT_EQUAL(e4_fallocate(inode, modes[i], 0, 1ull << 30), -ENOSPC);
	}
	CU_ASSERT_EQUAL(e4_fallocate(inode, KEEP, max - 1024, 1024), 0);
	CU_ASSERT_EQUAL(e4_fallocate(inode, PUNCH, max - 5, 5), 0);
	inode->flags |= EXT2_APPEND_FL;
	CU_ASSERT_EQUAL(e4_fallocate(inode, 0, 0, 10), 0);
	CU_ASSERT_EQUAL(e4_fallocate(inode, PUNCH, 0, 10), -EPERM);
	CU_ASSERT_EQUAL(e4_fallocate(inode, ZERO, 0, 10), -EPERM);
	inode->flags |= EXT2_IMMUTABLE_FL;
	CU_ASSERT_EQUAL(e4_fallocate(inode, 0, 0, 10), -EPERM);
	inode->flags &= ~(EXT2_APPEND_FL | EXT2_IMMUTABLE_FL);
	CU_ASSERT_EQUAL_FATAL(e4_iget(fs, E4_ROOT_INO, &root), 0);
	CU_ASSERT_EQUAL(e4_fallocate(root, 0, 0, 10), -EISDIR);
	e4_iput(root);
	check_all();
	finish();
}

/* ---- what fails ------------------------------------------------------------------------------- */

/* Up to the first failure; 0: it is all on the medium. */
static int live(void)
{
	static const struct {
		int mode;
		uint64_t off, len;
	} calls[] = {
		{0, 0, 200000}, {PUNCH, 1500, 700}, {PUNCH, 10000, 30000}, {ZERO, 100000, 150000},
		{KEEP, 0, 300000}, {PUNCH, 120000, 1}, {ZERO | KEEP, 7777, 100000},
	};
	int r = 0;

	model_size = 0;
	memset(model, 0, sizeof(model));
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(calls); i++) {
		uint64_t off = calls[i].off, len = calls[i].len;

		memset(scratch, (int)i + 1, 20000);
		memset(model + off / 2, (int)i + 1, 20000);
		r = (int)e4_write(inode, scratch, 20000, off / 2, 0);
		model_size = max_u64(model_size, off / 2 + 20000);
		if (r < 0)
			break;
		r = e4_fallocate(inode, calls[i].mode, off, len);
		if (calls[i].mode & ~KEEP)
			memset(model + off, 0, len);
		if (!(calls[i].mode & KEEP))
			model_size = max_u64(model_size, off + len);
	}
	return r < 0 ? r : e4_fsync(inode, false);
}

/* The nth transfer fails, for every n: an error, or what fsync has promised is there. */
static void test_every_fault(void)
{
	struct e4_mount_options mount = {0};
	CLEANUP_FREE uint8_t *saved = NULL;
	unsigned failed = 0, fine = 0;

	setup(4 << 20, "-b 1024 -O ^has_journal -N 64", 11);
	spread_junk();
	close_all();
	saved = malloc(mem->size_bytes);
	CU_ASSERT_FATAL(saved != NULL);
	memcpy(saved, memdev_data(mem), mem->size_bytes);
	for (unsigned i = 0; i < 3 * 60; i++) {
		bool promised = false;

		memcpy(memdev_data(mem), saved, mem->size_bytes);
		faultdev_fail_once(dev, (enum fault_op)(i % 3), 1 + i / 3, -EIO);
		if (e4_mount(dev, &mount, &fs, NULL) == 0) {
			if (e4_iget(fs, FILE_INO, &inode) == 0) {
				promised = live() == 0;
				e4_iput(inode);
			}
			if (e4_unmount(fs) == 0 && i % 5 == 0)
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
	CU_ASSERT(failed > 20);
	CU_ASSERT(fine > 20);
	memcpy(memdev_data(mem), saved, mem->size_bytes);
	open_all();
	finish();
}

/* ---- power failure ---------------------------------------------------------------------------- */

/* After the first n things that reached the drive: every byte is old, new or zero, and no junk. */
static void check_prefix(const uint8_t *start, const struct fault_record *records, size_t n,
	const uint8_t *old, uint64_t old_size)
{
	struct e4_mount_options mount = {.read_only = true};
	struct blkdev *copy;
	struct e4_inode *file;
	struct e4_fs *crashed;
	ssize_t len;

	CU_ASSERT_EQUAL_FATAL(memdev_new(mem->size_bytes, 512, &copy), 0);
	memcpy(memdev_data(copy), start, mem->size_bytes);
	for (size_t i = 0; i < n; i++)
		if (records[i].op == FAULT_WRITE)
			memcpy((uint8_t *)memdev_data(copy) + records[i].off, records[i].data,
				records[i].len);
	CU_ASSERT_EQUAL_FATAL(e4_mount(copy, &mount, &crashed, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(e4_iget(crashed, FILE_INO, &file), 0);
	len = e4_read(file, scratch, MODEL, 0);
	CU_ASSERT_FATAL(len == (ssize_t)old_size || len == (ssize_t)model_size);
	for (ssize_t i = 0; i < len; i++)
		CU_ASSERT_FATAL(!scratch[i] || scratch[i] == old[i] || scratch[i] == model[i]);
	e4_iput(file);
	CU_ASSERT_EQUAL(e4_unmount(crashed), 0);
	blkdev_close(copy);
}

static void crash_in(uint64_t off, uint64_t len, int mode)
{
	static uint8_t old[MODEL];
	uint8_t *start = malloc(mem->size_bytes);
	const struct fault_record *records;
	uint64_t old_size = model_size;
	size_t count;

	CU_ASSERT_FATAL(start != NULL);
	CU_ASSERT_EQUAL_FATAL(e4_sync(fs), 0);
	memcpy(start, memdev_data(mem), mem->size_bytes);
	memcpy(old, model, MODEL);
	faultdev_record(dev, true);
	do_fallocate(off, len, mode);
	CU_ASSERT_EQUAL_FATAL(e4_sync(fs), 0);
	do_write(off + len / 4, len / 2);
	CU_ASSERT_EQUAL_FATAL(e4_sync(fs), 0);
	records = faultdev_records(dev, &count);
	for (size_t i = 0; i <= count; i++)
		check_prefix(start, records, i, old, old_size);
	faultdev_record(dev, false);
	free(start);
}

static void test_crash(void)
{
	setup(8 << 20, "-b 1024 -O ^has_journal -N 16", 12);
	spread_junk();
	for (uint64_t at = 0; at < 300000; at += 3000)
		do_write(at, 1500);
	crash_in(1100, 200000, PUNCH);
	crash_in(1100, 300000, ZERO | KEEP);
	crash_in(250000, 100000, 0);
	crash_in(100, 200000, ZERO);
	check_all();
	finish();
}

/* ---- many threads ----------------------------------------------------------------------------- */

enum { THREADS = 4, SLOT = 9000, SLOTS = 24, ROUNDS = 400 };

/* Each thread owns every fourth slot; its neighbours share blocks with it. */
static void *disturb(void *arg)
{
	unsigned me = *(unsigned *)arg, mine = me + 99;
	uint8_t buf[SLOT];

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t off = (uint64_t)((unsigned)rand_r(&mine) % SLOTS * THREADS + me) * SLOT;
		int mode = modes[(unsigned)rand_r(&mine) % ARRAY_SIZE(modes)];
		uint8_t want = (uint8_t)(i | 1);

		memset(buf, want, SLOT);
		if (e4_write(inode, buf, SLOT, off, 0) != SLOT)
			return (void *)1;
		if (e4_fallocate(inode, mode, off + SLOT / 3, SLOT / 3) < 0)
			return (void *)1;
		if (e4_read(inode, buf, SLOT, off) != SLOT)
			return (void *)1;
		for (unsigned j = 0; j < SLOT; j++) {
			bool middle = j >= SLOT / 3 && j < SLOT / 3 * 2;

			if (buf[j] != (middle && (mode & ~KEEP) ? 0 : want))
				return (void *)1;
		}
	}
	return NULL;
}

static void test_parallel(void)
{
	unsigned numbers[THREADS];
	pthread_t threads[THREADS];

	setup(24 << 20, "-b 4096", 13);
	spread_junk();
	for (unsigned i = 0; i < THREADS; i++) {
		numbers[i] = i;
		CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, disturb, &numbers[i]) == 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		CU_ASSERT_PTR_NULL(failed);
	}
	finish();
}

int main(void)
{
	return UNIT_RUN(UNIT(test_random_1k), UNIT(test_random_4k), UNIT(test_random_old_features),
		UNIT(test_block_map), UNIT(test_full_1k), UNIT(test_full_4k), UNIT(test_full_no_reserve),
		UNIT(test_reserve), UNIT(test_comb), UNIT(test_large), UNIT(test_behind_end), UNIT(test_refused),
		UNIT(test_every_fault), UNIT(test_crash), UNIT(test_parallel));
}
