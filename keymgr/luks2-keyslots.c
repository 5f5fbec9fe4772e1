/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Key slots of a header that is being changed. Format sections 3.2 and 4.
 *
 * A new one goes into an area that nothing uses, and has opened there before the document names it.
 */
#include <errno.h>
#include <gcrypt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/af.h"
#include "keymgr/digest.h"
#include "keymgr/kdf.h"
#include "keymgr/keyslot.h"
#include "keymgr/luks2-examine.h"
#include "keymgr/luks2-rules.h"
#include "keymgr/luks2-update-doc.h"

enum { ITER_TIME_MS = 2000, AREAS_MAX = 256 };

struct luks2_new_keyslot {
	struct luks2_keyslot slot; /* all but the place of its area and its id */
	struct secret *area_key;
};

void luks2_new_keyslot_free(struct luks2_new_keyslot *slot)
{
	if (!slot)
		return;
	secret_free(slot->area_key);
	free(slot);
}

/* ---- what there is ---- */

const struct luks2_keyslot *luks2_keyslot_by_id(const struct luks2 *hdr, int id)
{
	for (int i = 0; i < hdr->keyslot_count; i++)
		if (hdr->keyslots[i].id == id)
			return &hdr->keyslots[i];
	return NULL;
}

bool luks2_keyslot_opens(const struct luks2 *hdr, const struct luks2_keyslot *slot)
{
	const struct luks2_segment *segment = luks2_data_segment(hdr);

	return slot->usable && segment && slot->digest >= 0 && slot->digest == segment->digest;
}

int luks2_keyslots_opening(const struct luks2 *hdr, struct blkdev *dev, uint32_t except)
{
	int count = 0;

	/* "ignore" slots open nothing unless they are asked for by number */
	for (int i = 0; i < hdr->keyslot_count; i++) {
		const struct luks2_keyslot *slot = &hdr->keyslots[i];

		count += !(except >> slot->id & 1) && slot->priority != LUKS2_PRIORITY_IGNORE &&
			 luks2_keyslot_opens(hdr, slot) && luks2_keyslot_is_whole(dev, slot);
	}
	return count;
}

static const struct luks2_digest *data_digest(const struct luks2 *hdr)
{
	const struct luks2_segment *segment = luks2_data_segment(hdr);

	for (int i = 0; segment && i < hdr->digest_count; i++)
		if (hdr->digests[i].id == segment->digest)
			return &hdr->digests[i];
	return NULL;
}

static int no_slot(int id, struct diag *diag)
{
	return diag_set(diag, -SDE_SLOT, _("there is no key slot %d"), id);
}

int luks2_keyslot_check_free(const struct luks2 *hdr, int id, struct diag *diag)
{
	char name[16];

	if (id < 0 && json_object_size(json_object_get(hdr->json, "keyslots")) >= LUKS2_KEYSLOTS_MAX)
		return diag_set(diag, -SDE_SLOT, _("all %d key slots are in use"), LUKS2_KEYSLOTS_MAX);
	snprintf(name, sizeof(name), "%d", id);
	if (json_object_get(json_object_get(hdr->json, "keyslots"), name))
		return diag_set(diag, -SDE_SLOT, _("key slot %d is in use"), id);
	return 0;
}

int luks2_keyslot_check_used(const struct luks2 *hdr, int id, struct diag *diag)
{
	return luks2_keyslot_by_id(hdr, id) ? 0 : no_slot(id, diag);
}

/* ---- preparing ---- */

/* Length of the volume key; 0: no key slot tells. */
static uint32_t key_bytes_of(const struct luks2 *hdr)
{
	for (int i = 0; i < hdr->keyslot_count; i++)
		if (luks2_keyslot_opens(hdr, &hdr->keyslots[i]))
			return hdr->keyslots[i].key_bytes;
	return 0;
}

