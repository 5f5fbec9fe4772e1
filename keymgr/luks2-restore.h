/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Putting a backup of a header back (luks2-backup.h), and repairing a damaged copy from the good one.
 * luks2-restore.c says what is on the medium when power fails.
 */
#ifndef KEYMGR_LUKS2_RESTORE_H
#define KEYMGR_LUKS2_RESTORE_H

#include "keymgr/luks2.h"

/* What a backup is to the header that is there. */
struct luks2_restore_diff {
	bool no_header; /* there is none, or none of its kind: nothing below is known */
	/* what speaks against it */
	bool foreign;	/* the UUIDs differ */
	bool other_key; /* the volume key may be another one: then the data cannot be read */
	bool moved;	/* the data are elsewhere, or encrypted in another way */
	bool older;	/* the header was changed after the backup was made */
	bool unsafe;	/* no room to do it so that the drive opens whenever power fails */
	/* what will change; bit masks of numbers */
	uint32_t slots_back, slots_gone, slots_changed;
	uint32_t tokens_back, tokens_gone, tokens_changed;
	bool label, uuid, rest; /* rest: flags, requirements, anything else */
};

/* Whether there is nothing to do. */
bool luks2_restore_same(const struct luks2_restore_diff *diff);

/*
 * now: the header of dev; NULL when it has none. backup: that of file. data_bytes: the size of what
 * holds the data, which backup must fit (as luks2_check_usable(); -SDE_HEADER_INVALID also when
 * the restored key slots would lie where the data of now are). Reads only.
 */
int luks2_restore_compare(struct blkdev *dev, const struct luks2 *now, struct blkdev *file,
	const struct luks2 *backup, uint64_t data_bytes, struct luks2_restore_diff *ret_diff,
	struct diag *diag) MUST_CHECK;
/*
 * Does it, whatever the difference. Locks dev; -SDE_HEADER_CHANGED when now is not what is there any
 * more, -EIO when dev reads otherwise than it was written, I/O errors.
 */
int luks2_restore(struct blkdev *dev, const struct luks2 *now, struct blkdev *file,
	const struct luks2 *backup, struct diag *diag) MUST_CHECK;

/*
 * Writes the copy that is not good, or not the same, from the one that is in use. Locks dev.
 * *ret_done: there was something to do. Errors of luks2_load() with flags, -EIO, I/O errors.
 */
int luks2_repair(struct blkdev *dev, unsigned flags, bool *ret_done, struct diag *diag) MUST_CHECK;

#endif
