/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changing a header that is in use.
 *
 * 1. All of it happens under blkdev_lock(), on what was read under it. Somebody who knows no lock is
 *    noticed: the header is read once more right before it is written.
 * 2. At every moment one whole copy of the header is on the medium, the old one or the new one, and both
 *    name only key slots whose areas are whole. So a new key slot's area is written, and has opened,
 *    before any header names it; and an area is overwritten only when no header names it any more.
 * 3. Of the two copies the one that is not good is written first; when both are, the second. Each is
 *    flushed before the other is touched, and both are read back.
 * 4. What must still be overwritten when power fails is written in the header (luks2-wipe.h).
 * 5. Whoever gives commit the volume key gets a sealed header (luks2-seal.h); a change without it leaves
 *    a seal that is wrong from then on, and says so.
 * 6. seqid rises by one with every header written. Members and tokens that nobody here knows stay as
 *    they are, to the byte (luks2-keep.c).
 *
 *	begin -> changed ... -> commit -> changed ... -> commit -> end
 *	  an error of changed or commit: failed, only end is left
 */
#include "keymgr/luks2-update.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/digest.h"
#include "keymgr/judge.h"
#include "keymgr/luks2-disk.h"
#include "keymgr/luks2-keep.h"
#include "keymgr/luks2-seal.h"
#include "keymgr/luks2-update-doc.h"
#include "keymgr/luks2-wipe.h"

struct luks2_update {
	struct blkdev *dev;
	struct luks2 *on_medium; /* as last read or written */
	struct luks2 *hdr;	 /* the model of doc */
	json_t *doc, *wipes;
	struct luks2_copy identity; /* sizes, label, UUID, ... of what is written; without JSON */
	bool locked, failed;
};

/* ---- what a header says besides its document ---- */

static void copy_from(const struct luks2 *hdr, struct luks2_copy *copy)
{
	copy->hdr_bytes = hdr->hdr_bytes;
	copy->seqid = hdr->seqid;
	memcpy(copy->label, hdr->label, sizeof(copy->label));
	memcpy(copy->subsystem, hdr->subsystem, sizeof(copy->subsystem));
	memcpy(copy->uuid, hdr->uuid, sizeof(copy->uuid));
	memcpy(copy->csum_alg, hdr->csum_alg, sizeof(copy->csum_alg));
}

static bool same_header(const struct luks2 *a, const struct luks2 *b)
{
	return a->seqid == b->seqid && a->hdr_bytes == b->hdr_bytes && !strcmp(a->uuid, b->uuid) &&
	       !strcmp(a->label, b->label) && !strcmp(a->subsystem, b->subsystem) &&
	       json_equal(a->json, b->json);
}

int luks2_check_changeable(const struct luks2 *hdr, struct diag *diag)
{
	const struct luks2_segment *segment = luks2_data_segment(hdr);
	uint64_t data_bytes;

	if (hdr->version != 2)
		return -SDE_LUKS1;
	/* as if the drive ended where the data do: whether they are there does not matter */
	if (!segment || !add_u64(segment->offset, max_u64(segment->size, segment->sector_bytes), &data_bytes))
		data_bytes = UINT64_MAX;
	int r = luks2_check_usable(hdr, data_bytes, diag);

	/* a header without any key slot can still get one, from whoever holds the volume key */
	return r == -SDE_NO_KEYSLOT ? 0 : r;
}

/* ---- begin and end ---- */

static int load(struct luks2_update *update, struct luks2 **ret_hdr, struct diag *diag)
{
	/* somebody else may have written past our cache; the areas are refreshed when they are read */
	int r = blkdev_refresh(update->dev, min_u64(update->dev->size_bytes, 2 * LUKS2_HDR_BYTES_MAX), 0);

	return r ? r : luks2_load(update->dev, 0, ret_hdr, diag);
}

static int update_open(struct luks2_update *update, const struct luks2 *seen, struct diag *diag)
{
	int r = load(update, &update->on_medium, diag);

	if (!r)
		r = luks2_check_changeable(update->on_medium, diag);
	if (!r && seen && !same_header(seen, update->on_medium))
		r = -SDE_HEADER_CHANGED;
	if (r)
		return r;
	copy_from(update->on_medium, &update->identity);
	update->doc = json_deep_copy(update->on_medium->json);
	update->wipes = json_array();
	r = update->doc && update->wipes ? luks2_wipe_take(update->doc, update->wipes) : -ENOMEM;
	return luks2_update_changed(update, r, diag);
}