/* A key slot is encrypted as the data are, and so is its key as long; cryptsetup does the same. */
static int plan_slot(const struct luks2 *hdr, const struct luks2_keyslot_params *params,
	struct luks2_keyslot *slot, struct diag *diag)
{
	const struct luks2_segment *segment = luks2_data_segment(hdr);
	uint32_t key_bytes = key_bytes_of(hdr);

	if (!segment || !key_bytes)
		return -SDE_NO_KEYSLOT;
	*slot = (struct luks2_keyslot){
		.type = "luks2",
		.usable = true,
		.priority = params->priority,
		.key_bytes = key_bytes,
		.area_key_bytes = key_bytes,
		.area_size = keyslot_area_bytes(key_bytes),
		.af_hash = "sha256",
		.af_stripes = AF_STRIPES,
		.kdf = params->kdf,
	};
	memcpy(slot->area_cipher, segment->cipher, sizeof(slot->area_cipher));
	if (params->kdf_default)
		slot->kdf = (struct luks2_kdf){.type = LUKS2_KDF_ARGON2ID};
	return kdf_check_costs(&slot->kdf, diag);
}

int luks2_keyslot_prepare(const struct luks2 *hdr, const struct luks2_keyslot_params *params,
	const struct secret *passphrase, struct luks2_new_keyslot **ret_slot, struct diag *diag)
{
	CLEANUP_LUKS2_NEW_KEYSLOT struct luks2_new_keyslot *new = calloc(1, sizeof(*new));
	struct luks2_keyslot *slot = new ? &new->slot : NULL;
	int r = new ? crypto_init() : -ENOMEM;

	if (!r)
		r = plan_slot(hdr, params, slot, diag);
	if (!r)
		r = kdf_calibrate(&slot->kdf, slot->area_key_bytes,
			params->iter_time_ms ? params->iter_time_ms : ITER_TIME_MS, params->weakest_bytes);
	if (r)
		return r;
	slot->kdf.salt_len = KDF_SALT_BYTES;
	gcry_randomize(slot->kdf.salt, slot->kdf.salt_len, GCRY_STRONG_RANDOM);
	r = keyslot_derive(slot, passphrase, &new->area_key, diag);
	if (!r)
		*ret_slot = take_ptr(new);
	return r;
}

/* ---- a free area ---- */

struct areas {
	struct interval taken[AREAS_MAX];
	size_t count;
};

static bool areas_add(struct areas *areas, uint64_t start, uint64_t size)
{
	if (areas->count == AREAS_MAX)
		return false;
	areas->taken[areas->count++] = (struct interval){start, start + size};
	return true;
}

/* Key slots of the document, also those that the model does not know, and what waits to be wiped. */
static bool areas_collect(const json_t *doc, const json_t *wipes, struct areas *areas)
{
	uint64_t start, size;
	const char *id;
	json_t *item;
	size_t i;

	json_object_foreach(json_object_get(doc, "keyslots"), id, item)
	{
		const json_t *area = json_object_get(item, "area");

		if (!areas_add(areas, get_number(area, "offset"), get_number(area, "size")))
			return false;
	}
	json_array_foreach(wipes, i, item)
		if (luks2_json_u64(json_array_get(item, 0), &start) &&
			luks2_json_u64(json_array_get(item, 1), &size) && size <= UINT64_MAX - start &&
			!areas_add(areas, start, size))
			return false;
	return true;
}

/* The first gap, as cryptsetup takes it. */
static bool areas_gap(struct areas *areas, const struct luks2 *hdr, uint64_t size, uint64_t *ret_offset)
{
	uint64_t at = 2 * hdr->hdr_bytes, end = at + hdr->keyslots_size;

	/* sorts; wipes may overlap what has been put into their place */
	(void)intervals_overlap(areas->taken, areas->count);
	for (size_t i = 0; i < areas->count; i++) {
		if (areas->taken[i].start > at && areas->taken[i].start - at >= size)
			break;
		at = max_u64(at, round_up_u64(min_u64(areas->taken[i].end, end), KEYSLOT_ALIGN));
	}
	if (at > end || end - at < size)
		return false;
	*ret_offset = at;
	return true;
}

