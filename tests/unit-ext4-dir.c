/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directories against a model: block sizes, hashes, features; many names; collisions; listing
 * while others change; damage. */
#include <dirent.h>
#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <ext2fs/ext3_extents.h>

#include "ext4/dir.h"
#include "ext4/extent.h"
#include "ext4/listing.h"
#include "tests/dev/faultdev.h"
#include "tests/dev/image.h"
#include "tests/dev/memdev.h"
#include "tests/dev/volume.h"
#include "tests/unit.h"

enum {
	MIB = 1 << 20,
	TEA_NAME_BYTES = 128,
};

/* ---- a model of one directory ---- */

struct model {
	char (*names)[256];
	uint32_t *inos; /* 0: not there */
	unsigned *seen;
	unsigned count;
};

typedef void (*namer)(unsigned i, char name[256]);

/* All lengths; some ASCII, some Vietnamese, some no text at all (characters above 127 show
 * whether signed and unsigned hashes are kept apart). */
static void name_mixed(unsigned i, char name[256])
{
	static const char *const words[] = {"tệp-", "ảnh_", "file", "Đường.", "\xff\x80\xc1"};
	unsigned length = i % 7 == 0 ? 255 : 10 + i * 37 % 90;
	unsigned n = (unsigned)snprintf(name, 256, "%s%u", words[i % ARRAY_SIZE(words)], i);

	while (n < length)
		name[n++] = i % 3 ? 'x' : (char)0x9e;
	name[n] = 0;
}

static void name_long(unsigned i, char name[256])
{
	memset(name, 'n', 255);
	name[255] = 0;
	name[snprintf(name, 256, "%u", i)] = '-';
}

/* The TEA hash does not change when the top bits of the first and third, or of the fifth and
 * seventh, byte of a word pair flip together; eight such blocks make 65536 names of one hash. */
static void name_tea(unsigned i, char name[256])
{
	memset(name, 'c', TEA_NAME_BYTES);
	name[TEA_NAME_BYTES] = 0;
	for (unsigned bit = 0; bit < 16; bit++)
		if (i >> bit & 1) {
			name[bit * 8] ^= 0x80;
			name[bit * 8 + 4] ^= 0x80;
		}
}

static void model_init(struct model *model, unsigned count, namer fn)
{
	model->names = calloc(count, sizeof(*model->names));
	model->inos = calloc(count, sizeof(*model->inos));
	model->seen = calloc(count, sizeof(*model->seen));
	model->count = count;
	for (unsigned i = 0; i < count; i++)
		fn(i, model->names[i]);
}

static void model_free(struct model *model)
{
	free(model->names);
	free(model->inos);
	free(model->seen);
}

static const struct model *sort_model;

static int by_name(const void *a, const void *b)
{
	return strcmp(
		sort_model->names[*(const unsigned *)a], sort_model->names[*(const unsigned *)b]);
}

/* Index of names in byte order, to find what a listing gives. */
static unsigned *model_sorted(const struct model *model)
{
	unsigned *order = calloc(model->count, sizeof(*order));

	for (unsigned i = 0; i < model->count; i++)
		order[i] = i;
	sort_model = model;
	qsort(order, model->count, sizeof(*order), by_name);
	return order;
}

struct reader {
	struct model *model;
	const unsigned *order;
	unsigned take; /* entries per call */
	unsigned taken, unknown, wrong, dots;
	uint64_t cookie, reads;
};

