/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading, judging and unlocking a LUKS2 volume.
 *
 * 1. Of two good copies the one with the higher seqid is used, the primary when they are equal.
 * 2. Nothing is written but by LUKS2_REPAIR, and then only the copy that is not the good one, so
 *    that at every moment one whole copy is on the medium.
 * 3. A header without valid content is never used, even where parts of it could be.
 */
#include "keymgr/luks2.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "base/text.h"
#include "kernel-shim/cryptdev.h"
#include "kernel-shim/signature.h"
#include "keymgr/digest.h"
#include "keymgr/keyslot.h"
#include "keymgr/luks1.h"
#include "keymgr/luks2-disk.h"
#include "keymgr/luks2-json.h"
#include "keymgr/luks2-seal.h"

/* One copy as found: doc is set when it is good, copy.json when at least its checksum is right. */
struct found {
	int err;
	struct luks2_copy copy;
	json_t *doc;
	struct diag diag;
};

static void found_clear(struct found *found)
{
	luks2_copy_clear(&found->copy);
	json_decref(found->doc);
}
#define CLEANUP_FOUND CLEANUP(found_clear)

static void found_judge(struct found *found)
{
	CLEANUP_JSON json_t *doc = NULL;

	if (found->err)
		return;
	found->err = luks2_json_parse(
		found->copy.json, luks2_copy_json_bytes(&found->copy), &doc, &found->diag);
	if (!found->err)
		found->err = luks2_json_validate(doc, found->copy.hdr_bytes, &found->diag);
	if (!found->err)
		found->doc = take_ptr(doc);
}

/* Errors that say something about the machine or the device, not about a copy. */
static bool fatal(int err)
{
	return err == -ENODEV || err == -ENOMEM || err == -SDE_CRYPTO;
}

static int read_copies(struct blkdev *dev, struct found *first, struct found *second)
{
	first->err = luks2_disk_read(dev, 0, &first->copy);
	/* a header of another version is in charge here, whatever lies behind it */
	if (fatal(first->err) || first->err == -SDE_LUKS1 || first->err == -SDE_HEADER_INVALID)
		return first->err;
	found_judge(first);
	second->err = first->copy.json ? luks2_disk_read(dev, first->copy.hdr_bytes, &second->copy)
				       : luks2_disk_scan(dev, &second->copy);
	found_judge(second);
	return fatal(first->err) ? first->err : fatal(second->err) ? second->err : 0;
}

/* With no good copy: the error that tells the user most. */
static int worst_error(const struct found *first, const struct found *second, struct diag *diag)
{
	static const int order[] = {-SDE_HEADER_INVALID, -EIO, -SDE_HEADER_DAMAGED};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		const struct found *found = first->err == order[i]    ? first
					    : second->err == order[i] ? second
								      : NULL;

		if (found && found->diag.detail[0])
			return diag_set(diag, found->err, "%s", found->diag.detail);
		if (found)
			return found->err;
	}
	return first->err;
}

static enum luks2_copy_state state_of(const struct found *found, const struct found *good)
{
	if (found->doc)
		return found->copy.seqid < good->copy.seqid ? LUKS2_COPY_OLD : LUKS2_COPY_OK;
	return found->err == -SDE_NOT_LUKS ? LUKS2_COPY_MISSING : LUKS2_COPY_DAMAGED;
}

int luks2_model_new(const struct luks2_copy *copy, json_t *doc, struct luks2 **ret_hdr)
{
	struct luks2 *hdr = calloc(1, sizeof(*hdr));

	if (!hdr)
		return -ENOMEM;
	hdr->version = 2;
	hdr->hdr_bytes = copy->hdr_bytes;
	hdr->seqid = copy->seqid;
	memcpy(hdr->label, copy->label, sizeof(hdr->label));
	memcpy(hdr->subsystem, copy->subsystem, sizeof(hdr->subsystem));
	memcpy(hdr->uuid, copy->uuid, sizeof(hdr->uuid));
	memcpy(hdr->csum_alg, copy->csum_alg, sizeof(hdr->csum_alg));
	int r = luks2_json_to_model(doc, hdr);

	if (r) {
		luks2_free(hdr);
		return r;
	}
	*ret_hdr = hdr;
	return 0;
}

