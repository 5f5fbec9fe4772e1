/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What has to be written to restore a header, and where. Private to luks2-restore*.c. */
#ifndef KEYMGR_LUKS2_RESTORE_PLAN_H
#define KEYMGR_LUKS2_RESTORE_PLAN_H

#include "keymgr/luks2-restore.h"

struct restore_plan {
	uint32_t write;			     /* key slots of the backup that are not on the drive */
	uint64_t aside[LUKS2_KEYSLOTS_MAX]; /* a free area for each of them, by number */
	bool no_room;			     /* there are not enough */
};

/* Version 2, usable, with headers and key slots at the same places. now may be NULL. */
bool restore_same_layout(const struct luks2 *now, const struct luks2 *backup);
/* A key slot of hdr lies in the range. */
bool restore_area_used(const struct luks2 *hdr, uint64_t offset, uint64_t size);
int restore_plan_make(struct blkdev *dev, const struct luks2 *now, struct blkdev *file,
	const struct luks2 *backup, struct restore_plan *ret_plan) MUST_CHECK;

#endif
