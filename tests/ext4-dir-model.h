/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A model of one directory, by names and inode numbers: operations go to both, model_list() and
 * model_compare() compare them. */
#ifndef TESTS_EXT4_DIR_MODEL_H
#define TESTS_EXT4_DIR_MODEL_H

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "tests/dev/volume.h"
#include "tests/unit.h"

enum { TEA_NAME_BYTES = 128 };

struct model {
	char (*names)[256];
	uint32_t *inos; /* 0: not there */
	unsigned *seen;
	unsigned count;
};

typedef void (*namer)(unsigned i, char name[256]);

/* All lengths; some ASCII, some Vietnamese, some no text at all (characters above 127 show
 * whether signed and unsigned hashes are kept apart). */
static inline void name_mixed(unsigned i, char name[256])
{
	static const char *const words[] = {"tệp-", "ảnh_", "file", "Đường.", "\xff\x80\xc1"};
	unsigned length = i % 7 == 0 ? 255 : 10 + i * 37 % 90;
	unsigned n = (unsigned)snprintf(name, 256, "%s%u", words[i % ARRAY_SIZE(words)], i);

	while (n < length)
		name[n++] = i % 3 ? 'x' : (char)0x9e;
	name[n] = 0;
}

static inline void name_long(unsigned i, char name[256])
{
	memset(name, 'n', 255);
	name[255] = 0;
	name[snprintf(name, 256, "%u", i)] = '-';
}

static inline void name_short(unsigned i, char name[256])
{
	snprintf(name, 256, "n%u", i);
}

/* The TEA hash does not change when the top bits of the first and third, or of the fifth and
 * seventh, byte of a word pair flip together; eight such blocks make 65536 names of one hash. */
static inline void name_tea(unsigned i, char name[256])
{
	memset(name, 'c', TEA_NAME_BYTES);
	name[TEA_NAME_BYTES] = 0;
	for (unsigned bit = 0; bit < 16; bit++)
		if (i >> bit & 1) {
			name[bit * 8] ^= 0x80;
			name[bit * 8 + 4] ^= 0x80;
		}
}

static inline void model_init(struct model *model, unsigned count, namer fn)
{
	model->names = calloc(count, sizeof(*model->names));
	model->inos = calloc(count, sizeof(*model->inos));
	model->seen = calloc(count, sizeof(*model->seen));
	model->count = count;
	for (unsigned i = 0; i < count; i++)
		fn(i, model->names[i]);
}

static inline void model_free(struct model *model)
{
	free(model->names);
	free(model->inos);
	free(model->seen);
}

static const struct model *sort_model;

static inline int by_name(const void *a, const void *b)
{
	return strcmp(
		sort_model->names[*(const unsigned *)a], sort_model->names[*(const unsigned *)b]);
}

/* Index of names in byte order, to find what a listing gives. */
static inline unsigned *model_sorted(const struct model *model)
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

static inline bool list_one(void *ctx, const struct e4_dirent *entry)
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
static inline bool list_step(struct e4_inode *dir, struct reader *l)
{
	l->taken = 0;
	CU_ASSERT_EQUAL_FATAL(e4_readdir(dir, l->cookie, list_one, l), 0);
	return l->taken == l->take;
}

/* The directory lists exactly what the model holds. */
static inline void model_list(struct e4_inode *dir, struct model *model, unsigned take)
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
static inline void model_compare(struct e4_inode *dir, struct model *model, unsigned take)
{
	unsigned bad = 0;

	model_list(dir, model, take);
	for (unsigned i = 0; i < model->count; i++)
		bad += volume_ino(dir, model->names[i]) !=
		       (model->inos[i] ? (int64_t)model->inos[i] : -ENOENT);
	CU_ASSERT_EQUAL(bad, 0);
}

static inline void model_create(struct e4_inode *dir, struct model *model, unsigned i)
{
	int r = volume_create(dir, model->names[i], S_IFREG | 0644);

	CU_ASSERT_EQUAL(r, model->inos[i] ? -EEXIST : 0);
	if (r == 0)
		model->inos[i] = (uint32_t)volume_ino(dir, model->names[i]);
}

static inline void model_unlink(struct e4_inode *dir, struct model *model, unsigned i)
{
	CU_ASSERT_EQUAL(volume_unlink(dir, model->names[i]), model->inos[i] ? 0 : -ENOENT);
	model->inos[i] = 0;
}

static inline void model_rename(struct e4_inode *dir, struct model *model, unsigned from, unsigned to)
{
	int r = volume_rename(dir, model->names[from], dir, model->names[to], 0);

	CU_ASSERT_EQUAL(r, model->inos[from] ? 0 : -ENOENT);
	if (r == 0 && from != to) {
		model->inos[to] = model->inos[from];
		model->inos[from] = 0;
	}
}

static inline void model_step(struct e4_inode *dir, struct model *model, uint64_t *random)
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

#endif
