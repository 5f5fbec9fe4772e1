/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Places that hold extended attributes: random edits against a model, and bytes that lie. */
#include "ext4/xattr-area.h"

#include <errno.h>

#include "ext4/xattr-body.h"
#include "tests/ext4-model.h"

enum { NAMES = 12, ROUNDS = 3000 };

/* One attribute as it should be; len < 0: it is not there. */
struct wanted {
	char text[40];
	struct xattr_name name;
	uint8_t data[XATTR_AREA_MAX];
	int len;
};

static struct wanted wanted[NAMES];
static uint8_t memory[XATTR_AREA_MAX] __attribute__((aligned(8)));
static const struct e4_fs no_fs;

static void want_none(void)
{
	for (unsigned i = 0; i < NAMES; i++) {
		struct wanted *w = &wanted[i];

		w->len = -1;
		memset(w->text, 'a' + (int)i % 3, sizeof(w->text));
		w->name = (struct xattr_name){(uint8_t)(1 + i % 4), (uint8_t)(1 + i * 3), w->text};
	}
}

static struct xattr_area area_new(uint32_t first, uint32_t end, bool sorted)
{
	memset(memory, 0, sizeof(memory));
	return (struct xattr_area){.base = memory, .first = first, .end = end, .sorted = sorted};
}

static unsigned entries(const struct xattr_area *area)
{
	const struct ext2_ext_attr_entry *entry = NULL;
	unsigned count = 0;

	while ((entry = xattr_area_next(area, entry)))
		count++;
	return count;
}

static void check_order(const struct xattr_area *area)
{
	const struct ext2_ext_attr_entry *entry = NULL, *last = NULL;

	while ((entry = xattr_area_next(area, entry))) {
		if (last)
			CU_ASSERT(last->e_name_index < entry->e_name_index ||
				(last->e_name_index == entry->e_name_index &&
					last->e_name_len < entry->e_name_len));
		last = entry;
	}
}

static void check_area(const struct xattr_area *area)
{
	unsigned count = 0;

	CU_ASSERT_EQUAL(xattr_area_check(&no_fs, area), 0);
	for (unsigned i = 0; i < NAMES; i++) {
		const struct ext2_ext_attr_entry *entry = xattr_area_find(area, &wanted[i].name);

		CU_ASSERT_EQUAL_FATAL(!entry, wanted[i].len < 0);
		if (!entry)
			continue;
		count++;
		CU_ASSERT_EQUAL_FATAL(le32toh(entry->e_value_size), wanted[i].len);
		if (wanted[i].len)
			CU_ASSERT_EQUAL(memcmp(xattr_area_value(area, entry), wanted[i].data,
				(size_t)wanted[i].len), 0);
		CU_ASSERT_EQUAL(entry->e_hash != 0, area->sorted);
	}
	CU_ASSERT_EQUAL(entries(area), count);
	if (area->sorted)
		check_order(area);
}

static void edit(struct xattr_area *area)
{
	struct wanted *w = &wanted[pick(NAMES)];
	int room = xattr_area_room(area, &w->name);
	struct xattr_value value = {.data = scratch, .len = pick(area->end / 3 + 1)};

	if (pick(3) == 0) {
		CU_ASSERT_EQUAL(xattr_area_set(area, &w->name, NULL), 0);
		w->len = -1;
		return;
	}
	if (pick(10) == 0 && room >= 0)
		value.len = (uint32_t)room + pick(2);
	for (uint32_t i = 0; i < value.len; i++)
		scratch[i] = (uint8_t)pick(256);
	if (room < 0 || value.len > (uint32_t)room) {
		CU_ASSERT_EQUAL(xattr_area_set(area, &w->name, &value), -ENOSPC);
		return;
	}
	CU_ASSERT_EQUAL(xattr_area_set(area, &w->name, &value), 0);
	memcpy(w->data, scratch, value.len);
	w->len = (int)value.len;
}

static void test_random(void)
{
	static const struct {
		uint32_t first, end;
		bool sorted;
	} shapes[] = {{32, 1024, true}, {32, 4096, true}, {0, 92, false}, {0, 860, false},
		{0, 4, false}, {0, 0, false}};

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct xattr_area area = area_new(shapes[i].first, shapes[i].end, shapes[i].sorted);

		seed = (unsigned)i + 1;
		want_none();
		for (unsigned round = 0; round < ROUNDS && area.end; round++) {
			edit(&area);
			check_area(&area);
		}
		if (!area.end)
			edit(&area);
		/* never a byte outside */
		CU_ASSERT(bytes_all_zero(memory, area.first));
		CU_ASSERT(bytes_all_zero(memory + area.end, sizeof(memory) - area.end));
	}
}