/*
 * A copy is missing, damaged or old. Perhaps somebody made something else of the drive, and what is
 * left of LUKS must not be believed, let alone written back over it.
 */
static int check_foreign(struct blkdev *dev, struct diag *diag)
{
	char type[SIGNATURE_TYPE_BYTES];
	bool found;
	int r = signature_find(dev, &found, type);

	if (r || !found)
		return r;
	return diag_set(diag, -SDE_HEADER_AMBIGUOUS, "%s", type);
}

static int repair(struct blkdev *dev, const struct luks2 *hdr, const struct luks2_copy *good)
{
	int r = 0;

	for (int i = 0; i < 2 && !r; i++)
		if (hdr->copies[i] != LUKS2_COPY_OK)
			r = luks2_disk_write(dev, good, i == 1);
	return r;
}

static int load(struct blkdev *dev, unsigned flags, struct luks2 **ret_hdr, struct diag *diag)
{
	CLEANUP_FOUND struct found first = {0}, second = {0};
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	int r = crypto_init();

	if (!r)
		r = read_copies(dev, &first, &second);
	if (r == -SDE_LUKS1)
		return luks1_load(dev, ret_hdr, diag);
	if (r)
		return r;
	if (!first.doc && !second.doc)
		return worst_error(&first, &second, diag);
	struct found *good = !first.doc || (second.doc && second.copy.seqid > first.copy.seqid)
				     ? &second
				     : &first;

	r = luks2_model_new(&good->copy, good->doc, &hdr);
	if (r)
		return r;
	/* luks2_json_parse() has seen its final zero */
	hdr->json_text = strdup(good->copy.json);
	if (!hdr->json_text)
		return -ENOMEM;
	hdr->copies[0] = state_of(&first, good);
	hdr->copies[1] = state_of(&second, good);
	if (2 * hdr->hdr_bytes + hdr->keyslots_size > dev->size_bytes)
		return diag_set(
			diag, -SDE_HEADER_INVALID, _("the drive ends before the key slots do"));
	if (!(flags & LUKS2_FOREIGN_OK) &&
		(hdr->copies[0] != LUKS2_COPY_OK || hdr->copies[1] != LUKS2_COPY_OK))
		r = check_foreign(dev, diag);
	if (!r && flags & LUKS2_REPAIR)
		r = repair(dev, hdr, &good->copy);
	if (r)
		return r;
	*ret_hdr = take_ptr(hdr);
	return 0;
}

int luks2_load(struct blkdev *dev, unsigned flags, struct luks2 **ret_hdr, struct diag *diag)
{
	/* a copy that is old or damaged right now may just be on its way to be the new one */
	int r, locked = blkdev_lock(dev);

	/* who only reads does so even where somebody holds the lock for good, or there are no locks */
	if (locked < 0 && flags & LUKS2_REPAIR)
		return locked;
	r = load(dev, flags, ret_hdr, diag);
	if (locked == 0)
		blkdev_unlock(dev);
	return r;
}

static void strings_free(char **strings)
{
	for (char **string = strings; string && *string; string++)
		free(*string);
	free(strings);
}

void luks2_free(struct luks2 *hdr)
{
	if (!hdr)
		return;
	strings_free(hdr->flags);
	strings_free(hdr->requirements);
	json_decref(hdr->json);
	free(hdr->json_text);
	free(hdr);
}

const struct luks2_segment *luks2_data_segment(const struct luks2 *hdr)
{
	for (int i = 0; i < hdr->segment_count; i++)
		if (hdr->segments[i].id == 0)
			return &hdr->segments[i];
	return NULL;
}

bool luks2_has_flag(const struct luks2 *hdr, const char *flag)
{
	for (char **at = hdr->flags; at && *at; at++)
		if (!strcmp(*at, flag))
			return true;
	return false;
}

/* Whether the keyslot holds the key of the data segment, and we can open it. */
static bool keyslot_serves(const struct luks2 *hdr, const struct luks2_keyslot *slot)
{
	const struct luks2_segment *segment = luks2_data_segment(hdr);

	return slot->usable && segment && slot->digest >= 0 && slot->digest == segment->digest;
}