static bool list_one(void *ctx, const struct e4_dirent *entry)
{
	struct reader *l = ctx;
	unsigned low = 0, high = l->model->count;
	char name[256];

	if (l->taken == l->take)
		return true;
	l->taken++;
	l->cookie = entry->next_cookie;
	memcpy(name, entry->name, entry->name_len);
	name[entry->name_len] = 0;
	if (!strcmp(name, ".") || !strcmp(name, "..")) {
		l->dots++;
		return false;
	}
	while (low < high) {
		unsigned middle = (low + high) / 2;
		int order = strcmp(name, l->model->names[l->order[middle]]);

		if (order == 0) {
			unsigned i = l->order[middle];

			l->model->seen[i]++;
			l->wrong += l->model->inos[i] && entry->ino != l->model->inos[i];
			return false;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	l->unknown += strcmp(name, "lost+found") != 0;
	return false;
}

/* One call; false: nothing more. */
static bool list_step(struct e4_inode *dir, struct reader *l)
{
	l->taken = 0;
	CU_ASSERT_EQUAL_FATAL(e4_readdir(dir, l->cookie, list_one, l), 0);
	return l->taken == l->take;
}

/* The directory lists exactly what the model holds. */
static void model_list(struct e4_inode *dir, struct model *model, unsigned take)
{
	unsigned *order = model_sorted(model), bad = 0;
	struct reader l = {.model = model, .order = order, .take = take};

	memset(model->seen, 0, model->count * sizeof(*model->seen));
	while (list_step(dir, &l))
		;
	for (unsigned i = 0; i < model->count; i++)
		bad += model->seen[i] != (model->inos[i] != 0);
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT_EQUAL(l.unknown, 0);
	CU_ASSERT_EQUAL(l.wrong, 0);
	CU_ASSERT_EQUAL(l.dots, 2);
	free(order);
}

/* And finds it by name, and nothing else. */
static void model_compare(struct e4_inode *dir, struct model *model, unsigned take)
{
	unsigned bad = 0;

	model_list(dir, model, take);
	for (unsigned i = 0; i < model->count; i++)
		bad += volume_ino(dir, model->names[i]) !=
		       (model->inos[i] ? (int64_t)model->inos[i] : -ENOENT);
	CU_ASSERT_EQUAL(bad, 0);
}

static void model_create(struct e4_inode *dir, struct model *model, unsigned i)
{
	int r = volume_create(dir, model->names[i], S_IFREG | 0644);

	CU_ASSERT_EQUAL(r, model->inos[i] ? -EEXIST : 0);
	if (r == 0)
		model->inos[i] = (uint32_t)volume_ino(dir, model->names[i]);
}

static void model_unlink(struct e4_inode *dir, struct model *model, unsigned i)
{
	CU_ASSERT_EQUAL(volume_unlink(dir, model->names[i]), model->inos[i] ? 0 : -ENOENT);
	model->inos[i] = 0;
}

static void model_rename(struct e4_inode *dir, struct model *model, unsigned from, unsigned to)
{
	int r = volume_rename(dir, model->names[from], dir, model->names[to], 0);

	CU_ASSERT_EQUAL(r, model->inos[from] ? 0 : -ENOENT);
	if (r == 0 && from != to) {
		model->inos[to] = model->inos[from];
		model->inos[from] = 0;
	}
}

static void model_step(struct e4_inode *dir, struct model *model, uint64_t *random)
{
	unsigned i = volume_random(random, model->count), j = volume_random(random, model->count);

	switch (volume_random(random, 8)) {
	case 0:
	case 1:
		model_unlink(dir, model, i);
		break;
	case 2:
		model_rename(dir, model, i, j);
		break;
	default:
		model_create(dir, model, i);
	}
}

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

/* ---- listing while others change ---- */

static void name_short(unsigned i, char name[256])
{
	snprintf(name, 256, "n%u", i);
}

/* Even names stay; odd ones come and go between the calls. */
static void changing_listing(const char *options, const char *request, unsigned most,
	unsigned take, unsigned start, namer fn)
{
	const unsigned count = unit_times(most, 600);
	struct volume volume;
	struct model model;
	struct e4_inode *dir;
	uint64_t random = count * 31 + take;
	unsigned bad = 0;

	CU_ASSERT_EQUAL_FATAL(volume_make(&volume, 32 * MIB, options, request), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "dir", &dir), 0);
	model_init(&model, count, fn);
	if (start > count)
		start = count;
	for (unsigned i = 0; i < start; i += 2)
		model_create(dir, &model, i);

	unsigned *order = model_sorted(&model);
	struct reader l = {.model = &model, .order = order, .take = take};

	while (list_step(dir, &l)) {
		for (unsigned n = 0; n < 20; n++) {
			unsigned i = volume_random(&random, count) | 1;

			if (i >= count)
				continue;
			if (model.inos[i])
				model_unlink(dir, &model, i);
			else
				model_create(dir, &model, i);
		}
	}
	/* What was removed and made again may be listed twice, but only where it has another place.
	 */
	for (unsigned i = 0; i < count; i++)
		if (i % 2 == 0)
			bad += model.seen[i] != (i < start);
		else
			bad += !strstr(options, "^dir_index") && model.seen[i] > 1;
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT_EQUAL(l.wrong + l.unknown, 0);
	CU_ASSERT_EQUAL(l.dots, 2);
	free(order);
	e4_iput(dir);
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	model_free(&model);
	volume_close(&volume);
}

static void test_list_changing(void)
{
	/* one block at first, indexed before the listing ends */
	changing_listing("-b 1024 -N 8192", NULL, 40, 1, 40, name_short);
	changing_listing("-b 1024 -N 8192", NULL, 400, 1, 40, name_short);
	changing_listing("-b 1024 -N 8192", "ssv def_hash_version legacy", 400, 1, 40, name_short);
	changing_listing("-b 1024 -N 8192", NULL, 4000, 7, 4000, name_mixed);
	changing_listing("-b 4096 -N 8192", NULL, 4000, 50, 4000, name_mixed);
	changing_listing("-b 1024 -N 8192 -O ^dir_index", NULL, 600, 3, 600, name_mixed);
	changing_listing(
		"-b 1024 -N 8192", "ssv def_hash_version legacy", 2000, 2, 2000, name_mixed);
	changing_listing("-b 1024 -N 8192", "ssv def_hash_version tea", 1000, 1, 1000, name_tea);
}

/* Any number may come back as a cookie. */
static void test_list_any_cookie(void)
{
	struct volume volume;
	struct model model;
	uint64_t random = 7;

	CU_ASSERT_EQUAL_FATAL(volume_make(&volume, 16 * MIB, "-b 1024", NULL), 0);
	model_init(&model, 500, name_mixed);
	for (unsigned i = 0; i < model.count; i++)
		model_create(volume.root, &model, i);

	unsigned *order = model_sorted(&model);

	for (unsigned i = 0; i < unit_times(2000, 100); i++) {
		struct reader l = {.model = &model, .order = order, .take = 5};

		l.cookie = ((uint64_t)volume_random(&random, UINT32_MAX) << 32 |
				   volume_random(&random, UINT32_MAX)) >>
			   (i % 64);
		list_step(volume.root, &l);
		CU_ASSERT_EQUAL(l.wrong + l.unknown, 0);
	}
	free(order);
	model_free(&model);
	volume_close(&volume);
}

/* More names of one hash than a round keeps, and enough for positions to collide now and then. */
static void test_list_many_collisions(void)
{
	struct volume volume;
	struct model model;
	struct e4_inode *dir, *inode;
	struct e4_create what = {.mode = S_IFREG | 0644};

	CU_ASSERT_EQUAL_FATAL(
		volume_make(&volume, 32 * MIB, "-b 4096", "ssv def_hash_version tea"), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "dir", &dir), 0);
	model_init(&model, unit_times(20000, LISTING_MAX + 1000), name_tea);
	CU_ASSERT_EQUAL_FATAL(e4_create(dir, "one", 3, &what, &inode), 0);
	for (unsigned i = 0; i < model.count; i++) {
		CU_ASSERT_EQUAL(e4_link(inode, dir, model.names[i], TEA_NAME_BYTES, false), 0);
		model.inos[i] = e4_ino(inode);
	}
	e4_iput(inode);
	CU_ASSERT_EQUAL(volume_unlink(dir, "one"), 0);
	model_list(dir, &model, 300);
	e4_iput(dir);
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	model_free(&model);
	volume_close(&volume);
}

