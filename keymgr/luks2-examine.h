/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A close look at a header, without any secret: what is wrong with it, and where. Reads only. */
#ifndef KEYMGR_LUKS2_EXAMINE_H
#define KEYMGR_LUKS2_EXAMINE_H

#include "keymgr/luks2.h"

enum luks2_finding_kind {
	LUKS2_FOUND_COPY_DAMAGED, /* id: 0 primary, 1 secondary; so for the next three */
	LUKS2_FOUND_COPY_OLD,
	LUKS2_FOUND_COPY_MISSING,
	LUKS2_FOUND_COPIES_DIFFER, /* both good and of one age, but not the same; id: -1 */
	LUKS2_FOUND_FOREIGN,	   /* something else is on the drive, too; id: -1 */
	LUKS2_FOUND_UNUSABLE,	   /* as luks2_check_usable() says; id: -1 */
	LUKS2_FOUND_SLOT_UNUSABLE, /* id: the key slot; so for the rest */
	LUKS2_FOUND_SLOT_UNREADABLE,
	LUKS2_FOUND_SLOT_NOT_RANDOM, /* its area does not look like ciphertext */
};

struct luks2_finding {
	enum luks2_finding_kind kind;
	int id;
	struct diag why; /* may be empty */
};

typedef void luks2_finding_fn(void *ctx, const struct luks2_finding *finding);

/*
 * Calls report for all that is wrong. data_bytes as for luks2_check_usable(); 0: the device holds
 * nothing but a header. Without any usable copy the error is that of luks2_load(), after a report
 * on each copy.
 */
int luks2_examine(struct blkdev *dev, uint64_t data_bytes, luks2_finding_fn *report, void *ctx,
	struct luks2 **ret_hdr, struct diag *diag) MUST_CHECK;

/* The key slot's area can be read, and looks like ciphertext. */
bool luks2_keyslot_is_whole(struct blkdev *dev, const struct luks2_keyslot *slot);
/* Bytes from the start of the device that belong to the header: both copies and all keyslots. */
uint64_t luks2_areas_bytes(const struct luks2 *hdr);
/* The device ends where its data would begin: it is a backup of the header. */
bool luks2_is_backup(const struct luks2 *hdr, const struct blkdev *dev);

#endif