static int check_segment(const struct luks2 *hdr, uint64_t data_bytes, struct diag *diag)
{
	const struct luks2_segment *segment = luks2_data_segment(hdr);

	size_t segments = hdr->json ? json_object_size(json_object_get(hdr->json, "segments"))
				    : (size_t)hdr->segment_count;

	if (segments != 1 || !segment)
		return diag_set(
			diag, -SDE_HEADER_INVALID, _("there is not exactly one data segment"));
	if (strcmp(segment->type, "crypt"))
		return diag_set(diag, -SDE_CIPHER, _("the data segment is not encrypted"));
	if (segment->integrity)
		return diag_set(diag, -SDE_REQUIREMENT, _("integrity protection of the data"));
	if (!is_power_of_2(segment->sector_bytes) || segment->sector_bytes < 512 ||
		segment->sector_bytes > 4096)
		return diag_set(diag, -SDE_HEADER_INVALID, _("the sector size is not supported"));
	uint64_t room = data_bytes > segment->offset ? data_bytes - segment->offset : 0;

	if (!room)
		return diag_set(diag, -SDE_HEADER_INVALID,
			_("it ends before its data do; a file with only a header, such as a backup, goes with its "
			  "drive: --header FILE"));
	if (segment->size > room)
		return diag_set(diag, -SDE_HEADER_INVALID, _("the drive ends before its data do"));
	if (!segment->size && room % segment->sector_bytes)
		return diag_set(diag, -SDE_HEADER_INVALID,
			_("the size of the data is not a multiple of the sector size"));
	return 0;
}

/* What a cipher is good for depends on its key's length, which the keyslots know. */
static int check_ciphers(const struct luks2 *hdr, struct diag *diag)
{
	const struct luks2_segment *segment = luks2_data_segment(hdr);
	struct diag why = {0};
	int refused = 0;

	for (int i = 0; i < hdr->keyslot_count; i++) {
		const struct luks2_keyslot *slot = &hdr->keyslots[i];

		if (slot->digest < 0 || slot->digest != segment->digest)
			continue;
		int r = cryptdev_check_cipher(segment->cipher, slot->key_bytes, &why);

		if (!r && slot->usable)
			return 0;
		refused = refused ? refused : r;
	}
	return refused ? diag_set(diag, refused, "%s", why.detail) : -SDE_NO_KEYSLOT;
}

static int check_requirements(const struct luks2 *hdr, struct diag *diag)
{
	const char *name = hdr->requirements[0];
	CLEANUP_FREE char *shown = NULL;

	if (!name)
		return 0;
	int r = text_sanitize(name, strnlen(name, 64), &shown);

	return r ? r : diag_set(diag, -SDE_REQUIREMENT, "%s", shown);
}

int luks2_check_usable(const struct luks2 *hdr, uint64_t data_bytes, struct diag *diag)
{
	int r = check_requirements(hdr, diag);

	if (!r)
		r = check_segment(hdr, data_bytes, diag);
	return r ? r : check_ciphers(hdr, diag);
}

static bool halves_equal(const struct luks2_segment *segment, const struct secret *key)
{
	size_t half = secret_len(key) / 2;
	const uint8_t *data = secret_data_const(key);

	return strstr(segment->cipher, "-xts-") && bytes_equal_ct(data, data + half, half);
}

static const struct luks2_digest *digest_by_id(const struct luks2 *hdr, int id)
{
	for (int i = 0; i < hdr->digest_count; i++)
		if (hdr->digests[i].id == id)
			return &hdr->digests[i];
	return NULL;
}

static int try_keyslot(const struct luks2 *hdr, struct blkdev *dev,
	const struct luks2_keyslot *slot, const struct secret *passphrase, struct secret **ret_key,
	struct diag *diag)
{
	CLEANUP_SECRET struct secret *area_key = NULL, *key = NULL;
	int r = keyslot_derive(slot, passphrase, &area_key, diag);

