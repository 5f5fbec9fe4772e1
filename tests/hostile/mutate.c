/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/hostile/mutate.h"

#include <stdio.h>
#include <string.h>

#include "tests/dev/volume.h"
#include "tests/hostile/field.h"

enum { TOUCHED_MAX = 40, CHAIN_MAX = 5 };

struct mutator {
	const struct spots *spots;
	uint8_t *image;
	uint64_t *random;
	bool show;
	const struct spot *touched[TOUCHED_MAX];
	size_t touched_count;
};

static const char *const kind_names[SPOT_KINDS] = {"super block", "group", "block bitmap", "inode bitmap",
	"inode", "extents", "pointers", "names", "index root", "index node", "xattrs", "orphans", "mmp",
	"log super", "log descriptor", "log revoke", "log commit", "log copy"};

/* How often each is chosen, where there is one. */
static const uint8_t weights[SPOT_KINDS] = {5, 6, 4, 4, 24, 12, 10, 14, 9, 7, 9, 8, 3, 5, 5, 5, 4, 5};

static uint32_t pick(struct mutator *m, uint32_t below)
{
	return volume_random(m->random, below);
}

static void touch(struct mutator *m, const struct spot *spot)
{
	if (m->touched_count < TOUCHED_MAX)
		m->touched[m->touched_count++] = spot;
}

static const struct spot *nth_of_kind(struct mutator *m, enum spot_kind kind, uint32_t n)
{
	for (size_t i = 0; i < m->spots->count; i++)
		if (m->spots->all[i].kind == kind && n-- == 0)
			return &m->spots->all[i];
	return &m->spots->all[0];
}

static const struct spot *any_of_kind(struct mutator *m, enum spot_kind kind)
{
	return nth_of_kind(m, kind, pick(m, (uint32_t)m->spots->of_kind[kind]));
}

static const struct spot *choose_spot(struct mutator *m)
{
	uint32_t total = 0, at;

	for (unsigned kind = 0; kind < SPOT_KINDS; kind++)
		total += m->spots->of_kind[kind] ? weights[kind] : 0;
	at = pick(m, total);
	for (unsigned kind = 0;; kind++) {
		uint32_t weight = m->spots->of_kind[kind] ? weights[kind] : 0;

		if (at < weight)
			return any_of_kind(m, kind);
		at -= weight;
	}
}

static uint32_t some_block(struct mutator *m)
{
	const struct spots *s = m->spots;

	switch (pick(m, 4)) {
	case 0:
		return (uint32_t)s->blocks_count - 1 + pick(m, 3);
	case 1:
		return pick(m, (uint32_t)s->blocks_count);
	default:
		return (uint32_t)(s->all[pick(m, (uint32_t)s->count)].at / s->block_bytes);
	}
}

static uint32_t some_inode(struct mutator *m)
{
	const struct spots *s = m->spots;

	switch (pick(m, 5)) {
	case 0:
		return pick(m, 13);
	case 1:
		return s->inodes_count + pick(m, 3);
	case 2:
		return 1 + pick(m, s->inodes_count);
	case 3:
		return any_of_kind(m, SPOT_INODE)->number;
	default:
		return s->dirs[pick(m, (uint32_t)s->dir_count)];
	}
}

static uint32_t some_value(struct mutator *m, uint32_t old)
{
	static const uint32_t edges[] = {0, 0, 1, 2, 3, 4, 5, 7, 8, 12, 0x7f, 0x80, 0xfe, 0xff, 0x7fff, 0x8000,
		0x8001, 0xfffe, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};

	switch (pick(m, 9)) {
	case 0:
	case 1:
		return edges[pick(m, sizeof(edges) / sizeof(edges[0]))];
	case 2:
		return old + pick(m, 9) - 4;
	case 3:
		return old ^ 1u << pick(m, 32);
	case 4:
		return some_block(m);
	case 5:
		return some_inode(m);
	case 6:
		return m->spots->block_bytes - pick(m, 17);
	case 7:
		return pick(m, 2) ? old << 1 : old * 4 + 1;
	default:
		return pick(m, 0x7fffffff) << pick(m, 2);
	}
}

/* ---- changes ----------------------------------------------------------------------------------- */

static void set_field(struct mutator *m, const struct spot *spot, struct field field)
{
	uint8_t *block = m->image + spot->at;
	uint32_t old = field_get(&field, block), value = some_value(m, old);

	field_set(&field, block, value);
	if (m->show)
		printf("# %s of %u at %llu: %u bytes at %u: %x -> %x\n", kind_names[spot->kind], spot->number,
			(unsigned long long)spot->at, field.bytes, field.at, old, value);
}