static int listing_add_name(struct listing *listing, uint64_t position, const char *name)
{
	struct {
		struct dirent_disk entry;
		char name[16];
	} raw = {.entry = {.inode = le32_make(12), .name_len = (uint8_t)strlen(name)}};

	memcpy(raw.entry.name, name, strlen(name));
	return listing_add(listing, position, 0, &raw.entry);
}

static const char *listing_name(const struct listing *listing, size_t i)
{
	return listing->names + listing->items[i].name_off;
}

/* Positions that collide, which names do too seldom for any test. */
static void test_listing_ranks(void)
{
	struct listing listing = {.limit = LISTING_END};
	char name[16];

	/* two groups of three, in no order, and "." */
	for (unsigned i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "%c", "fbdace"[i]);
		CU_ASSERT_EQUAL(listing_add_name(&listing, i % 2 ? 0x1000 : 0x2000, name), 0);
	}
	CU_ASSERT_EQUAL(listing_add_name(&listing, 0, "."), 0);
	listing_sort(&listing);
	listing_rank(&listing);
	CU_ASSERT_EQUAL(listing.items[0].position, 0);
	CU_ASSERT_EQUAL(listing.items[0].next, 1);
	for (unsigned i = 0; i < 6; i++) {
		const struct listing_item *item = &listing.items[i + 1];

		CU_ASSERT_EQUAL(item->position, (i < 3 ? 0x1000 : 0x2000) + i % 3);
		CU_ASSERT_EQUAL(item->next, item->position + 1);
		CU_ASSERT_EQUAL(*listing_name(&listing, i + 1), "abecdf"[i]);
	}
	listing_free(&listing);

	/* trimming takes a group or leaves it */
	listing = (struct listing){.limit = LISTING_END};
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		CU_ASSERT_EQUAL(listing_add_name(&listing, 0x1000 + i / 7 * 16, name), 0);
	}
	CU_ASSERT_EQUAL(listing_trim(&listing), 0);
	CU_ASSERT_EQUAL(listing.count, 497);
	CU_ASSERT_EQUAL(listing.limit, 0x1000 + 71 * 16);
	for (unsigned i = 0; i < listing.count; i++) {
		CU_ASSERT(listing.items[i].position < listing.limit);
		CU_ASSERT_EQUAL(*listing_name(&listing, i), 'n');
	}
	listing_free(&listing);
}

