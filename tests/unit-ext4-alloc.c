/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The allocators against a model, on volumes of many kinds made over old content. dumpe2fs says what
 * is free on the drive; e2fsck judges when everything has been given back.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ext4/balloc.h"
#include "ext4/ialloc.h"
#include "ext4/journal.h"
#include "tests/dev/faultdev.h"
#include "tests/dev/image.h"
#include "tests/dev/memdev.h"
#include "tests/unit.h"

enum { RUNS = 4096, NUMBERS = 4096 };

struct owned {
	uint64_t start;
	uint32_t count; /* of blocks; of an inode: 1 for a folder */
};

static struct blkdev *mem, *dev;
static struct e4_fs *fs;
static uint8_t *block_free, *inode_free; /* a byte each: as a model, 1 is free */
static uint64_t *block_freed, *inode_freed; /* transaction that freed it */
static struct owned runs[RUNS], numbers[NUMBERS];
static unsigned run_count, number_count, seed;

static uint32_t pick(uint32_t limit)
{
	return (uint32_t)rand_r(&seed) % limit;
}

/* ---- what is free on the drive ---------------------------------------------------------- */

static void set_ranges(const char *at, uint8_t *bytes, uint64_t limit)
{
	unsigned long long first, last;
	int n;

	for (; sscanf(at, " %llu%n", &first, &n) == 1; at += *at == ',') {
		at += n;
		last = first;
		if (sscanf(at, "-%llu%n", &last, &n) == 1)
			at += n;
		CU_ASSERT_FATAL(first <= last && last < limit);
		memset(bytes + first, 1, last - first + 1);
	}
}

static void read_free(uint8_t *blocks, uint8_t *inodes)
{
	char path[] = "/tmp/sealdrive-alloc-XXXXXX", command[128];
	CLEANUP_FREE char *line = NULL;
	size_t room = 0;
	int fd = mkstemp(path);
	FILE *f;

	CU_ASSERT_FATAL(fd >= 0);
	close(fd);
	CU_ASSERT_EQUAL_FATAL(image_save(mem, path), 0);
	snprintf(command, sizeof(command), "dumpe2fs %s 2>/dev/null", path);
	f = popen(command, "r");
	CU_ASSERT_FATAL(f != NULL);
	memset(blocks, 0, fs->blocks_count);
	memset(inodes, 0, fs->inodes_count + 1ull);
	while (getline(&line, &room, f) > 0) {
		if (strncmp(line, "  Free blocks: ", 15) == 0)
			set_ranges(line + 15, blocks, fs->blocks_count);
		if (strncmp(line, "  Free inodes: ", 15) == 0)
			set_ranges(line + 15, inodes, fs->inodes_count + 1ull);
	}
	CU_ASSERT_EQUAL(pclose(f), 0);
	unlink(path);
}

static uint64_t count_free(const uint8_t *bytes, uint64_t count)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < count; i++)
		n += bytes[i];
	return n;
}

/* Drive, counters and model agree. */
static void compare(void)
{
	CLEANUP_FREE uint8_t *blocks = malloc(fs->blocks_count);
	CLEANUP_FREE uint8_t *inodes = malloc(fs->inodes_count + 1ull);
	struct e4_statfs st;

	CU_ASSERT_EQUAL_FATAL(txn_drain(fs), 0);
	read_free(blocks, inodes);
	CU_ASSERT_EQUAL(memcmp(blocks, block_free, fs->blocks_count), 0);
	CU_ASSERT_EQUAL(memcmp(inodes, inode_free, fs->inodes_count + 1ull), 0);
	e4_statfs(fs, &st);
	CU_ASSERT_EQUAL(st.blocks_free, count_free(block_free, fs->blocks_count));
	CU_ASSERT_EQUAL(st.inodes_free, count_free(inode_free, fs->inodes_count + 1ull));
}

/* ---- set-up ----------------------------------------------------------------------------- */

static void mount(void)
{
	struct e4_mount_options options = {.cache_bytes = 1};

	CU_ASSERT_EQUAL_FATAL(e4_mount(dev, &options, &fs, NULL), 0);
	CU_ASSERT_PTR_NULL_FATAL(e4_read_only_reason(fs));
}

