/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directories against a model: block sizes, hashes, features; many names; collisions; full volumes. */
#include <errno.h>
#include <ext2fs/ext2fs.h>

#include "ext4/dir.h"
#include "tests/dev/faultdev.h"
#include "tests/dev/image.h"
#include "tests/dev/memdev.h"
#include "tests/ext4-dir-model.h"

enum { MIB = 1 << 20 };

/* ---- random changes, all kinds of volumes ---- */

static void random_changes(
	const char *options, const char *request, unsigned names, namer fn, unsigned steps)
{
	struct volume volume;
	struct model model;
	struct e4_inode *dir;
	uint64_t random = 0x5eed + names;

	CU_ASSERT_EQUAL_FATAL(volume_make(&volume, 64 * MIB, options, request), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "dir", &dir), 0);
	model_init(&model, names, fn);
	for (unsigned i = 0; i < unit_times(steps, 500); i++)
		model_step(dir, &model, &random);
	model_compare(dir, &model, 100);
	e4_iput(dir);
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);

	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "dir", 3, &dir), 0);
	model_compare(dir, &model, 17);
	for (unsigned i = 0; i < names; i++)
		if (model.inos[i])
			model_unlink(dir, &model, i);
	model_compare(dir, &model, 1000);
	for (unsigned i = 0; i < unit_times(steps, 500) / 4; i++)
		model_step(dir, &model, &random);
	e4_iput(dir);
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	model_free(&model);
	volume_close(&volume);
}

static void test_1k(void)
{
	random_changes("-b 1024 -N 8192", NULL, 4000, name_mixed, 12000);
}

static void test_2k(void)
{
	random_changes("-b 2048 -N 8192", NULL, 3000, name_mixed, 9000);
}

static void test_4k(void)
{
	random_changes("-b 4096 -N 8192", NULL, 3000, name_mixed, 9000);
}

static void test_without_csum(void)
{
	random_changes("-b 1024 -N 8192 -O ^metadata_csum,^metadata_csum_seed", NULL, 3000,
		name_mixed, 9000);
}

static void test_block_map(void)
{
	random_changes("-t ext3 -b 1024 -N 8192", NULL, 4000, name_mixed, 12000);
}

static void test_linear(void)
{
	random_changes("-b 1024 -O ^dir_index", NULL, 600, name_mixed, 3000);
	random_changes("-b 4096 -O ^dir_index,^metadata_csum,^metadata_csum_seed", NULL, 600,
		name_mixed, 3000);
}

static void test_without_filetype(void)
{
	random_changes("-b 1024 -O ^filetype", NULL, 1000, name_mixed, 4000);
}

static void test_hash_versions(void)
{
	static const char *const requests[] = {
		"ssv def_hash_version legacy",
		"ssv def_hash_version half_md4",
		"ssv def_hash_version tea",
	};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		random_changes("-b 1024 -N 8192", requests[i], 2000, name_mixed, 6000);
}

/* The other sign of characters than mke2fs chooses here. */
static void test_hash_sign(void)
{
	random_changes("-b 1024 -N 8192", "ssv flags 2", 2000, name_mixed, 6000);
	random_changes("-b 1024 -N 8192", "ssv flags 1", 2000, name_mixed, 6000);
}

static void test_collisions(void)
{
	ext2_dirhash_t first, other, minor;
	char name[256];
	const __u32 seed[4] = {1, 2, 3, 4};

	name_tea(0, name);
	CU_ASSERT_EQUAL(
		ext2fs_dirhash(EXT2_HASH_TEA_UNSIGNED, name, TEA_NAME_BYTES, seed, &first, &minor),
		0);
	name_tea(0xa5b7, name);
	CU_ASSERT_EQUAL(
		ext2fs_dirhash(EXT2_HASH_TEA_UNSIGNED, name, TEA_NAME_BYTES, seed, &other, &minor),
		0);
	CU_ASSERT_EQUAL(first, other); /* else this test tests nothing */
	random_changes("-b 1024 -N 8192", "ssv def_hash_version tea", 1500, name_tea, 5000);
}

static void test_longest_names(void)
{
	random_changes("-b 1024 -N 8192", NULL, 3000, name_long, 6000);
}

/* ---- many names ---- */

