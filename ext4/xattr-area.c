/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Editing builds the area anew: entries in their order, values packed against the end. So whatever
 * gaps a foreign writer left are room again, and what did not fit has changed nothing.
 */
#include "ext4/xattr-area.h"

#include <errno.h>

enum {
	END_BYTES = 4,		    /* of zeroes, behind the last entry */
	VALUE_BYTES_MAX = 1 << 24, /* of a value in an inode of its own, as the kernel checks it */
};

static uint32_t entry_bytes(uint32_t name_len)
{
	return (uint32_t)round_up_u64(sizeof(struct ext2_ext_attr_entry) + name_len, 4);
}

static uint32_t value_bytes(const struct ext2_ext_attr_entry *entry)
{
	return entry->e_value_inum ? 0 : (uint32_t)round_up_u64(le32toh(entry->e_value_size), 4);
}

static bool is_last(const struct ext2_ext_attr_entry *entry)
{
	uint32_t word;

	memcpy(&word, entry, sizeof(word));
	return word == 0;
}

/* ---- checking -------------------------------------------------------------------------- */

static bool entry_inside(const struct xattr_area *area, uint32_t at)
{
	const struct ext2_ext_attr_entry *entry = (const void *)(area->base + at);

	if (area->end - at < sizeof(*entry) + END_BYTES)
		return false;
	return entry_bytes(entry->e_name_len) <= area->end - at - END_BYTES &&
		!memchr(entry + 1, 0, entry->e_name_len);
}

/* Where the entries end (their zeroes included), or 0. */
static uint32_t entries_end(const struct xattr_area *area)
{
	uint32_t at = area->first;

	if (area->end < at + END_BYTES)
		return 0;
	while (!is_last((const void *)(area->base + at))) {
		if (!entry_inside(area, at))
			return 0;
		at += entry_bytes(area->base[at]); /* e_name_len comes first */
	}
	return at + END_BYTES;
}

static bool inum_valid(const struct e4_fs *fs, uint32_t inum)
{
	return fs_has_incompat(fs, EXT4_FEATURE_INCOMPAT_EA_INODE) && inum >= fs->first_ino &&
		inum <= fs->inodes_count;
}

/* Marks the value's bytes as taken. */
static bool value_inside(const struct xattr_area *area, uint8_t *taken,
	const struct ext2_ext_attr_entry *entry)
{
	uint32_t at = le16toh(entry->e_value_offs), len = value_bytes(entry);

	if (!range_inside(at, len, area->end) || memchr(taken + at, 1, len))
		return false;
	memset(taken + at, 1, len);
	return true;
}

int xattr_area_check(const struct e4_fs *fs, const struct xattr_area *area)
{
	uint8_t taken[XATTR_AREA_MAX] = {0};
	const struct ext2_ext_attr_entry *entry = NULL;
	uint32_t end = entries_end(area);

	if (!end)
		return -EUCLEAN;
	memset(taken, 1, end);
	while ((entry = xattr_area_next(area, entry))) {
		if (le32toh(entry->e_value_size) > VALUE_BYTES_MAX)
			return -EUCLEAN;
		if (entry->e_value_inum && !inum_valid(fs, le32toh(entry->e_value_inum)))
			return -EUCLEAN;
		if (value_bytes(entry) && !value_inside(area, taken, entry))
			return -EUCLEAN;
	}
	return 0;
}

/* ---- looking --------------------------------------------------------------------------- */

const struct ext2_ext_attr_entry *xattr_area_next(
	const struct xattr_area *area, const struct ext2_ext_attr_entry *at)
{
	const uint8_t *next = area->base + area->first;

	if (at)
		next = (const uint8_t *)at + entry_bytes(at->e_name_len);
	return is_last((const void *)next) ? NULL : (const void *)next;
}

/* The order of entries in a block. */
static int compare(const struct xattr_name *name, const struct ext2_ext_attr_entry *entry)
{
	if (name->index != entry->e_name_index)
		return name->index - entry->e_name_index;
	if (name->len != entry->e_name_len)
		return name->len - entry->e_name_len;
	return memcmp(name->text, entry + 1, name->len);
}

const struct ext2_ext_attr_entry *xattr_area_find(
	const struct xattr_area *area, const struct xattr_name *name)
{
	const struct ext2_ext_attr_entry *entry = NULL;

	while ((entry = xattr_area_next(area, entry)))
		if (compare(name, entry) == 0)
			break;
	return entry;
}

const uint8_t *xattr_area_value(
	const struct xattr_area *area, const struct ext2_ext_attr_entry *entry)
{
	return value_bytes(entry) ? area->base + le16toh(entry->e_value_offs) : NULL;
}

