/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listing directories: while others change them, from any position, in order of hashes. */
#include <errno.h>

#include "ext4/dir.h"
#include "ext4/listing.h"
#include "tests/dev/image.h"
#include "tests/ext4-dir-model.h"

enum { MIB = 1 << 20 };

/* Even names stay; odd ones come and go between the calls. */
static void changing_listing(const char *options, const char *request, unsigned most,
	unsigned take, unsigned start, namer fn)
{
	const unsigned count = unit_times(most, 300);
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

int main(void)
{
	return UNIT_RUN(UNIT(test_list_changing), UNIT(test_list_any_cookie),
		UNIT(test_list_many_collisions), UNIT(test_listing_ranks), UNIT(test_inline_listing));
}