static void setup(uint64_t size, const char *options, unsigned new_seed)
{
	seed = new_seed;
	run_count = number_count = 0;
	CU_ASSERT_EQUAL_FATAL(image_make_over_junk(size, options, &mem), 0);
	CU_ASSERT_EQUAL_FATAL(faultdev_new(mem, &dev), 0);
	mount();
	block_free = malloc(fs->blocks_count);
	inode_free = malloc(fs->inodes_count + 1ull);
	block_freed = calloc(fs->blocks_count, sizeof(*block_freed));
	inode_freed = calloc(fs->inodes_count + 1ull, sizeof(*inode_freed));
	CU_ASSERT_FATAL(block_free && inode_free && block_freed && inode_freed);
	read_free(block_free, inode_free);
}

static void drop(void)
{
	free(block_free);
	free(inode_free);
	free(block_freed);
	free(inode_freed);
	blkdev_close(dev);
}

/* ---- operations ------------------------------------------------------------------------- */

static int take_blocks(uint32_t wanted, uint64_t goal)
{
	struct balloc_request request = {
		.goal = goal,
		.ino = 1 + pick(fs->inodes_count),
		.wanted = wanted,
		.for_tree = true,
	};
	struct owned *run = &runs[run_count];
	struct handle h;
	int r = handle_begin(fs, BALLOC_CREDITS, &h);

	CU_ASSERT_EQUAL_FATAL(r, 0);
	r = balloc_alloc(&h, &request, &run->start, &run->count);
	CU_ASSERT_FATAL(r == 0 || r == -ENOSPC);
	if (r == 0) {
		CU_ASSERT_FATAL(run->count >= 1 && run->count <= wanted);
		for (uint32_t i = 0; i < run->count; i++) {
			CU_ASSERT_EQUAL_FATAL(block_free[run->start + i], 1);
			/* not before the transaction that freed it is on the drive */
			CU_ASSERT_NOT_EQUAL_FATAL(block_freed[run->start + i], h.txn_id);
			block_free[run->start + i] = 0;
		}
		run_count++;
	}
	handle_end(&h);
	return r;
}

static void give_blocks(unsigned at)
{
	struct owned *run = &runs[at];
	struct handle h;
	/* often only the tail, as truncation does */
	uint32_t count = pick(3) ? run->count : 1 + pick(run->count);
	uint64_t start = run->start + run->count - count;

	CU_ASSERT_EQUAL_FATAL(handle_begin(fs, BALLOC_CREDITS, &h), 0);
	CU_ASSERT_EQUAL_FATAL(balloc_free(&h, start, count, pick(2)), 0);
	for (uint32_t i = 0; i < count; i++) {
		block_free[start + i] = 1;
		block_freed[start + i] = h.txn_id;
	}
	handle_end(&h);
	run->count -= count;
	if (run->count == 0)
		*run = runs[--run_count];
}

static int take_inode(bool folder)
{
	struct owned *number = &numbers[number_count];
	uint32_t ino, offset;
	struct handle h;
	struct buf *buf;
	int r = handle_begin(fs, IALLOC_CREDITS, &h);

	CU_ASSERT_EQUAL_FATAL(r, 0);
	r = ialloc_alloc(&h, pick(2) ? E4_ROOT_INO : 1 + pick(fs->inodes_count), folder, &ino);
	CU_ASSERT_FATAL(r == 0 || r == -ENOSPC);
	if (r == 0) {
		CU_ASSERT_EQUAL_FATAL(inode_free[ino], 1);
		CU_ASSERT_NOT_EQUAL_FATAL(inode_freed[ino], h.txn_id);
		inode_free[ino] = 0;
		*number = (struct owned){ino, folder};
		number_count++;
		/* nothing old is in the record of a number that was never used */
		CU_ASSERT_EQUAL_FATAL(ialloc_table_block(fs, ino, &buf, &offset), 0);
		CU_ASSERT(bytes_all_zero(buf->data + offset, fs->inode_bytes));
		buf_put(buf);
	}
	handle_end(&h);
	return r;
}