static bool area_find(struct luks2_update *update, uint64_t size, uint64_t *ret_offset)
{
	struct areas areas = {.count = 0};

	return areas_collect(luks2_update_doc(update), luks2_update_wipes(update), &areas) &&
	       areas_gap(&areas, luks2_update_header(update), size, ret_offset);
}

int luks2_keyslots_room(const struct luks2 *hdr)
{
	size_t used = json_object_size(json_object_get(hdr->json, "keyslots"));
	struct areas areas = {.count = 0};
	uint64_t size, offset;
	int count = 0;

	if (!areas_collect(hdr->json, NULL, &areas))
		return 0;
	size = keyslot_area_bytes(key_bytes_of(hdr));
	while (size && used + (size_t)count < LUKS2_KEYSLOTS_MAX && areas_gap(&areas, hdr, size, &offset) &&
		areas_add(&areas, offset, size))
		count++;
	return count;
}

/* ---- writing one, and opening it from the medium ---- */

static int slot_verify(struct luks2_update *update, const struct luks2_keyslot *slot,
	const struct secret *passphrase, const struct secret *volume_key, struct diag *diag)
{
	CLEANUP_SECRET struct secret *area_key = NULL, *key = NULL;
	struct blkdev *dev = luks2_update_dev(update);
	int r = blkdev_refresh(dev, slot->area_size, slot->area_offset);

	if (!r)
		r = keyslot_derive(slot, passphrase, &area_key, diag);
	if (!r)
		r = keyslot_read(slot, dev, area_key, &key, diag);
	if (!r && (!secret_equal(key, volume_key) ||
			  digest_verify(data_digest(luks2_update_header(update)), key)))
		r = diag_set(diag, -EIO, _("the new key slot does not read back as it was written"));
	return r;
}

static int slot_write(struct luks2_update *update, const struct luks2_new_keyslot *new,
	const struct secret *passphrase, const struct secret *volume_key, struct luks2_keyslot *slot,
	struct diag *diag)
{
	const struct luks2_digest *digest = data_digest(luks2_update_header(update));
	struct blkdev *dev = luks2_update_dev(update);

	*slot = new->slot;
	if (!digest || secret_len(volume_key) != slot->key_bytes)
		return -EINVAL;
	if (!area_find(update, slot->area_size, &slot->area_offset))
		return diag_set(diag, -SDE_HEADER_FULL, _("its area for key slots is full"));
	int r = digest_verify(digest, volume_key);

	if (!r)
		r = keyslot_check(slot, diag);
	if (!r)
		r = keyslot_write(slot, dev, new->area_key, volume_key, diag);
	if (!r)
		r = blkdev_flush(dev);
	return r ? r : slot_verify(update, slot, passphrase, volume_key, diag);
}

/* ---- the document ---- */

static json_t *slots_of(struct luks2_update *update)
{
	return json_object_get(luks2_update_doc(update), "keyslots");
}

static const char *name_of(int id, char name[16])
{
	snprintf(name, 16, "%d", id);
	return name;
}

static int free_id(struct luks2_update *update)
{
	char name[16];

	for (int id = 0; id < LUKS2_KEYSLOTS_MAX; id++)
		if (!json_object_get(slots_of(update), name_of(id, name)))
			return id;
	return -1;
}

/* Takes the name out of the keyslots array of every object of section. */
static void forget(struct luks2_update *update, const char *section, const char *name)
{
	const char *id;
	json_t *object;

	json_object_foreach(json_object_get(luks2_update_doc(update), section), id, object)
	{
		json_t *names = json_object_get(object, "keyslots");

		for (size_t i = json_array_size(names); i > 0; i--)
			if (!strcmp(json_string_value(json_array_get(names, i - 1)), name))
				json_array_remove(names, i - 1);
	}
}