static void test_hundred_thousand(void)
{
	enum { LOOKUPS = 1000, PER_CALL = 200 };
	const unsigned COUNT = unit_times(100000, 10000);
	struct volume volume;
	struct model model;
	struct e4_inode *dir;
	struct blkdev *fault;
	uint64_t random = 99, reads;

	CU_ASSERT_EQUAL_FATAL(volume_make(&volume, 200 * MIB, "-b 4096 -N 110000", NULL), 0);
	CU_ASSERT_EQUAL(volume_unmount(&volume), 0);
	CU_ASSERT_EQUAL_FATAL(faultdev_new(volume.dev, &fault), 0);
	volume.top = fault;
	CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "dir", &dir), 0);
	model_init(&model, COUNT, name_mixed);
	for (unsigned i = 0; i < COUNT; i++)
		model_create(dir, &model, i);
	e4_iput(dir);
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);

	/* With next to no cache a look-up costs an index block per level, a leaf, the inode. */
	CU_ASSERT_EQUAL(volume_unmount(&volume), 0);
	volume.cache_bytes = 1;
	CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "dir", 3, &dir), 0);
	reads = faultdev_calls(fault, FAULT_READ);
	for (unsigned i = 0; i < LOOKUPS; i++) {
		unsigned n = volume_random(&random, COUNT);

		CU_ASSERT_EQUAL(volume_ino(dir, model.names[n]), model.inos[n]);
	}
	CU_ASSERT(faultdev_calls(fault, FAULT_READ) - reads < LOOKUPS * 8);

	/* Listing reads every leaf about once, however many calls it takes. */
	unsigned *order = model_sorted(&model);
	struct reader l = {.model = &model, .order = order, .take = PER_CALL};
	unsigned calls = 1, bad = 0;
	struct e4_attr attr;

	e4_getattr(dir, &attr);
	memset(model.seen, 0, COUNT * sizeof(*model.seen));
	reads = faultdev_calls(fault, FAULT_READ);
	while (list_step(dir, &l))
		calls++;
	CU_ASSERT(calls <= COUNT / PER_CALL + 2);
	CU_ASSERT(faultdev_calls(fault, FAULT_READ) - reads < attr.size / 4096 + 4 * calls);
	for (unsigned i = 0; i < COUNT; i++)
		bad += model.seen[i] != 1;
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT_EQUAL(l.wrong + l.unknown, 0);
	free(order);
	e4_iput(dir);
	CU_ASSERT_EQUAL(volume_unmount(&volume), 0);
	volume.cache_bytes = 0;
	CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);

	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "dir", 3, &dir), 0);
	for (unsigned i = 0; i < COUNT; i += 2)
		model_unlink(dir, &model, i);
	model_compare(dir, &model, 1000);
	e4_iput(dir);
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	model_free(&model);
	volume_close(&volume);
}

/* Fills the index of a volume with small blocks. */
static unsigned fill_index(struct volume *volume, const char *options, unsigned max, int *ret_err)
{
	struct e4_inode *dir, *inode;
	struct e4_create what = {.mode = S_IFREG | 0644};
	char name[256];
	unsigned i = 0;
	int r = volume_make(volume, 120 * MIB, options, NULL);

	CU_ASSERT_EQUAL_FATAL(r, 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume->root, "dir", &dir), 0);
	CU_ASSERT_EQUAL_FATAL(e4_create(dir, "first", 5, &what, &inode), 0);
	/* links instead of files: 64000 to one inode */
	for (; r == 0 && i < max; i++) {
		if (i % 60000 == 59999) {
			e4_iput(inode);
			name_long(max + i, name);
			CU_ASSERT_EQUAL_FATAL(e4_create(dir, name, 255, &what, &inode), 0);
		}
		name_long(i, name);
		r = e4_link(inode, dir, name, 255, false);
	}
	e4_iput(inode);
	for (unsigned n = 0; n + 1 < i; n += 97) {
		name_long(n, name);
		CU_ASSERT(volume_ino(dir, name) > 0);
	}
	e4_iput(dir);
	*ret_err = r;
	return i;
}

static void test_index_full(void)
{
	struct volume volume;
	int r;
	unsigned fit = fill_index(&volume, "-b 1024", 120000, &r);

	CU_ASSERT_EQUAL(r, -ENOSPC);
	CU_ASSERT(fit > 15000);
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	volume_close(&volume);

	/* large_dir has one level more */
	fit = fill_index(&volume, "-b 1024 -O large_dir", fit + 20000, &r);
	CU_ASSERT_EQUAL(r, 0);
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	volume_close(&volume);
}

/* ---- the volume is full ---- */