int luks2_update_begin(struct blkdev *dev, const struct luks2 *seen, struct luks2_update **ret_update,
	struct diag *diag)
{
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = calloc(1, sizeof(*update));
	int r = !update ? -ENOMEM : dev->read_only ? -EROFS : blkdev_lock(dev);

	if (r)
		return r;
	update->dev = dev;
	update->locked = true;
	r = update_open(update, seen, diag);
	if (!r)
		*ret_update = take_ptr(update);
	return r;
}

void luks2_update_end(struct luks2_update *update)
{
	if (!update)
		return;
	if (update->locked)
		blkdev_unlock(update->dev);
	luks2_free(update->on_medium);
	luks2_free(update->hdr);
	json_decref(update->doc);
	json_decref(update->wipes);
	free(update);
}

/* ---- changing ---- */

const struct luks2 *luks2_update_header(const struct luks2_update *update)
{
	return update->hdr;
}

struct blkdev *luks2_update_dev(const struct luks2_update *update)
{
	return update->dev;
}

json_t *luks2_update_doc(struct luks2_update *update)
{
	return update->doc;
}

const json_t *luks2_update_wipes(const struct luks2_update *update)
{
	return update->wipes;
}

void luks2_update_identity(struct luks2_update *update, const struct luks2 *from)
{
	copy_from(from, &update->identity);
	update->identity.seqid = update->on_medium->seqid;
}

int luks2_update_wipe(struct luks2_update *update, uint64_t offset, uint64_t size)
{
	return luks2_wipe_add(update->wipes, offset, size);
}

static int model_renew(struct luks2_update *update, struct diag *diag)
{
	struct luks2 *hdr;
	int r = luks2_json_validate(update->doc, update->identity.hdr_bytes, diag);

	if (!r)
		r = luks2_model_new(&update->identity, update->doc, &hdr);
	if (r)
		return r;
	luks2_free(update->hdr);
	update->hdr = hdr;
	return 0;
}

int luks2_update_changed(struct luks2_update *update, int made, struct diag *diag)
{
	int r = made < 0 ? -ENOMEM : update->failed ? -EINVAL : model_renew(update, diag);

	update->failed |= r != 0;
	return r;
}

/* ---- commit ---- */

static int check_key(const struct luks2_update *update, const struct secret *volume_key)
{
	const struct luks2_segment *segment = luks2_data_segment(update->hdr);

	for (int i = 0; volume_key && i < update->hdr->digest_count; i++)
		if (segment && update->hdr->digests[i].id == segment->digest)
			return digest_verify(&update->hdr->digests[i], volume_key);
	return 0;
}

/* What is on the medium is still what this update began with. */
static int check_unchanged(struct luks2_update *update, struct diag *diag)
{
	CLEANUP_LUKS2 struct luks2 *now = NULL;
	int r = load(update, &now, diag);

	if (!r && !same_header(now, update->on_medium))
		r = -SDE_HEADER_CHANGED;
	return r;
}

static int check_written(struct luks2_update *update, struct luks2 *written, struct diag *diag)
{
	CLEANUP_LUKS2 struct luks2 *now = NULL;
	int r = load(update, &now, diag);

	if (!r && (now->copies[0] != LUKS2_COPY_OK || now->copies[1] != LUKS2_COPY_OK ||
			  !same_header(now, written)))
		r = diag_set(diag, -EIO, _("the header reads back differently from what was written"));
	if (!r) {
		luks2_free(update->on_medium);
		update->on_medium = take_ptr(now);
		update->identity.seqid = update->on_medium->seqid;
	}
	return r;
}

static int copies_write(struct luks2_update *update, const struct luks2_copy *copy)
{
	bool second_first = update->on_medium->copies[0] == LUKS2_COPY_OK;
	int r = luks2_disk_write(update->dev, copy, second_first);

	return r ? r : luks2_disk_write(update->dev, copy, !second_first);
}