/* ---- damage ---- */

/* The bytes of a directory's block on the device; unmounted in between. */
static uint8_t *block_of(struct volume *volume, const char *name, uint32_t lblk)
{
	struct e4_inode *dir;
	struct extent_run run = {0};
	uint32_t bytes = 0;

	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume->root, name, strlen(name), &dir), 0);
	pthread_rwlock_rdlock(&dir->lock);
	CU_ASSERT_EQUAL_FATAL(extent_map(dir, lblk, &run), 0);
	pthread_rwlock_unlock(&dir->lock);
	bytes = dir->fs->block_bytes;
	e4_iput(dir);
	return (uint8_t *)memdev_data(volume->dev) + run.pblk * bytes;
}

static void make_indexed(struct volume *volume, const char *options)
{
	struct e4_inode *dir;
	char name[256];

	CU_ASSERT_EQUAL_FATAL(volume_make(volume, 16 * MIB, options, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume->root, "dir", &dir), 0);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "name%u", i);
		CU_ASSERT_EQUAL(volume_create(dir, name, S_IFREG | 0644), 0);
	}
	e4_iput(dir);
}

/* A root that makes no sense: names are found and listed all the same, none is added. */
static void test_damaged_index(void)
{
	static const struct {
		unsigned off;
		uint8_t value;
	} faults[] = {
		{24, 1},	    /* reserved_zero */
		{28, 3},	    /* hash version */
		{28, 6},	    /* SipHash */
		{29, 12},	    /* info length */
		{30, 2},	    /* levels */
		{30, 255}, {31, 1}, /* unused flags */
		{32, 0x7d},	    /* limit */
		{34, 0},	    /* count: none */
		{35, 0xff},	    /* count above limit */
		{36, 0},	    /* first child is the root itself */
	};

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct volume volume;
		struct e4_inode *dir;
		struct reader l = {.take = 1000};
		struct model model;

		make_indexed(&volume, "-b 1024 -O ^metadata_csum,^metadata_csum_seed");

		uint8_t *root = block_of(&volume, "dir", 0);

		CU_ASSERT_EQUAL(volume_unmount(&volume), 0);
		root[faults[i].off] = faults[i].value;
		CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
		CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "dir", 3, &dir), 0);
		CU_ASSERT(volume_ino(dir, "name77") > 0);
		CU_ASSERT_EQUAL(volume_ino(dir, "name200"), -ENOENT);
		model_init(&model, 200, name_mixed);
		for (unsigned n = 0; n < 200; n++)
			snprintf(model.names[n], 256, "name%u", n);
		l.model = &model;
		l.order = model_sorted(&model);
		if (faults[i].off != 36) { /* found when descending */
			CU_ASSERT_FALSE(list_step(dir, &l));
			for (unsigned n = 0; n < 200; n++)
				CU_ASSERT_EQUAL(model.seen[n], 1);
		}

		/* the last one is in the way of some names only */
		int r = 0;

		for (unsigned n = 0; r == 0 && n < (faults[i].off == 36 ? 50 : 1); n++) {
			snprintf(model.names[0], 256, "new%u", n);
			r = volume_create(dir, model.names[0], S_IFREG | 0644);
		}
		CU_ASSERT_EQUAL(r, -EUCLEAN);
		CU_ASSERT(e4_is_read_only(volume.fs));
		free((void *)l.order);
		model_free(&model);
		e4_iput(dir);
		volume_close(&volume);
	}
}