/* ---- editing --------------------------------------------------------------------------- */

/* What is left when all but one entry has its place. */
static uint32_t free_bytes(
	const struct xattr_area *area, const struct ext2_ext_attr_entry *except)
{
	const struct ext2_ext_attr_entry *entry = NULL;
	uint32_t left;

	if (area->end < area->first + END_BYTES)
		return 0;
	left = area->end - area->first - END_BYTES;
	while ((entry = xattr_area_next(area, entry)))
		if (entry != except)
			left -= entry_bytes(entry->e_name_len) + value_bytes(entry);
	return left;
}

int xattr_area_room(const struct xattr_area *area, const struct xattr_name *name)
{
	uint32_t left = free_bytes(area, xattr_area_find(area, name));

	if (left < entry_bytes(name->len))
		return -ENOSPC;
	return (int)round_down_u64(left - entry_bytes(name->len), 4);
}

/* Source: the kernel documentation's section on hashes: the name's bytes, then the value's words. */
uint32_t xattr_entry_hash(const struct xattr_name *name, const uint8_t *words, uint32_t bytes)
{
	uint32_t hash = 0;

	for (uint32_t i = 0; i < name->len; i++)
		hash = (hash << 5 | hash >> 27) ^ (uint8_t)name->text[i];
	for (uint32_t i = 0; i < bytes; i += 4) {
		le32 word;

		memcpy(&word, words + i, sizeof(word));
		hash = (hash << 16 | hash >> 16) ^ le32_get(word);
	}
	return hash;
}

/* The new content while it grows, entries upwards and values downwards. */
struct builder {
	const struct xattr_area *area;
	uint8_t data[XATTR_AREA_MAX];
	uint32_t at, values;
};

static void add(struct builder *b, const struct xattr_name *name, const struct xattr_value *value,
	uint32_t *hash)
{
	struct ext2_ext_attr_entry *entry = (void *)(b->data + b->at);
	uint32_t bytes = value->inum ? 0 : (uint32_t)round_up_u64(value->len, 4);
	le32 inode_hash = le32_make(value->hash);

	b->values -= bytes;
	if (bytes)
		memcpy(b->data + b->values, value->data, value->len);
	*entry = (struct ext2_ext_attr_entry){
		.e_name_len = name->len,
		.e_name_index = name->index,
		.e_value_offs = htole16(bytes ? (uint16_t)b->values : 0),
		.e_value_inum = htole32(value->inum),
		.e_value_size = htole32(value->len),
	};
	memcpy(entry + 1, name->text, name->len);
	if (hash)
		entry->e_hash = *hash;
	else if (value->inum)
		entry->e_hash = htole32(
			xattr_entry_hash(name, (const uint8_t *)&inode_hash, sizeof(inode_hash)));
	else if (b->area->sorted)
		entry->e_hash = htole32(xattr_entry_hash(name, b->data + b->values, bytes));
	b->at += entry_bytes(name->len);
}

static void add_copy(struct builder *b, const struct ext2_ext_attr_entry *entry)
{
	struct xattr_name name = xattr_entry_name(entry);
	struct xattr_value value = {
		.data = xattr_area_value(b->area, entry),
		.len = le32toh(entry->e_value_size),
		.inum = le32toh(entry->e_value_inum),
	};
	uint32_t hash = entry->e_hash;

	add(b, &name, &value, &hash);
}

/* The entry in front of which a new name goes; NULL: at the end. */
static const struct ext2_ext_attr_entry *place_for(
	const struct xattr_area *area, const struct xattr_name *name)
{
	const struct ext2_ext_attr_entry *entry = NULL;

	while (area->sorted && (entry = xattr_area_next(area, entry)))
		if (compare(name, entry) < 0)
			break;
	return entry;
}

int xattr_area_set(
	struct xattr_area *area, const struct xattr_name *name, const struct xattr_value *value)
{
	const struct ext2_ext_attr_entry *old = xattr_area_find(area, name), *entry = NULL;
	const struct ext2_ext_attr_entry *place = old ? old : place_for(area, name);
	struct builder b = {.area = area, .at = area->first, .values = area->end};

	if (value) {
		uint64_t need = entry_bytes(name->len);

		need += value->inum ? 0 : round_up_u64(value->len, 4);
		if (need > free_bytes(area, old))
			return -ENOSPC;
	}
	do {
		entry = xattr_area_next(area, entry);
		if (entry == place && value)
			add(&b, name, value, NULL);
		if (entry && entry != old)
			add_copy(&b, entry);
	} while (entry);
	memcpy(area->base + area->first, b.data + area->first, area->end - area->first);
	return 0;
}
