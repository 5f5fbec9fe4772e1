/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The header of LUKS version 1 on the medium: 592 bytes at the start of the drive, one copy, no
 * checksum, always eight keyslots. Source: LUKS On-Disk Format 1.2.3, section 3.
 */
#ifndef KEYMGR_LUKS1_DISK_H
#define KEYMGR_LUKS1_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/blkdev.h"

enum {
	LUKS1_HDR_BYTES = 592,
	LUKS1_KEYSLOTS = 8,
	LUKS1_SECTOR_BYTES = 512,
	LUKS1_DIGEST_BYTES = 20,
	LUKS1_SALT_BYTES = 32,
};

struct luks1_keyslot {
	bool active;
	uint32_t iterations;
	uint8_t salt[LUKS1_SALT_BYTES];
	uint64_t area_offset; /* bytes */
};

/* Strings end with a zero and are otherwise as found: they may hold anything. */
struct luks1 {
	char cipher[64]; /* name and mode: "aes-xts-plain64" */
	char hash[32];
	uint64_t data_offset; /* bytes; 0: the header is detached */
	uint32_t key_bytes;
	uint8_t digest[LUKS1_DIGEST_BYTES], digest_salt[LUKS1_SALT_BYTES];
	uint32_t digest_iterations;
	char uuid[40];
	struct luks1_keyslot keyslots[LUKS1_KEYSLOTS];
};

/* Bytes that a keyslot's area takes, in whole sectors. */
uint64_t luks1_area_bytes(const struct luks1 *hdr);

/*
 * Reads the header and judges it as cryptsetup 2.6 does when it loads one, keyslots that are not
 * in use included. -SDE_NOT_LUKS: not a header of this version. -SDE_HEADER_INVALID with diag, or
 * an I/O error.
 */
int luks1_disk_read(struct blkdev *dev, struct luks1 *ret_hdr, struct diag *diag) MUST_CHECK;

/*
 * Changes one keyslot's record and flushes. Of a record that crosses a sector's border the part
 * with the mark "active" is written last, so a keyslot that was not in use comes to life at once
 * or not at all, however little of it reaches the medium.
 */
int luks1_disk_write_keyslot(
	struct blkdev *dev, int id, const struct luks1_keyslot *slot) MUST_CHECK;

#endif