static void test_damaged_entries(void)
{
	static const struct {
		unsigned off;
		uint8_t value;
	} faults[] = {
		{24 + 4, 0},		  /* rec_len 0 */
		{24 + 4, 6},		  /* not a multiple of 4 */
		{24 + 4, 8},		  /* below the least */
		{24 + 5, 4},		  /* over the end */
		{24 + 6, 200},		  /* name longer than the record */
		{24 + 6, 0},		  /* no name */
		{24 + 8, '/'},		  /* impossible names */
		{24 + 8, 0}, {24 + 3, 1}, /* inode number out of range */
	};

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct volume volume;
		struct e4_inode *dir;

		CU_ASSERT_EQUAL_FATAL(
			volume_make(&volume, 16 * MIB,
				"-b 1024 -O ^metadata_csum,^metadata_csum_seed", NULL),
			0);
		CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "dir", &dir), 0);
		CU_ASSERT_EQUAL(volume_create(dir, "first", S_IFREG | 0644), 0);
		CU_ASSERT_EQUAL(volume_create(dir, "second", S_IFREG | 0644), 0);
		e4_iput(dir);

		uint8_t *block = block_of(&volume, "dir", 0);

		CU_ASSERT_EQUAL(volume_unmount(&volume), 0);
		block[faults[i].off] = faults[i].value;
		CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
		CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "dir", 3, &dir), 0);
		CU_ASSERT_EQUAL(volume_ino(dir, "second"), -EUCLEAN);
		CU_ASSERT_EQUAL(volume_create(dir, "third", S_IFREG | 0644), -EUCLEAN);
		e4_iput(dir);
		volume_close(&volume);
	}
}

/* With checksums any flipped bit in any kind of block is noticed. */
static void test_checksums(void)
{
	for (unsigned i = 0; i < 24; i++) {
		struct volume volume;
		struct e4_inode *dir;
		struct e4_attr attr;
		struct model model;

		make_indexed(&volume, "-b 1024");

		uint8_t *block = block_of(&volume, "dir", i % 3);
		unsigned off = i % 3 ? i * 41 : 24 + i % 20; /* root: what is in use */

		CU_ASSERT_EQUAL(volume_unmount(&volume), 0);
		block[off] ^= 1u << i % 8;
		CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
		CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "dir", 3, &dir), 0);
		e4_getattr(dir, &attr);
		model_init(&model, 1, name_mixed);

		unsigned order = 0;
		struct reader l = {.model = &model, .order = &order, .take = 10000};

		CU_ASSERT_EQUAL(e4_readdir(dir, 0, list_one, &l), -EUCLEAN);
		CU_ASSERT(e4_is_read_only(volume.fs));
		model_free(&model);
		e4_iput(dir);
		volume_close(&volume);
	}
}

/* More blocks than the volume has: nobody walks that far. */
static void test_absurd_size(void)
{
	struct volume volume;
	struct e4_inode *dir;

	CU_ASSERT_EQUAL_FATAL(volume_make(&volume, 8 * MIB, "-b 1024", NULL), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "dir", &dir), 0);
	CU_ASSERT_EQUAL(volume_create(dir, "first", S_IFREG | 0644), 0);
	pthread_rwlock_wrlock(&dir->lock);
	dir->size = 9 * MIB;
	pthread_rwlock_unlock(&dir->lock);
	CU_ASSERT_EQUAL(volume_ino(dir, "first"), -EUCLEAN);
	e4_iput(dir);
	volume_close(&volume);
}

