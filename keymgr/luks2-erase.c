/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/luks2-erase.h"

#include <errno.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/luks1.h"
#include "keymgr/luks2-disk.h"
#include "keymgr/luks2-examine.h"
#include "keymgr/luks2-update.h"
#include "keymgr/luks2-wipe.h"
#include "keymgr/token.h"

/* Two headers of the largest size, and what lies before the data of drives made with our defaults
 * or cryptsetup's. */
static const uint64_t before_data_max = UINT64_C(16) << 20;

uint64_t luks2_erase_bytes(const struct luks2 *hdr, const struct blkdev *dev)
{
	const struct luks2_segment *segment = luks2_data_segment(hdr);
	uint64_t before_data = segment ? min_u64(segment->offset, before_data_max) : 0;

	return min_u64(max_u64(luks2_areas_bytes(hdr), before_data), dev->size_bytes);
}

static uint64_t headers_end(const struct luks2 *hdr)
{
	return hdr->version == 1 ? round_up_u64(hdr->hdr_bytes, 512) : 2 * hdr->hdr_bytes;
}

/* What is found on the medium now is no header, or not what it was. */
static int check_gone(struct blkdev *dev, uint64_t bytes, struct diag *diag)
{
	CLEANUP_LUKS2 struct luks2 *left = NULL;
	int r = blkdev_refresh(dev, bytes, 0);

	if (!r)
		r = luks2_load(dev, LUKS2_FOREIGN_OK, &left, NULL);
	if (r == -SDE_NOT_LUKS)
		return 0;
	if (r == 0 || r == -SDE_HEADER_DAMAGED || r == -SDE_HEADER_INVALID)
		return diag_set(diag, -EIO, _("a header is still found after it was overwritten"));
	return r;
}

static int discard(struct blkdev *dev, uint64_t bytes, bool *ret_discarded)
{
	int r = dev->discards ? blkdev_discard(dev, 0, bytes) : -EOPNOTSUPP;

	/* advice: a drive that does not take it is erased nonetheless */
	*ret_discarded = !r;
	return r == -ENODEV ? r : blkdev_flush(dev);
}

int luks2_erase(struct blkdev *dev, const struct luks2 *hdr, struct luks2_erasure *ret_erasure,
	struct diag *diag)
{
	struct luks2_erasure erasure = {.bytes = luks2_erase_bytes(hdr, dev)};
	uint64_t headers = min_u64(headers_end(hdr), erasure.bytes);
	int r = crypto_init();

	if (!r)
		r = luks2_wipe_random(dev, headers, erasure.bytes, true);
	if (!r)
		r = luks2_wipe_random(dev, 0, headers, true);
	if (r == -EIO)
		diag_set(diag, r, _("what was overwritten reads otherwise than it was written"));
	if (!r)
		r = check_gone(dev, erasure.bytes, diag);
	if (!r)
		r = discard(dev, erasure.bytes, &erasure.discarded);
	if (!r)
		r = check_gone(dev, erasure.bytes, diag);
	if (!r)
		*ret_erasure = erasure;
	return r;
}

/* The material first: a record that is left says where it was. */
static int erase_luks1_keyslot(struct blkdev *dev, int id, struct diag *diag)
{
	struct luks1 hdr;
	int r = luks1_disk_read(dev, &hdr, diag);

	if (r)
		return r;
	struct luks1_keyslot empty = {.area_offset = hdr.keyslots[id].area_offset};

	r = luks2_wipe_random(dev, empty.area_offset, empty.area_offset + luks1_area_bytes(&hdr), true);
	if (!r)
		r = luks1_disk_write_keyslot(dev, id, &empty);
	if (!r)
		r = luks1_disk_read(dev, &hdr, diag);
	return !r && hdr.keyslots[id].active ? -EIO : r;
}

int luks2_erase_keyslot(struct blkdev *dev, const struct luks2 *hdr, int id,
	const struct secret *volume_key, struct diag *diag)
{
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;
	int r = crypto_init();

	if (r)
		return r;
	if (hdr->version == 1)
		return erase_luks1_keyslot(dev, id, diag);
	if (!luks2_keyslot_by_id(hdr, id))
		return -SDE_SLOT;
	r = luks2_update_begin(dev, hdr, &update, diag);
	if (!r)
		r = token_forget(update, UINT32_C(1) << id, diag);
	if (!r)
		r = luks2_keyslot_remove(update, id, diag);
	return r ? r : luks2_update_commit(update, volume_key, diag);
}
