/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Putting a backup back.
 *
 * A key slot of the backup lies where another one may lie now, so neither header is right while the
 * areas are being overwritten. Therefore, where both headers have one layout:
 *
 *	1. each key slot of the backup whose area is not on the medium already is written to an
 *	   area that neither header uses, and read back;
 *	2. a header that is the backup's, but for the places of these key slots, is committed;
 *	3. they are written to their own places, which no header uses now, and read back;
 *	4. the backup's header is committed as it is, and all areas that it does not use, but the old
 *	   header did, are overwritten (luks2-update.c).
 *
 * So at every moment a header is there whose key slots are whole: the old one, the one in between, or the
 * backup's. The one in between has the backup's seal, which is wrong for it; restoring once more
 * makes it right. Without room for step 1 (diff.unsafe) it and step 2 are left out.
 *
 * Where there is no header, or one of another layout, there is nothing to be kept: the primary
 * header is erased, then key slots, secondary and primary are written in this order.
 */
#include "keymgr/luks2-restore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "keymgr/keyslot.h"
#include "keymgr/luks2-disk.h"
#include "keymgr/luks2-examine.h"
#include "keymgr/luks2-restore-plan.h"
#include "keymgr/luks2-update-doc.h"

enum { CHUNK_BYTES = 64 * 1024, LUKS1_FIRST_BYTES = 4096 };

/* Copies and reads back. The flush is part of it. */
static int copy_area(struct blkdev *from, uint64_t from_offset, struct blkdev *to,
	uint64_t to_offset, uint64_t size, struct diag *diag)
{
	CLEANUP_FREE uint8_t *ours = malloc(CHUNK_BYTES), *theirs = malloc(CHUNK_BYTES);
	int r = ours && theirs ? 0 : -ENOMEM;

	for (uint64_t at = 0, len; !r && at < size; at += len) {
		len = min_u64(size - at, CHUNK_BYTES);
		r = blkdev_read(from, ours, len, from_offset + at);
		if (!r)
			r = blkdev_write(to, ours, len, to_offset + at);
	}
	if (!r)
		r = blkdev_flush(to);
	if (!r)
		r = blkdev_refresh(to, size, to_offset);
	for (uint64_t at = 0, len; !r && at < size; at += len) {
		len = min_u64(size - at, CHUNK_BYTES);
		r = blkdev_read(from, ours, len, from_offset + at);
		if (!r)
			r = blkdev_read(to, theirs, len, to_offset + at);
		if (!r && memcmp(ours, theirs, len))
			r = diag_set(diag, -EIO, _("the drive reads otherwise than it was written"));
	}
	return r;
}

/* --- where both headers have one layout ----------------------------------------------------- */

static int write_slots(struct luks2_update *update, struct blkdev *file, const struct luks2 *backup,
	const struct restore_plan *plan, bool aside, struct diag *diag)
{
	int r = 0;

	for (int i = 0; !r && i < backup->keyslot_count; i++) {
		const struct luks2_keyslot *slot = &backup->keyslots[i];

		if (plan->write >> slot->id & 1)
			r = copy_area(file, slot->area_offset, luks2_update_dev(update),
				aside ? plan->aside[slot->id] : slot->area_offset, slot->area_size, diag);
	}
	return r;
}

/* The document of the update becomes the backup's, with the written slots aside or where they are. */
static int put_document(struct luks2_update *update, const struct luks2 *backup,
	const struct restore_plan *plan, bool aside, struct diag *diag)
{
	CLEANUP_JSON json_t *copy = json_deep_copy(backup->json);
	json_t *doc = luks2_update_doc(update);
	char id[16], offset[24];
	int made = copy ? 0 : -1;

	for (int i = 0; !made && aside && i < backup->keyslot_count; i++) {
		int number = backup->keyslots[i].id;

		if (!(plan->write >> number & 1))
			continue;
		snprintf(id, sizeof(id), "%d", number);
		snprintf(offset, sizeof(offset), "%llu", (unsigned long long)plan->aside[number]);
		made = json_object_set_new(
			json_object_get(json_object_get(json_object_get(copy, "keyslots"), id), "area"),
			"offset", json_string(offset));
	}
	if (!made)
		made = json_object_clear(doc);
	if (!made)
		made = json_object_update(doc, copy);
	luks2_update_identity(update, backup);
	return luks2_update_changed(update, made, diag);
}

/* What the old header used, and the areas aside: luks2_wipe_run() leaves alone what is used. */
static int wipe_rest(struct luks2_update *update, const struct luks2 *now, const struct luks2 *backup,
	const struct restore_plan *plan)
{
	int r = 0;

	for (int i = 0; !r && i < now->keyslot_count; i++)
		if (!restore_area_used(backup, now->keyslots[i].area_offset, now->keyslots[i].area_size))
			r = luks2_update_wipe(
				update, now->keyslots[i].area_offset, now->keyslots[i].area_size);
	for (int i = 0; !r && !plan->no_room && i < backup->keyslot_count; i++)
		if (plan->write >> backup->keyslots[i].id & 1)
			r = luks2_update_wipe(update, plan->aside[backup->keyslots[i].id],
				backup->keyslots[i].area_size);
	return r;
}