/* Two logical blocks that are one: an index block that is its own leaf. */
static void test_doubly_mapped(void)
{
	struct volume volume;
	struct e4_inode *dir;
	char name[256];
	int r = 0;

	make_indexed(&volume, "-b 1024 -O ^metadata_csum,^metadata_csum_seed");
	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "dir", 3, &dir), 0);

	struct ext3_extent_header *header = (struct ext3_extent_header *)dir->i_block;
	struct ext3_extent *extent = (struct ext3_extent *)(header + 1);
	struct e4_attr attr;

	e4_getattr(dir, &attr);
	/* blocks 0 and 1 from one place, the others from the next two */
	pthread_rwlock_wrlock(&dir->lock);
	CU_ASSERT_EQUAL_FATAL(header->eh_depth, 0);
	header->eh_entries = htole16(3);
	extent[2] = extent[1] = extent[0];
	extent[0].ee_len = htole16(1);
	extent[1].ee_block = htole32(1);
	extent[1].ee_len = htole16(1);
	extent[2].ee_block = htole32(2);
	extent[2].ee_len = htole16((uint16_t)(attr.size / 1024 - 2));
	pthread_rwlock_unlock(&dir->lock);
	for (unsigned i = 0; r == 0 && i < 1000; i++) {
		snprintf(name, sizeof(name), "new%u", i);
		r = volume_create(dir, name, S_IFREG | 0644);
	}
	CU_ASSERT_EQUAL(r, -EUCLEAN);

	/* no name went into the index block */
	struct buf *root;

	CU_ASSERT_EQUAL_FATAL(dir_block_get(dir, 0, &root), 0);
	CU_ASSERT_EQUAL(le16_get(((struct dirent_disk *)(root->data + 12))->rec_len), 1024 - 12);
	buf_put(root);
	e4_iput(dir);
	volume_close(&volume);
}

/* Names in blocks where their hash does not belong: still listed, each once, at any pace. */
static void test_misplaced_names(void)
{
	struct volume volume;
	struct model model;
	struct e4_inode *dir;
	uint8_t *blocks[4];
	unsigned changed = 0;

	make_indexed(&volume, "-b 1024 -O ^metadata_csum,^metadata_csum_seed");
	for (unsigned i = 0; i < ARRAY_SIZE(blocks); i++)
		blocks[i] = block_of(&volume, "dir", i + 1);
	CU_ASSERT_EQUAL(volume_unmount(&volume), 0);
	model_init(&model, 200, name_short);
	for (unsigned i = 0; i < model.count; i++) {
		char old[256];
		uint8_t *found;

		snprintf(model.names[i], 256, "name%u", i);
		strcpy(old, model.names[i]);
		if (i < 100)
			continue;
		for (unsigned n = 0; n < ARRAY_SIZE(blocks); n++) {
			found = memmem(blocks[n], 1024, old, strlen(old));
			if (!found)
				continue;
			*found = *model.names[i] = 'N';
			changed++;
		}
	}
	CU_ASSERT(changed > 50);
	CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "dir", 3, &dir), 0);
	memset(model.inos, 0xff, model.count * sizeof(*model.inos));
	for (unsigned take = 1; take < 12; take += 5) {
		unsigned *order = model_sorted(&model), bad = 0;
		struct reader l = {.model = &model, .order = order, .take = take};

		memset(model.seen, 0, model.count * sizeof(*model.seen));
		while (list_step(dir, &l))
			;
		for (unsigned i = 0; i < model.count; i++)
			bad += model.seen[i] != 1;
		CU_ASSERT_EQUAL(bad, 0);
		CU_ASSERT_EQUAL(l.unknown, 0);
		free(order);
	}
	model_free(&model);
	e4_iput(dir);
	volume_close(&volume);
}

/* The feature was switched off: an index that nobody keeps up must go. */
static void test_index_left_over(void)
{
	struct volume volume;
	struct e4_inode *dir;
	struct e4_attr attr;
	char name[256];

	make_indexed(&volume, "-b 1024 -O ^metadata_csum,^metadata_csum_seed");
	CU_ASSERT_EQUAL(volume_unmount(&volume), 0);
	CU_ASSERT_EQUAL(image_debugfs(volume.dev, "feature -dir_index", true), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "dir", 3, &dir), 0);
	e4_getattr(dir, &attr);
	CU_ASSERT(attr.flags & EXT2_INDEX_FL);
	CU_ASSERT(volume_ino(dir, "name150") > 0);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "more%u", i);
		CU_ASSERT_EQUAL(volume_create(dir, name, S_IFREG | 0644), 0);
	}
	e4_getattr(dir, &attr);
	CU_ASSERT_FALSE(attr.flags & EXT2_INDEX_FL);
	CU_ASSERT(volume_ino(dir, "name150") > 0);
	CU_ASSERT(volume_ino(dir, "more99") > 0);
	e4_iput(dir);
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

