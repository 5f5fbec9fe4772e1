/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One copy of a LUKS2 header on the medium: binary header, checksum, JSON area as bytes.
 * Source: LUKS2 On-Disk Format 1.1.4, sections 2.1 and 2.2.
 */
#ifndef KEYMGR_LUKS2_DISK_H
#define KEYMGR_LUKS2_DISK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/blkdev.h"

enum {
	LUKS2_BIN_BYTES = 4096,
	LUKS2_HDR_BYTES_MIN = 16 * 1024,
	LUKS2_HDR_BYTES_MAX = 4 * 1024 * 1024,
	LUKS2_HDR_SALT_BYTES = 64,
};

/* One copy. Strings end with a zero and are otherwise as found: they may hold anything. */
struct luks2_copy {
	uint64_t hdr_bytes; /* binary header and JSON area */
	uint64_t seqid;
	char label[48], subsystem[48], uuid[40], csum_alg[32];
	char *json; /* the JSON area: hdr_bytes - LUKS2_BIN_BYTES bytes, not a C string */
};

/* Whether hdr_bytes is one of table 1: 16 KiB, 32 KiB, ... 4 MiB. */
bool luks2_disk_size_valid(uint64_t hdr_bytes);

static inline size_t luks2_copy_json_bytes(const struct luks2_copy *copy)
{
	return copy->hdr_bytes - LUKS2_BIN_BYTES;
}

/*
 * Reads the copy at offset (0: the primary, else a secondary). -SDE_NOT_LUKS: no such magic.
 * -SDE_LUKS1. -SDE_HEADER_INVALID: another version. -SDE_HEADER_DAMAGED: bad size, offset or
 * checksum. Or an I/O error. The caller frees with luks2_copy_clear().
 */
int luks2_disk_read(struct blkdev *dev, uint64_t offset, struct luks2_copy *ret_copy) MUST_CHECK;
/* The first secondary copy with a right checksum at any of the offsets of table 1. */
int luks2_disk_scan(struct blkdev *dev, struct luks2_copy *ret_copy) MUST_CHECK;
/* Writes the copy, with a salt of its own, as primary or secondary, and flushes. */
int luks2_disk_write(struct blkdev *dev, const struct luks2_copy *copy, bool secondary) MUST_CHECK;
/*
 * The same as primary, over a header of version 1 that is good until its first sector is replaced:
 * that one is written last but for the rest of the binary header. A secondary copy must be there.
 */
int luks2_disk_take_over(struct blkdev *dev, const struct luks2_copy *copy) MUST_CHECK;
/*
 * Makes every header that may lie on the device unreadable: the primary's and all secondaries'
 * binary headers, wherever a header of any size had them. Flushes.
 */
int luks2_disk_erase(struct blkdev *dev) MUST_CHECK;

/* Whether two valid copies say the same. */
bool luks2_copies_equal(const struct luks2_copy *a, const struct luks2_copy *b);
void luks2_copy_clear(struct luks2_copy *copy);
#define CLEANUP_LUKS2_COPY CLEANUP(luks2_copy_clear)

#endif