static int restore_in_place(struct blkdev *dev, const struct luks2 *now, struct blkdev *file,
	const struct luks2 *backup, struct diag *diag)
{
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;
	struct restore_plan plan;
	int r = luks2_update_begin(dev, now, &update, diag);

	if (!r)
		r = restore_plan_make(dev, now, file, backup, &plan);
	if (!r && plan.write && !plan.no_room) {
		r = write_slots(update, file, backup, &plan, true, diag);
		if (!r)
			r = put_document(update, backup, &plan, true, diag);
		if (!r)
			r = luks2_update_commit(update, NULL, diag);
	}
	if (!r)
		r = write_slots(update, file, backup, &plan, false, diag);
	if (!r)
		r = put_document(update, backup, &plan, false, diag);
	if (!r)
		r = wipe_rest(update, now, backup, &plan);
	return r ? r : luks2_update_commit(update, NULL, diag);
}

/* --- where there is nothing to be kept ------------------------------------------------------ */

static int restore_luks1(struct blkdev *dev, struct blkdev *file, const struct luks2 *backup,
	struct diag *diag)
{
	int r = copy_area(file, LUKS1_FIRST_BYTES, dev, LUKS1_FIRST_BYTES,
		luks2_areas_bytes(backup) - LUKS1_FIRST_BYTES, diag);

	return r ? r : copy_area(file, 0, dev, 0, LUKS1_FIRST_BYTES, diag);
}

static int restore_luks2(struct blkdev *dev, struct blkdev *file, const struct luks2 *backup,
	struct diag *diag)
{
	CLEANUP_LUKS2_COPY struct luks2_copy copy = {0};
	uint64_t keyslots = 2 * backup->hdr_bytes;
	int r = copy_area(file, keyslots, dev, keyslots, backup->keyslots_size, diag);

	if (!r)
		r = luks2_disk_read(file,
			backup->copies[0] == LUKS2_COPY_OK ? 0 : backup->hdr_bytes, &copy);
	if (!r)
		r = luks2_disk_write(dev, &copy, true);
	return r ? r : luks2_disk_write(dev, &copy, false);
}

static int restore_anew(struct blkdev *dev, struct blkdev *file, const struct luks2 *backup,
	struct diag *diag)
{
	static const uint8_t zeroes[LUKS2_BIN_BYTES];
	CLEANUP_LUKS2 struct luks2 *written = NULL;
	int r = blkdev_write(dev, zeroes, sizeof(zeroes), 0);

	if (!r)
		r = blkdev_flush(dev);
	if (!r)
		r = backup->version == 1 ? restore_luks1(dev, file, backup, diag)
					 : restore_luks2(dev, file, backup, diag);
	if (!r)
		r = luks2_load(dev, LUKS2_FOREIGN_OK, &written, diag);
	if (!r && (strcmp(written->uuid, backup->uuid) || written->copies[0] != LUKS2_COPY_OK ||
			  written->copies[1] != LUKS2_COPY_OK))
		r = diag_set(diag, -EIO, _("the drive reads otherwise than it was written"));
	return r;
}

int luks2_restore(struct blkdev *dev, const struct luks2 *now, struct blkdev *file,
	const struct luks2 *backup, struct diag *diag)
{
	bool ignored;
	int r;

	if (restore_same_layout(now, backup)) {
		r = restore_in_place(dev, now, file, backup, diag);
		/* the header may have been the right one already, in one copy */
		return r ? r : luks2_repair(dev, LUKS2_FOREIGN_OK, &ignored, diag);
	}
	r = blkdev_lock(dev);
	if (r)
		return r;
	r = restore_anew(dev, file, backup, diag);
	blkdev_unlock(dev);
	return r;
}

/* --- repair --------------------------------------------------------------------------------- */

static int repair_difference(struct blkdev *dev, const struct luks2 *hdr, bool *ret_done)
{
	CLEANUP_LUKS2_COPY struct luks2_copy first = {0}, second = {0};
	int r = luks2_disk_read(dev, 0, &first);

	if (!r)
		r = luks2_disk_read(dev, hdr->hdr_bytes, &second);
	if (r || luks2_copies_equal(&first, &second))
		return r;
	*ret_done = true;
	return luks2_disk_write(dev, &first, true);
}

static int repair_locked(struct blkdev *dev, unsigned flags, bool *ret_done, struct diag *diag)
{
	CLEANUP_LUKS2 struct luks2 *hdr = NULL, *again = NULL;
	bool done;
	int r = luks2_load(dev, flags | LUKS2_REPAIR, &hdr, diag);

	if (r)
		return r;
	done = hdr->copies[0] != LUKS2_COPY_OK || hdr->copies[1] != LUKS2_COPY_OK;
	if (hdr->version != 1 && !done)
		r = repair_difference(dev, hdr, &done);
	if (!r)
		r = blkdev_refresh(dev, luks2_areas_bytes(hdr), 0);
	if (!r)
		r = luks2_load(dev, flags, &again, diag);
	if (!r && (again->copies[0] != LUKS2_COPY_OK || again->copies[1] != LUKS2_COPY_OK))
		r = diag_set(diag, -EIO, _("the drive reads otherwise than it was written"));
	if (!r)
		*ret_done = done;
	return r;
}

int luks2_repair(struct blkdev *dev, unsigned flags, bool *ret_done, struct diag *diag)
{
	int r = blkdev_lock(dev);

	if (r)
		return r;
	r = repair_locked(dev, flags, ret_done, diag);
	blkdev_unlock(dev);
	return r;
}