/* Some checks fail only for two numbers together: a length and what it is the length of. */
static void change_field(struct mutator *m, const struct spot *spot)
{
	struct field field = field_choose(spot, m->image + spot->at, m->random);

	set_field(m, spot, field);
	for (uint32_t more = pick(m, 3); more == 0; more = pick(m, 3)) {
		field.bytes = 1u << pick(m, 3);
		field.at += pick(m, 9);
		field.at -= field.at < 4 ? 0 : 4;
		if (field.at + field.bytes > spot->len)
			break;
		set_field(m, spot, field);
	}
}

static void change_range(struct mutator *m, const struct spot *spot)
{
	uint32_t from = pick(m, spot->len), len = 1 + pick(m, pick(m, 2) ? 16 : spot->len), how = pick(m, 3);
	uint8_t *block = m->image + spot->at;

	if (pick(m, 3) == 0)
		from = 0;
	if (len > spot->len - from)
		len = spot->len - from;
	for (uint32_t i = from; i < from + len; i++)
		block[i] = how == 0 ? 0 : how == 1 ? 0xff : (uint8_t)pick(m, 256);
	if (m->show)
		printf("# %s of %u at %llu: %u bytes from %u overwritten\n", kind_names[spot->kind], spot->number,
			(unsigned long long)spot->at, len, from);
}

/* Two owners of the same blocks, a folder's block in another folder, a node below itself. */
static void change_whole(struct mutator *m, const struct spot *spot)
{
	const struct spot *from = pick(m, 3) ? any_of_kind(m, spot->kind) : choose_spot(m);
	uint32_t len = from->len < spot->len ? from->len : spot->len;

	memmove(m->image + spot->at, m->image + from->at, len);
	if (m->show)
		printf("# %s of %u at %llu: copied from %s of %u\n", kind_names[spot->kind], spot->number,
			(unsigned long long)spot->at, kind_names[from->kind], from->number);
}

static void put32(uint8_t *p, uint32_t value)
{
	field_set(&(struct field){0, 4, false}, p, value);
}

/* The list of orphans: inodes in use, numbers out of range, circles. */
static void change_orphans(struct mutator *m)
{
	const struct spot *super = nth_of_kind(m, SPOT_SUPER, 0), *chain[CHAIN_MAX];
	uint32_t count = 1 + pick(m, CHAIN_MAX);

	for (uint32_t i = 0; i < count; i++)
		chain[i] = any_of_kind(m, SPOT_INODE);
	put32(m->image + super->at + 0xe8, chain[0]->number);
	touch(m, super);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t next = i + 1 < count ? chain[i + 1]->number : pick(m, 2) ? 0 : some_inode(m);
		uint8_t *raw = m->image + chain[i]->at;

		if (i + 1 == count && pick(m, 3) == 0)
			next = chain[pick(m, count)]->number;
		put32(raw + 20, next);
		if (pick(m, 2))
			memset(raw + 26, 0, 2);
		touch(m, chain[i]);
		if (m->show)
			printf("# orphan %u, then %u\n", chain[i]->number, next);
	}
}

/* The orphan file is looked at only where the super block says that something is in it. */
static void announce_orphans(struct mutator *m)
{
	const struct spot *super = nth_of_kind(m, SPOT_SUPER, 0);

	m->image[super->at + 0x66] |= 1;
	touch(m, super);
}

static void change(struct mutator *m)
{
	const struct spot *spot;
	uint32_t times = 1 + (pick(m, 4) == 0 ? pick(m, 4) : 0);

	if (pick(m, 30) == 0) {
		change_orphans(m);
		return;
	}
	spot = choose_spot(m);
	touch(m, spot);
	if (spot->kind == SPOT_ORPHANS)
		announce_orphans(m);
	for (uint32_t i = 0; i < times; i++) {
		uint32_t how = pick(m, 20);

		if (how < 16)
			change_field(m, spot);
		else if (how < 18)
			change_range(m, spot);
		else
			change_whole(m, spot);
	}
}

void mutate(const struct spots *spots, uint8_t *image, uint64_t *random, bool show)
{
	struct mutator m = {.spots = spots, .image = image, .random = random, .show = show};
	uint32_t times = pick(&m, 2) ? 1 : 1 + pick(&m, pick(&m, 4) ? 3 : 10);

	for (uint32_t i = 0; i < times; i++)
		change(&m);
	for (unsigned kind = SPOT_KINDS; kind-- > 0;)
		for (size_t i = 0; i < m.touched_count; i++)
			if (m.touched[i]->kind == kind && pick(&m, 4))
				spot_repair(spots, m.touched[i], image);
}