static void give_inode(unsigned at)
{
	uint32_t ino = (uint32_t)numbers[at].start;
	struct handle h;
	bool used;

	CU_ASSERT_EQUAL(ialloc_in_use(fs, ino, &used), 0);
	CU_ASSERT(used);
	CU_ASSERT_EQUAL_FATAL(handle_begin(fs, IALLOC_CREDITS, &h), 0);
	CU_ASSERT_EQUAL_FATAL(ialloc_free(&h, ino, numbers[at].count), 0);
	inode_free[ino] = 1;
	inode_freed[ino] = h.txn_id;
	handle_end(&h);
	CU_ASSERT_EQUAL(ialloc_in_use(fs, ino, &used), 0);
	CU_ASSERT(!used);
	numbers[at] = numbers[--number_count];
}

static void some_operations(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint32_t op = pick(8);

		if (op < 3 && run_count < RUNS)
			(void)!take_blocks(1 + pick(pick(2) ? 8 : 3000),
				pick(2) ? 0 : pick((uint32_t)fs->blocks_count));
		else if (op < 5 && run_count)
			give_blocks(pick(run_count));
		else if (op < 7 && number_count < NUMBERS)
			(void)!take_inode(pick(3) == 0);
		else if (number_count)
			give_inode(pick(number_count));
	}
}

/* Everything there is, to the last block and inode; then nothing more; then all is given back. */
static void fill_and_empty(void)
{
	while (run_count < RUNS && take_blocks(fs->blocks_per_group, 0) == 0)
		;
	CU_ASSERT_FATAL(run_count < RUNS);
	CU_ASSERT_EQUAL_FATAL(e4_sync(fs), 0);
	while (run_count < RUNS && take_blocks(fs->blocks_per_group, 0) == 0)
		;
	while (number_count < NUMBERS && take_inode(pick(2)) == 0)
		;
	CU_ASSERT_EQUAL_FATAL(e4_sync(fs), 0);
	while (number_count < NUMBERS && take_inode(pick(2)) == 0)
		;
	CU_ASSERT_EQUAL(count_free(block_free, fs->blocks_count), 0);
	CU_ASSERT(number_count == NUMBERS || !count_free(inode_free, fs->inodes_count + 1ull));
	compare();
	while (run_count)
		give_blocks(pick(run_count));
	while (number_count)
		give_inode(pick(number_count));
}

static void run_volume(uint64_t size, const char *options, unsigned new_seed)
{
	uint64_t blocks, inodes;

	printf("# %s\n", options);
	setup(size, options, new_seed);
	blocks = count_free(block_free, fs->blocks_count);
	inodes = count_free(inode_free, fs->inodes_count + 1ull);
	for (unsigned i = 0; i < 4; i++) {
		some_operations(250);
		compare();
		if (i != 1)
			continue;
		CU_ASSERT_EQUAL(e4_unmount(fs), 0);
		mount();
		memset(block_freed, 0, fs->blocks_count * sizeof(*block_freed));
		memset(inode_freed, 0, (fs->inodes_count + 1ull) * sizeof(*inode_freed));
	}
	fill_and_empty();
	CU_ASSERT_EQUAL(count_free(block_free, fs->blocks_count), blocks);
	CU_ASSERT_EQUAL(count_free(inode_free, fs->inodes_count + 1ull), inodes);
	compare();
	CU_ASSERT_EQUAL(txn_overdrawn(fs), 0);
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	CU_ASSERT_EQUAL(image_check(mem), 0);
	drop();
}

static void test_kinds(void)
{
	static const char *const options[] = {
		"-b 1024 -N 2000",
		"-b 2048 -N 2000",
		"-b 4096 -N 2000",
		"-b 1024 -N 2000 -O ^metadata_csum,uninit_bg",
		"-b 4096 -N 2000 -O ^metadata_csum,uninit_bg,^64bit",
		"-b 1024 -N 2000 -O ^metadata_csum,^uninit_bg",
		"-b 1024 -N 2000 -O ^64bit",
		"-b 2048 -N 2000 -O ^flex_bg",
		"-b 1024 -N 2000 -O ^sparse_super,^resize_inode",
		"-b 1024 -N 2000 -O ^resize_inode",
		"-b 1024 -N 2000 -O ^resize_inode,meta_bg",
		"-b 1024 -N 2000 -O ^resize_inode,meta_bg,^flex_bg,^64bit -g 512",
		"-b 1024 -N 2000 -O sparse_super2 -g 1024",
		"-b 1024 -N 2000 -O none -I 128",
		"-b 1024 -r 0 -O none -I 128 -N 2000",
		"-b 4096 -N 2000 -O none -I 128",
		"-b 1024 -g 256 -G 64 -N 2000",
		"-b 1024 -g 1024 -N 16 -I 128",
	};

	/* 20 MiB and a bit: the last group is short in all of them */
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++)
		run_volume((20 << 20) + 700 * 1024, options[i], i + 1);
}

