/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LUKS version 1 in the model of version 2: one crypt segment (0), one digest (0), and a keyslot
 * for each of the eight that is in use. Private to keymgr: luks2_load() calls it.
 */
#ifndef KEYMGR_LUKS1_H
#define KEYMGR_LUKS1_H

#include "keymgr/luks1-disk.h"
#include "keymgr/luks2.h"

/* hdr->version is 1 and hdr->json NULL. Errors of luks1_disk_read(), -ENOMEM. */
int luks1_load(struct blkdev *dev, struct luks2 **ret_hdr, struct diag *diag) MUST_CHECK;
/*
 * The keyslots, segment and digest of a header of version 1, for either version's model. The
 * keyslots' type is "luks2", their areas are as large as the material in them.
 */
void luks1_to_model(const struct luks1 *from, struct luks2 *hdr);

/* luks2_backup() for a header of version 1. */
int luks1_backup(struct blkdev *dev, const struct luks2 *hdr, struct blkdev *file,
	struct diag *diag) MUST_CHECK;

#endif