	if (!r)
		r = keyslot_read(slot, dev, area_key, &key, diag);
	if (!r)
		r = digest_verify(digest_by_id(hdr, slot->digest), key);
	if (!r && halves_equal(luks2_data_segment(hdr), key))
		r = -SDE_WEAK_KEY;
	if (!r)
		*ret_key = take_ptr(key);
	return r;
}

/* Tries all keyslots of one priority. *worst: the first error that is not a wrong passphrase. */
static bool try_priority(const struct luks2 *hdr, struct blkdev *dev, enum luks2_priority priority,
	const struct secret *passphrase, struct secret **ret_key, int *ret_slot, int *worst,
	struct diag *diag)
{
	for (int i = 0; i < hdr->keyslot_count; i++) {
		const struct luks2_keyslot *slot = &hdr->keyslots[i];

		if (slot->priority != priority || !keyslot_serves(hdr, slot))
			continue;
		int r = try_keyslot(hdr, dev, slot, passphrase, ret_key, diag);

		if (!r) {
			*ret_slot = slot->id;
			return true;
		}
		if (*worst == -SDE_NO_KEYSLOT || *worst == -SDE_PASSPHRASE)
			*worst = r;
		if (r == -ENODEV || r == -SDE_WEAK_KEY)
			break;
	}
	return false;
}

static int unlock_one(const struct luks2 *hdr, struct blkdev *dev, const struct secret *passphrase,
	int id, struct secret **ret_key, struct diag *diag)
{
	for (int i = 0; i < hdr->keyslot_count; i++)
		if (hdr->keyslots[i].id == id && keyslot_serves(hdr, &hdr->keyslots[i]))
			return try_keyslot(hdr, dev, &hdr->keyslots[i], passphrase, ret_key, diag);
	return -SDE_NO_KEYSLOT;
}

static bool all_ignored(const struct luks2 *hdr)
{
	bool any = false;

	for (int i = 0; i < hdr->keyslot_count; i++) {
		if (!keyslot_serves(hdr, &hdr->keyslots[i]))
			continue;
		if (hdr->keyslots[i].priority != LUKS2_PRIORITY_IGNORE)
			return false;
		any = true;
	}
	return any;
}

static int check_seal(const struct luks2 *hdr, const struct secret *volume_key, struct diag *diag)
{
	enum luks2_seal_state state;
	int r = hdr->accept_change ? 0 : luks2_seal_check(hdr, volume_key, &state, diag);

	if (r || hdr->accept_change)
		return r;
	return state == LUKS2_SEAL_BROKEN || state == LUKS2_SEAL_REMOVED ? -SDE_HEADER_SEAL : 0;
}

int luks2_unlock(const struct luks2 *hdr, struct blkdev *dev, const struct secret *passphrase,
	int slot, struct secret **ret_volume_key, int *ret_slot, struct diag *diag)
{
	int r = crypto_init(), worst = -SDE_NO_KEYSLOT, found = slot;
	CLEANUP_SECRET struct secret *key = NULL;
	struct diag tries = {0};

	if (r)
		return r;
	if (slot >= 0)
		worst = unlock_one(hdr, dev, passphrase, slot, &key, &tries);
	else if (!try_priority(
			 hdr, dev, LUKS2_PRIORITY_HIGH, passphrase, &key, &found, &worst, &tries) &&
		 worst != -SDE_WEAK_KEY)
		(void)try_priority(
			hdr, dev, LUKS2_PRIORITY_NORMAL, passphrase, &key, &found, &worst, &tries);
	/* nothing is erased: nobody must throw the drive away for this */
	if (!key && worst == -SDE_NO_KEYSLOT && slot < 0 && all_ignored(hdr))
		return diag_set(diag, worst, _("all that are there are set to be ignored; 'cryptsetup config --priority "
					       "normal --key-slot N' changes that"));
	if (!key)
		return tries.detail[0] ? diag_set(diag, worst, "%s", tries.detail) : worst;
	r = check_seal(hdr, key, diag);
	if (r)
		return r;
	*ret_volume_key = take_ptr(key);
	if (ret_slot)
		*ret_slot = found;
	return 0;
}
