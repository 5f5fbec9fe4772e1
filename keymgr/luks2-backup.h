/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Backups of headers: the bytes of the drive from its start to the end of the keyslots area, as
 * `cryptsetup luksHeaderBackup` writes them and `luksHeaderRestore` takes them.
 */
#ifndef KEYMGR_LUKS2_BACKUP_H
#define KEYMGR_LUKS2_BACKUP_H

#include "keymgr/luks2.h"

/*
 * Copies the header of dev, which was loaded as hdr, to file, which is new, all zero, and
 * luks2_areas_bytes() long. Both copies of the header are whole in it, whatever they are on dev.
 * Flushes and reads back; until then file holds no header. -SDE_BUSY when the header is
 * changed meanwhile, -EIO when file reads otherwise than it was written, I/O errors.
 */
int luks2_backup(struct blkdev *dev, const struct luks2 *hdr, struct blkdev *file,
	struct diag *diag) MUST_CHECK;

#endif