static void test_no_space(void)
{
	struct volume volume;
	struct e4_statfs before, after;
	struct e4_inode *dir;
	char name[256];
	unsigned files = 0, dirs = 0;
	int r;

	CU_ASSERT_EQUAL_FATAL(
		volume_make(&volume, 2 * MIB, "-b 1024 -N 4096 -m 0 -O ^has_journal", NULL), 0);
	e4_statfs(volume.fs, &before);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "dir", &dir), 0);
	do {
		name_long(files++, name);
		r = volume_create(dir, name, S_IFREG | 0644);
	} while (r == 0);
	CU_ASSERT_EQUAL(r, -ENOSPC);
	do {
		snprintf(name, sizeof(name), "d%u", dirs++);
		r = volume_create(dir, name, S_IFDIR | 0755);
	} while (r == 0);
	CU_ASSERT_EQUAL(r, -ENOSPC);
	CU_ASSERT_EQUAL(volume_ino(dir, name), -ENOENT);
	CU_ASSERT_EQUAL(volume_nlink(dir), 2 + dirs - 1);

	/* a failed creation took no inode and no block */
	struct e4_statfs full;

	CU_ASSERT_EQUAL(e4_sync(volume.fs), 0);
	e4_statfs(volume.fs, &full);
	CU_ASSERT_EQUAL(volume_create(dir, name, S_IFDIR | 0755), -ENOSPC);
	CU_ASSERT_EQUAL(e4_sync(volume.fs), 0);
	e4_statfs(volume.fs, &after);
	CU_ASSERT_EQUAL(full.blocks_free, after.blocks_free);
	CU_ASSERT_EQUAL(full.inodes_free, after.inodes_free);
	e4_iput(dir);
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);

	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "dir", 3, &dir), 0);
	for (unsigned i = 0; i + 1 < files; i++) {
		name_long(i, name);
		CU_ASSERT_EQUAL(volume_unlink(dir, name), 0);
	}
	for (unsigned i = 0; i + 1 < dirs; i++) {
		snprintf(name, sizeof(name), "d%u", i);
		CU_ASSERT_EQUAL(volume_rmdir(dir, name), 0);
	}
	e4_iput(dir);
	CU_ASSERT_EQUAL(volume_rmdir(volume.root, "dir"), 0);
	CU_ASSERT_EQUAL(e4_sync(volume.fs), 0);
	e4_statfs(volume.fs, &after);
	CU_ASSERT_EQUAL(before.blocks_free, after.blocks_free);
	CU_ASSERT_EQUAL(before.inodes_free, after.inodes_free);
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	volume_close(&volume);
}

/* Directories in their inodes, as mke2fs makes them. */
static void test_inline(void)
{
	struct volume volume;
	struct e4_inode *dir;
	struct model model;
	char path[] = "/tmp/sealdrive-dir-XXXXXX", text[400];

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(path));
	snprintf(text, sizeof(text), "cd %s && mkdir d && touch d/n0 d/n1 d/n2", path);
	CU_ASSERT_EQUAL(system(text), 0);
	snprintf(text, sizeof(text), "-b 4096 -I 256 -O inline_data -d %s", path);
	CU_ASSERT_EQUAL_FATAL(volume_make(&volume, 16 * MIB, text, NULL), 0);
	snprintf(text, sizeof(text), "rm -r %s", path);
	CU_ASSERT_EQUAL(system(text), 0);

	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "d", 1, &dir), 0);
	CU_ASSERT(dir->flags & EXT4_INLINE_DATA_FL);
	model_init(&model, 5, name_short);
	for (unsigned i = 0; i < 3; i++)
		model.inos[i] = (uint32_t)volume_ino(dir, model.names[i]);
	model_compare(dir, &model, 1);
	model_compare(dir, &model, 10);
	CU_ASSERT_EQUAL(volume_ino(dir, ".."), E4_ROOT_INO);
	model_create(dir, &model, 3);
	model_unlink(dir, &model, 1);
	CU_ASSERT(dir->flags & EXT4_INLINE_DATA_FL);
	model_compare(dir, &model, 1);
	model_free(&model);
	e4_iput(dir);
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	volume_close(&volume);
}

/* Few names: they stay inline; more: they do not, or come back to no entries in a block. */
static void test_inline_changes(void)
{
	static const char *const options[] = {
		"-b 1024 -I 256 -O inline_data",
		"-b 4096 -I 256 -O inline_data,^dir_index",
		"-b 1024 -I 512 -O inline_data,^metadata_csum,^metadata_csum_seed",
		"-b 1024 -I 1024 -O inline_data",
		"-b 2048 -I 512 -O inline_data,^filetype",
		"-b 1024 -I 256 -O inline_data,^extent,^64bit",
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		random_changes(options[i], NULL, 4, name_short, 600);
		random_changes(options[i], NULL, 20, name_mixed, 600);
		random_changes(options[i], NULL, 500, name_mixed, 1500);
	}
}

int main(void)
{
	return UNIT_RUN(UNIT(test_1k), UNIT(test_2k), UNIT(test_4k), UNIT(test_without_csum),
		UNIT(test_block_map), UNIT(test_linear), UNIT(test_without_filetype),
		UNIT(test_hash_versions), UNIT(test_hash_sign), UNIT(test_collisions),
		UNIT(test_longest_names), UNIT(test_hundred_thousand), UNIT(test_index_full),
		UNIT(test_no_space), UNIT(test_inline), UNIT(test_inline_changes));
}