/* For who has the key: the seal of what doc says now. */
static int seal(struct luks2_update *update, json_t *doc, const struct secret *volume_key)
{
	int r = volume_key ? luks2_seal_put(update->hdr, doc, volume_key) : 0;

	return r == -ENOSPC ? -SDE_HEADER_FULL : r;
}

/* doc, on the medium, as the next in the sequence. */
static int header_write(struct luks2_update *update, json_t *doc, const struct secret *volume_key,
	struct diag *diag)
{
	CLEANUP_LUKS2_COPY struct luks2_copy copy = update->identity;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;

	if (update->on_medium->seqid == UINT64_MAX)
		return diag_set(diag, -SDE_HEADER_INVALID, _("its sequence number cannot rise"));
	copy.seqid = update->on_medium->seqid + 1;
	int r = seal(update, doc, volume_key);

	if (!r)
		r = luks2_json_validate(doc, copy.hdr_bytes, diag);
	if (!r)
		r = luks2_keep_print(doc, update->on_medium->json, update->on_medium->json_text,
			luks2_copy_json_bytes(&copy), &copy.json);
	if (r)
		return r == -ENOSPC ? -SDE_HEADER_FULL : r;
	r = luks2_model_new(&copy, doc, &hdr);
	if (!r)
		r = check_unchanged(update, diag);
	if (!r)
		r = copies_write(update, &copy);
	return r ? r : check_written(update, hdr, diag);
}

static int commit_wipes(
	struct luks2_update *update, const struct secret *volume_key, struct diag *diag)
{
	CLEANUP_JSON json_t *noted = json_deep_copy(update->doc);
	int r = noted ? luks2_wipe_note(noted, update->wipes) : -ENOMEM;

	if (!r)
		r = header_write(update, noted, volume_key, diag);
	/* in a full header the note does not fit: then the areas are overwritten without one */
	if (r == -SDE_HEADER_FULL)
		r = header_write(update, update->doc, volume_key, diag);
	if (!r)
		r = luks2_wipe_run(update->dev, update->hdr, update->wipes);
	if (!r)
		json_array_clear(update->wipes);
	return r;
}

static bool as_on_medium(const struct luks2_update *update)
{
	const struct luks2 *was = update->on_medium;

	return json_equal(update->doc, was->json) && !strcmp(update->identity.label, was->label) &&
	       !strcmp(update->identity.subsystem, was->subsystem) &&
	       !strcmp(update->identity.uuid, was->uuid);
}

/* Nothing to change but a seal that is not right is something to change. */
static int seal_wrong(
	const struct luks2_update *update, const struct secret *volume_key, bool *ret_wrong)
{
	enum luks2_seal_state state = LUKS2_SEAL_NONE;
	int r = volume_key ? luks2_seal_check(update->on_medium, volume_key, &state, NULL) : 0;

	*ret_wrong = state == LUKS2_SEAL_BROKEN || state == LUKS2_SEAL_REMOVED;
	return r;
}

/* The first seal of a header marks its digest, too: before anything is copied from doc. */
static int seal_doc(
	struct luks2_update *update, const struct secret *volume_key, struct diag *diag)
{
	int r = seal(update, update->doc, volume_key);

	return r ? r : luks2_update_changed(update, 0, diag);
}

int luks2_update_commit(struct luks2_update *update, const struct secret *volume_key, struct diag *diag)
{
	bool changed = json_array_size(update->wipes) || !as_on_medium(update);
	int r = update->failed ? -EINVAL : check_key(update, volume_key);

	if (!r && !as_on_medium(update))
		r = luks2_judge(update->on_medium, update->hdr, diag);
	if (!r && !changed)
		r = seal_wrong(update, volume_key, &changed);
	if (!r && changed)
		r = seal_doc(update, volume_key, diag);
	if (!r && json_array_size(update->wipes))
		r = commit_wipes(update, volume_key, diag);
	if (!r && !as_on_medium(update))
		r = header_write(update, update->doc, volume_key, diag);
	if (!r)
		r = luks2_update_changed(update, 0, diag);
	update->failed |= r != 0;
	return r;
}