/* Whatever the bytes are: refused, or safe to walk and to edit (run under the sanitizers). */
static void test_hostile(void)
{
	unsigned accepted = 0;

	seed = 77;
	for (unsigned round = 0; round < 20000; round++) {
		struct xattr_area area = area_new(round & 1 ? 32 : 0, 256, round & 1);

		want_none();
		for (unsigned i = 0; i < 6; i++)
			edit(&area);
		for (unsigned flips = pick(3) + 1; flips; flips--)
			memory[area.first + pick(area.end - area.first)] = (uint8_t)pick(256);
		if (xattr_area_check(&no_fs, &area) < 0)
			continue;
		accepted++;
		for (unsigned i = 0; i < 4; i++) {
			struct xattr_value value = {.data = scratch, .len = pick(40)};
			int r = xattr_area_set(&area, &wanted[pick(NAMES)].name, i & 1 ? NULL : &value);

			CU_ASSERT(r == 0 || r == -ENOSPC);
			CU_ASSERT_EQUAL(xattr_area_check(&no_fs, &area), 0);
		}
	}
	CU_ASSERT(accepted > 1000);
	CU_ASSERT(accepted < 19900);
}

struct lie {
	uint32_t at, bytes;
	uint32_t value;
};

/* Two entries of a known shape with one field changed. */
static void test_lies(void)
{
	static const struct xattr_name one = {1, 3, "one"}, two = {1, 3, "two"};
	/* entries at 0 and 20, their end at 40, values at 80 and 60 */
	static const struct lie lies[] = {
		{0, 1, 200},   {0, 1, 61},    {2, 2, 81},     {2, 2, 60},  {2, 2, 64},	{2, 2, 76},
		{2, 2, 40},    {2, 2, 0xffff}, {8, 4, 1 << 25}, {8, 4, 21}, {8, 4, 0xffffffff},
		{4, 4, 12},    {17, 1, 0},    {22, 2, 42},    {40, 4, 1},
	};
	struct xattr_value value = {.data = "12345678901234567890", .len = 20};

	for (size_t i = 0; i <= ARRAY_SIZE(lies); i++) {
		struct xattr_area area = area_new(0, 100, false);

		CU_ASSERT_EQUAL(xattr_area_set(&area, &one, &value), 0);
		CU_ASSERT_EQUAL(xattr_area_set(&area, &two, &value), 0);
		if (i < ARRAY_SIZE(lies)) {
			uint32_t word = htole32(lies[i].value);

			memcpy(memory + lies[i].at, &word, lies[i].bytes);
		}
		int want = i < ARRAY_SIZE(lies) ? -EUCLEAN : 0;
		int r = xattr_area_check(&no_fs, &area);

		CU_ASSERT_EQUAL(r, want);
		if (r != want)
			printf("# failed: lie %zu\n", i);
	}
}

/* In the record of a file, across mounts, judged by e2fsck and read by debugfs. */
static void body_on_image(const char *options, bool fits)
{
	static const struct xattr_name name = {XATTR_INDEX_USER, 4, "some"};
	char got[16];
	struct handle h;

	setup(24 << 20, options, 3);
	CU_ASSERT_EQUAL_FATAL(handle_begin(fs, INODE_CREDITS, &h), 0);
	pthread_rwlock_wrlock(&inode->lock);
	CU_ASSERT_EQUAL(xattr_body_get(inode, &name, got, sizeof(got)), -ENODATA);
	CU_ASSERT_EQUAL(xattr_body_put(&h, inode, &name, "thing", 5), fits ? 0 : -ENOSPC);
	CU_ASSERT_EQUAL(inode_store(&h, inode, false), 0);
	CU_ASSERT_EQUAL(xattr_body_room(inode, &name) >= 60, fits);
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	close_all();
	CU_ASSERT_EQUAL(image_check(mem), 0);
	open_all();
	CU_ASSERT_EQUAL(xattr_body_get(inode, &name, got, 4), fits ? -ERANGE : -ENODATA);
	CU_ASSERT_EQUAL(xattr_body_get(inode, &name, got, 5), fits ? 5 : -ENODATA);
	CU_ASSERT_EQUAL_FATAL(handle_begin(fs, INODE_CREDITS, &h), 0);
	pthread_rwlock_wrlock(&inode->lock);
	CU_ASSERT_EQUAL(xattr_body_drop(&h, inode, &name), 0);
	CU_ASSERT_EQUAL(inode_store(&h, inode, false), 0);
	CU_ASSERT_EQUAL(xattr_body_get(inode, &name, got, 5), -ENODATA);
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	finish();
}

static void test_body(void)
{
	body_on_image("-b 1024 -I 256", true);
	body_on_image("-b 4096 -I 1024", true);
	body_on_image("-b 4096 -I 4096 -N 64", true);
	body_on_image("-b 1024 -I 128", false);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_random), UNIT(test_hostile), UNIT(test_lies), UNIT(test_body));
}
