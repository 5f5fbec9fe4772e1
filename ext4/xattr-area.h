/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A place that holds extended attributes, in memory: entries from its start on, values from its end
 * down. There is one in the inode record (xattr-body.h) and one in the attribute block
 * (xattr-block.h); both have the same format. Source: kernel Documentation/filesystems/ext4/attributes.rst
 *
 * Nothing here reads, writes or locks anything. An area that xattr_area_check() has accepted may be
 * walked and edited without further checks; editing keeps it that way.
 */
#ifndef EXT4_XATTR_AREA_H
#define EXT4_XATTR_AREA_H

#include "ext4/fs.h"

#include <ext2fs/ext2_ext_attr.h>

enum xattr_index { /* the namespace, as stored in front of the rest of the name */
	XATTR_INDEX_USER = 1,
	XATTR_INDEX_ACL_ACCESS = 2, /* the whole name: "system.posix_acl_access" */
	XATTR_INDEX_ACL_DEFAULT = 3,
	XATTR_INDEX_TRUSTED = 4,
	XATTR_INDEX_SECURITY = 6,
	XATTR_INDEX_SYSTEM = 7, /* only "data": inline data */
	XATTR_INDEX_HURD = 10,
};

struct xattr_area {
	uint8_t *base;	/* value offsets count from here */
	uint32_t first; /* offset of the first entry */
	uint32_t end;	/* bytes from base to the end; at most XATTR_AREA_MAX */
	bool sorted;	/* a block: entries in order and with a hash over name and value */
};
enum { XATTR_AREA_MAX = 4096 };

struct xattr_name {
	uint8_t index;	/* enum xattr_index */
	uint8_t len;
	const char *text; /* without the namespace, not terminated */
};

struct xattr_value {
	const void *data; /* may point into the area that is edited */
	uint32_t len;
	uint32_t inum; /* the inode that holds the value instead, else 0 */
	uint32_t hash; /* of the value in that inode */
};

/* -EUCLEAN (and nothing else happens) when an entry or value lies outside, values overlap, ... */
int xattr_area_check(const struct e4_fs *fs, const struct xattr_area *area) MUST_CHECK;
/* The entry behind `at` (NULL: the first), or NULL. */
const struct ext2_ext_attr_entry *xattr_area_next(
	const struct xattr_area *area, const struct ext2_ext_attr_entry *at);
const struct ext2_ext_attr_entry *xattr_area_find(
	const struct xattr_area *area, const struct xattr_name *name);
/* An entry's value inside the area; NULL when it has none there. */
const uint8_t *xattr_area_value(
	const struct xattr_area *area, const struct ext2_ext_attr_entry *entry);
/* The hash over a name and words that stand for its value. */
uint32_t xattr_entry_hash(const struct xattr_name *name, const uint8_t *words, uint32_t bytes);
/* The longest value that name could get here (what it has now counts as free), a multiple of 4;
 * -ENOSPC when there is not even room for its entry. */
int xattr_area_room(const struct xattr_area *area, const struct xattr_name *name) MUST_CHECK;
/* Sets name to value, or takes it away (value NULL; nothing happens when it is not there).
 * -ENOSPC: does not fit, nothing changed. */
int xattr_area_set(struct xattr_area *area, const struct xattr_name *name,
	const struct xattr_value *value) MUST_CHECK;

static inline struct xattr_name xattr_entry_name(const struct ext2_ext_attr_entry *entry)
{
	return (struct xattr_name){entry->e_name_index, entry->e_name_len, (const char *)(entry + 1)};
}

#endif