/* A digest of a key that nothing holds and nothing uses any more. */
static void drop_unused_digests(struct luks2_update *update)
{
	json_t *digests = json_object_get(luks2_update_doc(update), "digests"), *digest;
	const char *id;
	void *next;

	json_object_foreach_safe(digests, next, id, digest)
		if (!json_array_size(json_object_get(digest, "keyslots")) &&
			!json_array_size(json_object_get(digest, "segments")))
			json_object_del(digests, id);
}

static int priority_put(json_t *json, enum luks2_priority priority)
{
	/* what is not there is normal */
	if (priority == LUKS2_PRIORITY_NORMAL && !json_object_get(json, "priority"))
		return 0;
	return json_object_set_new(json, "priority", json_integer(priority));
}

int luks2_keyslot_add(struct luks2_update *update, const struct luks2_new_keyslot *new,
	const struct secret *passphrase, const struct secret *volume_key, int id, int *ret_id,
	struct diag *diag)
{
	json_t *doc = luks2_update_doc(update), *json, *digest;
	struct luks2_keyslot slot;
	char name[16], digest_name[16];

	if (id < 0)
		id = free_id(update);
	if (id < 0)
		return diag_set(diag, -SDE_SLOT, _("all %d key slots are in use"), LUKS2_KEYSLOTS_MAX);
	if (id >= LUKS2_KEYSLOTS_MAX)
		return no_slot(id, diag);
	if (json_object_get(slots_of(update), name_of(id, name)))
		return diag_set(diag, -SDE_SLOT, _("key slot %d is in use"), id);
	int r = slot_write(update, new, passphrase, volume_key, &slot, diag);

	if (r)
		return r;
	digest = json_object_get(json_object_get(doc, "digests"),
		name_of(data_digest(luks2_update_header(update))->id, digest_name));
	json = luks2_json_keyslot(&slot);
	r = json_object_set_new(slots_of(update), name, json);
	if (!r)
		r = priority_put(json, slot.priority);
	if (!r)
		r = json_array_append_new(json_object_get(digest, "keyslots"), json_string(name));
	r = luks2_update_changed(update, r, diag);
	if (!r && ret_id)
		*ret_id = id;
	return r;
}

int luks2_keyslot_replace(struct luks2_update *update, int id, const struct luks2_new_keyslot *new,
	const struct secret *passphrase, const struct secret *volume_key, struct diag *diag)
{
	const struct luks2_keyslot *old = luks2_keyslot_by_id(luks2_update_header(update), id);
	struct luks2_keyslot slot;
	char name[16];

	if (!old)
		return no_slot(id, diag);
	if (!luks2_keyslot_opens(luks2_update_header(update), old))
		return diag_set(diag, -SDE_SLOT, _("key slot %d does not hold the key of the data"), id);
	int r = slot_write(update, new, passphrase, volume_key, &slot, diag);

	if (r)
		return r;
	slot.priority = old->priority;
	r = luks2_update_wipe(update, old->area_offset, old->area_size);
	json_t *json = luks2_json_keyslot(&slot);

	if (!r)
		r = json_object_set_new(slots_of(update), name_of(id, name), json);
	if (!r)
		r = priority_put(json, slot.priority);
	return luks2_update_changed(update, r, diag);
}

int luks2_keyslot_remove(struct luks2_update *update, int id, struct diag *diag)
{
	const struct luks2_keyslot *slot = luks2_keyslot_by_id(luks2_update_header(update), id);
	char name[16];

	if (!slot)
		return no_slot(id, diag);
	int r = luks2_update_wipe(update, slot->area_offset, slot->area_size);

	if (!r)
		r = json_object_del(slots_of(update), name_of(id, name));
	forget(update, "digests", name);
	forget(update, "tokens", name);
	drop_unused_digests(update);
	return luks2_update_changed(update, r, diag);
}

int luks2_keyslot_set_priority(
	struct luks2_update *update, int id, enum luks2_priority priority, struct diag *diag)
{
	char name[16];
	json_t *json = json_object_get(slots_of(update), name_of(id, name));

	if (!json)
		return no_slot(id, diag);
	return luks2_update_changed(update, priority_put(json, priority), diag);
}
