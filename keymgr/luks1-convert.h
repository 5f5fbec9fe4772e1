/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From LUKS version 1 to version 2, in place. See luks1-convert.c for what holds when power fails. */
#ifndef KEYMGR_LUKS1_CONVERT_H
#define KEYMGR_LUKS1_CONVERT_H

#include "base/blkdev.h"
#include "keymgr/luks2.h"

/*
 * Whether the header on dev (a drive, a header file, a backup) can be converted. Reads only.
 * -SDE_CONVERT with diag; -SDE_NOT_LUKS: it is not of version 1; also -SDE_CIPHER and
 * -SDE_NO_KEYSLOT for a volume that we cannot open either, and all of luks2_load().
 */
int luks1_convert_check(struct blkdev *dev, struct diag *diag) MUST_CHECK;
/*
 * Converts it, with nobody else using dev, and returns the header as it is then read back. UUID,
 * numbers of keyslots, passphrases and data stay what they were. After an error the volume opens
 * as before or is converted already, and the same call goes on.
 */
int luks1_convert(struct blkdev *dev, struct luks2 **ret_hdr, struct diag *diag) MUST_CHECK;

#endif