/* ---- failures --------------------------------------------------------------------------- */

/* Reads fail one after the other: what fails has changed nothing, and the next try succeeds. */
static void test_read_errors(void)
{
	setup(20 << 20, "-b 1024 -g 256 -N 2000", 5);
	for (unsigned i = 0; i < 300; i++) {
		struct balloc_request request = {
			.goal = 1 + pick((uint32_t)fs->blocks_count - 1), .wanted = 1 + pick(300)};
		struct owned *run = &runs[run_count];
		struct handle h;
		uint32_t ino;
		int r;

		CU_ASSERT_EQUAL_FATAL(handle_begin(fs, 3 * BALLOC_CREDITS + IALLOC_CREDITS, &h), 0);
		faultdev_fail_from(dev, FAULT_READ, 1 + pick(3), -EIO);
		r = balloc_alloc(&h, &request, &run->start, &run->count);
		CU_ASSERT_FATAL(r == 0 || r == -EIO);
		if (r == 0) {
			memset(block_free + run->start, 0, run->count);
			run_count++;
		}
		faultdev_fail_from(dev, FAULT_READ, 1 + pick(3), -EIO);
		r = ialloc_alloc(&h, 1 + pick(fs->inodes_count), false, &ino);
		CU_ASSERT_FATAL(r == 0 || r == -EIO);
		if (r == 0) {
			inode_free[ino] = 0;
			numbers[number_count++] = (struct owned){ino, 0};
		}
		if (run_count > 20) {
			unsigned at = pick(run_count);

			faultdev_fail_from(dev, FAULT_READ, 1 + pick(3), -EIO);
			r = balloc_free(&h, runs[at].start, runs[at].count, false);
			CU_ASSERT_FATAL(r == 0 || r == -EIO);
			if (r == 0) {
				memset(block_free + runs[at].start, 1, runs[at].count);
				runs[at] = runs[--run_count];
			}
		}
		if (number_count > 20) {
			unsigned at = pick(number_count);

			faultdev_fail_from(dev, FAULT_READ, 1 + pick(3), -EIO);
			r = ialloc_free(&h, (uint32_t)numbers[at].start, false);
			CU_ASSERT_FATAL(r == 0 || r == -EIO);
			if (r == 0) {
				inode_free[numbers[at].start] = 1;
				numbers[at] = numbers[--number_count];
			}
		}
		faultdev_fail_from(dev, FAULT_READ, 0, 0);
		handle_end(&h);
		CU_ASSERT_PTR_NULL_FATAL(e4_read_only_reason(fs));
		if (i % 20 == 0)
			compare();
	}
	compare();
	while (run_count)
		give_blocks(0);
	while (number_count)
		give_inode(0);
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	CU_ASSERT_EQUAL(image_check(mem), 0);
	drop();
}

/* Nothing has changed but what a failed volume says of itself in the journal's super block, at `said`. */
static void compare_failed(uint8_t *before, uint64_t said)
{
	const uint8_t *data = memdev_data(mem);

	CU_ASSERT_NOT_EQUAL(memcmp(before + said, data + said, 1024), 0);
	memcpy(before + said, data + said, 1024);
	CU_ASSERT_EQUAL(memcmp(before, data, mem->size_bytes), 0);
}