/* Inline at first; a block, and an index where there is one, before the listing ends. */
static void test_inline_listing(void)
{
	changing_listing("-b 1024 -O inline_data", NULL, 8, 1, 8, name_short);
	changing_listing("-b 1024 -O inline_data", NULL, 40, 1, 8, name_short);
	changing_listing("-b 1024 -O inline_data", NULL, 400, 1, 8, name_short);
	changing_listing("-b 1024 -I 512 -O inline_data", NULL, 400, 3, 20, name_short);
	changing_listing("-b 4096 -O inline_data,^dir_index", NULL, 8, 1, 8, name_short);
	changing_listing("-b 4096 -O inline_data,^dir_index", NULL, 40, 1, 8, name_short);
	changing_listing("-b 1024 -I 512 -O inline_data,^dir_index", NULL, 400, 2, 20, name_short);
}

/* Entries that name what they must not. */
static void test_hostile_targets(void)
{
	static const uint32_t targets[] = {1, 3, 7, 8, 10};

	for (size_t i = 0; i <= ARRAY_SIZE(targets) + 1; i++) {
		struct volume volume;
		struct e4_inode *dir;
		uint32_t ino;

		CU_ASSERT_EQUAL_FATAL(
			volume_make(&volume, 16 * MIB,
				"-b 1024 -O ^metadata_csum,^metadata_csum_seed", NULL),
			0);
		CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "dir", &dir), 0);
		CU_ASSERT_EQUAL(volume_create(dir, "first", S_IFREG | 0644), 0);
		/* then: the directory itself, and an inode that is free */
		ino = i < ARRAY_SIZE(targets) ? targets[i]
					      : e4_ino(dir) + (i > ARRAY_SIZE(targets) ? 99 : 0);
		e4_iput(dir);

		uint8_t *block = block_of(&volume, "dir", 0);

		CU_ASSERT_EQUAL(volume_unmount(&volume), 0);
		memcpy(block + 24, &(le32){htole32(ino)}, 4);
		CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
		CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "dir", 3, &dir), 0);
		CU_ASSERT_EQUAL(volume_ino(dir, "first"), -EUCLEAN);
		CU_ASSERT_EQUAL(volume_unlink(dir, "first"), -EUCLEAN);
		CU_ASSERT_EQUAL(volume_rmdir(dir, "first"), -EUCLEAN);
		CU_ASSERT_EQUAL(volume_rename(dir, "first", volume.root, "new", 0), -EUCLEAN);
		e4_iput(dir);
		volume_close(&volume);
	}
}

static bool count_one(void *ctx, const struct e4_dirent *entry)
{
	unsigned *left = ctx;

	return (*left)-- == 0;
}

/* Random bytes in the blocks of a directory: any result, but no crash, no endless loop. */
static void test_random_damage(void)
{
	struct volume volume;
	uint8_t *content, *blocks[6];
	uint64_t random = 4711;

	make_indexed(&volume, "-b 1024 -O ^metadata_csum,^metadata_csum_seed");
	for (unsigned i = 0; i < ARRAY_SIZE(blocks); i++)
		blocks[i] = block_of(&volume, "dir", i % 5);
	CU_ASSERT_EQUAL(volume_unmount(&volume), 0);
	content = malloc(volume.dev->size_bytes);
	memcpy(content, memdev_data(volume.dev), volume.dev->size_bytes);
	for (unsigned round = 0; round < unit_times(400, 20); round++) {
		struct e4_inode *dir;

		memcpy(memdev_data(volume.dev), content, volume.dev->size_bytes);
		for (unsigned n = 0; n <= round % 4; n++) {
			uint8_t *block = blocks[volume_random(&random, ARRAY_SIZE(blocks))];

			block[volume_random(&random, volume_random(&random, 2) ? 80 : 1024)] =
				(uint8_t)volume_random(&random, 256);
		}
		CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
		if (e4_lookup(volume.root, "dir", 3, &dir) == 0) {
			unsigned left = 5000;
			char name[32];

			(void)!e4_readdir(dir, 0, count_one, &left);
			for (unsigned n = 0; n < 40; n++) {
				snprintf(name, sizeof(name), "name%u", volume_random(&random, 220));
				volume_ino(dir, name);
				volume_create(dir, name, S_IFREG | 0644);
				volume_unlink(dir, name);
				snprintf(name, sizeof(name), "new%u", n);
				volume_create(dir, name, S_IFDIR | 0755);
			}
			left = 5000;
			(void)!e4_readdir(dir, 0, count_one, &left);
			e4_iput(dir);
		}
		e4_iput(volume.root);
		(void)!e4_unmount(volume.fs);
		volume.fs = NULL;
	}
	free(content);
	volume_close(&volume);
}

