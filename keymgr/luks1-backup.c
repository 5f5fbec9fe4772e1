/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A version 1 header in a file, as cryptsetup saves it: the header, zeroes, the keyslots. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "keymgr/luks1.h"
#include "keymgr/luks2-examine.h"

enum { FIRST_SECTORS = 2 * LUKS1_SECTOR_BYTES };

/* The bytes that a backup of dev has; the last ones are zero where dev is shorter. */
static int read_all(struct blkdev *dev, uint8_t *bytes, size_t len)
{
	uint8_t *header_end = bytes + LUKS1_HDR_BYTES;
	struct luks1 hdr;
	uint64_t first = UINT64_MAX;
	int r = luks1_disk_read(dev, &hdr, NULL);

	if (!r)
		r = blkdev_read(dev, bytes, min_u64(len, dev->size_bytes), 0);
	if (r)
		return r;
	for (int i = 0; i < LUKS1_KEYSLOTS; i++)
		first = min_u64(first, hdr.keyslots[i].area_offset);
	memset(header_end, 0, first - LUKS1_HDR_BYTES);
	return 0;
}

static int write_all(struct blkdev *file, const uint8_t *bytes, size_t len)
{
	int r = blkdev_write(file, bytes + FIRST_SECTORS, len - FIRST_SECTORS, FIRST_SECTORS);

	if (!r)
		r = blkdev_flush(file);
	if (!r)
		r = blkdev_write(file, bytes, FIRST_SECTORS, 0);
	return r ? r : blkdev_flush(file);
}

int luks1_backup(
	struct blkdev *dev, const struct luks2 *hdr, struct blkdev *file, struct diag *diag)
{
	size_t len = luks2_areas_bytes(hdr);
	CLEANUP_FREE uint8_t *bytes = calloc(1, len), *again = calloc(1, len);
	int r = bytes && again ? read_all(dev, bytes, len) : -ENOMEM;

	if (!r)
		r = write_all(file, bytes, len);
	if (!r)
		r = blkdev_refresh(file, len, 0);
	if (!r)
		r = blkdev_read(file, again, len, 0);
	if (!r && memcmp(bytes, again, len))
		r = diag_set(diag, -EIO, _("the backup reads otherwise than it was written"));
	if (!r)
		r = read_all(dev, again, len);
	if (!r && memcmp(bytes, again, len))
		r = diag_set(diag, -SDE_BUSY, _("its header was changed meanwhile"));
	return r;
}