/* A run over two groups whose second half cannot be freed: nobody gets the first half. */
static void test_half_freed(void)
{
	uint64_t first, said;
	struct handle h;
	struct e4_statfs st;
	CLEANUP_FREE uint8_t *before = NULL;

	setup(20 << 20, "-b 1024 -g 512 -N 2000", 6);
	first = group_first_block(fs, 20) - 100;
	CU_ASSERT_EQUAL_FATAL(take_blocks(100, first), 0);
	CU_ASSERT_EQUAL_FATAL(runs[0].start, first);
	CU_ASSERT_EQUAL_FATAL(runs[0].count, 100);
	CU_ASSERT_EQUAL_FATAL(take_blocks(100, first + 100), 0);
	CU_ASSERT_EQUAL_FATAL(runs[1].start, first + 100);
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	mount();
	CU_ASSERT_EQUAL_FATAL(e4_sync(fs), 0);
	e4_statfs(fs, &st);
	before = malloc(mem->size_bytes);
	CU_ASSERT_FATAL(before != NULL);
	memcpy(before, memdev_data(mem), mem->size_bytes);
	CU_ASSERT_EQUAL_FATAL(handle_begin(fs, 2 * BALLOC_CREDITS, &h), 0);
	/* each try gets one block further: descriptors, the first group's bitmap, the second's */
	for (unsigned n = 0; !e4_is_read_only(fs) && n < 5; n++) {
		faultdev_fail_from(dev, FAULT_READ, 2, -EIO);
		CU_ASSERT(balloc_free(&h, first, 200, false) < 0);
	}
	faultdev_fail_from(dev, FAULT_READ, 0, 0);
	handle_end(&h);
	CU_ASSERT(e4_is_read_only(fs));
	CU_ASSERT_EQUAL(e4_sync(fs), -EIO);
	said = fs_blocks_to_bytes(fs, journal_block(fs->journal, 0));
	CU_ASSERT_EQUAL(memcmp(before, memdev_data(mem), mem->size_bytes), 0);
	CU_ASSERT_EQUAL(e4_unmount(fs), -EIO);
	compare_failed(before, said);
	drop();
}

/* Freeing what is no file's is damage, and nothing reaches the drive. */
static void damaged_by(const char *what, uint64_t (*block)(void), uint32_t count)
{
	CLEANUP_FREE uint8_t *before = NULL;
	const uint8_t *data;
	struct handle h;
	uint64_t said;

	printf("# %s\n", what);
	setup(20 << 20, "-b 1024 -g 1024 -N 2000", 7);
	/* what mounting has changed is committed soon, by another thread */
	CU_ASSERT_EQUAL_FATAL(e4_sync(fs), 0);
	before = malloc(mem->size_bytes);
	CU_ASSERT_FATAL(before != NULL);
	memcpy(before, memdev_data(mem), mem->size_bytes);
	CU_ASSERT_EQUAL_FATAL(handle_begin(fs, 8 * BALLOC_CREDITS, &h), 0);
	CU_ASSERT_EQUAL(balloc_free(&h, block(), count, false), -EUCLEAN);
	handle_end(&h);
	CU_ASSERT(e4_is_read_only(fs));
	CU_ASSERT_EQUAL(e4_sync(fs), -EUCLEAN);
	CU_ASSERT_EQUAL(memcmp(before, memdev_data(mem), mem->size_bytes), 0);
	said = fs_blocks_to_bytes(fs, journal_block(fs->journal, 0));
	CU_ASSERT_EQUAL(e4_unmount(fs), -EUCLEAN);
	/* all that changed is the state in the super blocks */
	data = memdev_data(mem);
	CU_ASSERT_EQUAL(data[1024 + 58], EXT2_ERROR_FS);
	memcpy(before + 1024, data + 1024, 1024);
	compare_failed(before, said);
	drop();
}

static uint64_t super_block(void)
{
	return fs->first_data_block;
}

static uint64_t descriptors(void)
{
	return fs->first_data_block + 1;
}

static uint64_t backup(void)
{
	return group_first_block(fs, 3);
}

static struct group_desc desc_of(uint32_t index)
{
	struct group_desc d;

	CU_ASSERT_EQUAL_FATAL(group_desc_load(fs, index, &d), 0);
	return d;
}

static uint64_t bitmap(void)
{
	return desc_of(2).block_bitmap;
}

static uint64_t table(void)
{
	return desc_of(1).inode_table + 3;
}

static uint64_t free_block(void)
{
	return fs->blocks_count - 20;
}

static uint64_t behind_end(void)
{
	return fs->blocks_count - 10;
}

static void test_damage(void)
{
	damaged_by("super block", super_block, 1);
	damaged_by("descriptors", descriptors, 1);
	damaged_by("backup of the super block", backup, 1);
	damaged_by("bitmap", bitmap, 1);
	damaged_by("inode table", table, 1);
	damaged_by("what is free", free_block, 1);
	damaged_by("behind the end", behind_end, 20);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_kinds), UNIT(test_read_errors), UNIT(test_half_freed),
		UNIT(test_damage));
}