/* A series of operations of every kind; stops at the first that fails. */
static int some_operations(struct volume *volume)
{
	struct e4_inode *dir, *sub;
	char name[32];
	unsigned left = 1000;
	int r = e4_lookup(volume->root, "dir", 3, &dir);

	if (r < 0)
		return r;
	r = volume_mkdir(dir, "sub", &sub);
	if (r == 0) {
		for (unsigned i = 0; r == 0 && i < 120; i++) {
			snprintf(name, sizeof(name), "name%u", i + 150);
			r = i < 50 ? volume_unlink(dir, name)
				   : volume_create(sub, name, S_IFREG | 0644);
		}
		if (r == 0)
			r = volume_rename(dir, "sub", volume->root, "moved", 0);
		if (r == 0)
			r = volume_create(volume->root, "empty", S_IFDIR | 0755);
		if (r == 0)
			r = volume_rename(dir, "name1", sub, "name2", 0);
		if (r == 0)
			r = volume_rename(volume->root, "empty", sub, "name2", RENAME_EXCHANGE);
		if (r == 0)
			r = volume_rmdir(sub, "name2");
		if (r == 0)
			r = e4_readdir(dir, 0, count_one, &left);
		e4_iput(sub);
	}
	e4_iput(dir);
	return r;
}

/* Every read fails once: the operation says so, and what was on the drive before stays sound. */
static void test_read_errors(void)
{
	struct volume volume;
	struct blkdev *fault;
	uint8_t *content;
	unsigned failures = 0;

	make_indexed(&volume, "-b 1024");
	CU_ASSERT_EQUAL(volume_unmount(&volume), 0);
	CU_ASSERT_EQUAL_FATAL(faultdev_new(volume.dev, &fault), 0);
	volume.top = fault;
	volume.cache_bytes = 1;
	content = malloc(volume.dev->size_bytes);
	memcpy(content, memdev_data(volume.dev), volume.dev->size_bytes);
	for (unsigned nth = 1; nth < 10000; nth++) {
		memcpy(memdev_data(volume.dev), content, volume.dev->size_bytes);
		CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);

		uint64_t before = faultdev_calls(fault, FAULT_READ);

		faultdev_fail_from(fault, FAULT_READ, nth, -EIO);

		int r = some_operations(&volume);
		bool reached = faultdev_calls(fault, FAULT_READ) - before >= nth;

		faultdev_fail_from(fault, FAULT_READ, 0, 0);
		CU_ASSERT_EQUAL(r, reached ? -EIO : 0);
		failures += r < 0;
		e4_iput(volume.root);

		bool failed = e4_unmount(volume.fs) < 0;

		volume.fs = NULL;
		/* what failed and still could go on has left nothing half done */
		if (!failed)
			CU_ASSERT_EQUAL(image_check(volume.dev), 0);
		if (!reached)
			break;
	}
	CU_ASSERT(failures > 5);
	CU_ASSERT_EQUAL(image_check(volume.dev), 0);
	free(content);
	volume_close(&volume);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_1k), UNIT(test_2k), UNIT(test_4k), UNIT(test_without_csum), UNIT(test_block_map),
		UNIT(test_linear), UNIT(test_without_filetype), UNIT(test_hash_versions),
		UNIT(test_hash_sign), UNIT(test_collisions), UNIT(test_longest_names),
		UNIT(test_hundred_thousand), UNIT(test_index_full), UNIT(test_no_space),
		UNIT(test_list_changing), UNIT(test_list_any_cookie),
		UNIT(test_list_many_collisions), UNIT(test_listing_ranks), UNIT(test_damaged_index),
		UNIT(test_damaged_entries), UNIT(test_checksums), UNIT(test_doubly_mapped), UNIT(test_absurd_size),
		UNIT(test_misplaced_names), UNIT(test_index_left_over), UNIT(test_inline),
		UNIT(test_inline_changes), UNIT(test_inline_listing),
		UNIT(test_hostile_targets), UNIT(test_random_damage), UNIT(test_read_errors));
}
