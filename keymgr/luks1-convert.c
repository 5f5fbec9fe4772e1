/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Converting a header of LUKS version 1 to version 2, in place and without a passphrase.
 *
 * The new header, two copies of 16 KiB, needs the first 32 KiB. The old one has keyslots from 4 KiB
 * on, and since each is larger than that, at most one of those in use lies there. It moves, the
 * others stay where they are. Two versions can be told apart by the first sector alone, so that one
 * write is the conversion:
 *
 *	1. the keyslot's material is copied, into free space or else into the area of a keyslot
 *	   that is not in use, and read back
 *	2. the old header is told: another offset for the keyslot, or else the same keyslot once
 *	   more, in the place of the unused one. Either is one write inside of one sector, or (the
 *	   seventh keyslot crosses a border) one that nothing is true of before the second.
 *	   From now on the old header opens with every passphrase without what lies below 32 KiB.
 *	3. what is left of the old area behind 32 KiB is overwritten, and the areas of keyslots
 *	   that are not in use
 *	4. the secondary copy of the new header
 *	5. the JSON area of the primary copy
 *	6. the first sector of the primary copy: now it is version 2. Its checksum is wrong while
 *	   7 is not done, and the secondary counts.
 *	7. the rest of the primary copy's binary header
 *
 * Each step is flushed before the next begins. Invariants, with sectors of 512 bytes that are
 * written whole or not at all:
 *
 * A. At every moment every passphrase that opened the volume opens it.
 * B. What was interrupted is gone on with by the same call: a moved keyslot does not move again
 *    (after 2 with another offset it is not in the way; once more means the same salt).
 * C. Data are neither read nor written.
 *
 * cryptsetup shifts all keyslots by 28 KiB instead, which leaves room for one more where there is no
 * free space, and none of the keys if the power fails meanwhile.
 */
#include "keymgr/luks1-convert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/luks1.h"
#include "keymgr/luks2-disk.h"
#include "keymgr/luks2-json.h"
#include "keymgr/luks2-wipe.h"

enum {
	NEW_HEADERS_END = 2 * LUKS2_HDR_BYTES_MIN,
	AREA_ALIGN = 4096,
	KEYSLOTS_BYTES_MAX = 128 * 1024 * 1024,
	NONE = -1,
};

struct conversion {
	struct luks1 old;
	uint64_t areas_end; /* of the new keyslots area */
	int moved;	    /* the keyslot that is in the way, or NONE */
	int into;	    /* the keyslot whose area takes it; NONE: free space does */
	bool copied;	    /* the keyslot "into" has its material already */
	uint64_t to;	    /* where its material goes */
	struct luks2 *hdr;
	struct luks2_copy copy;
};

static void conversion_clear(struct conversion *conversion)
{
	luks2_free(conversion->hdr);
	luks2_copy_clear(&conversion->copy);
}
#define CLEANUP_CONVERSION CLEANUP(conversion_clear)

static int cannot(const char *why, struct diag *diag)
{
	return diag_set(diag, -SDE_CONVERT, "%s", why);
}

/* ---- planning ---- */

static bool meets(const struct conversion *conversion, int id, uint64_t start, uint64_t end)
{
	uint64_t at = conversion->old.keyslots[id].area_offset;

	return at < end && start < at + luks1_area_bytes(&conversion->old);
}

/* Room that no keyslot's area has a part in, used or not: the old header allows no overlap. */
static bool space_is_free(const struct conversion *conversion, uint64_t start)
{
	uint64_t end = start + luks1_area_bytes(&conversion->old);

	for (int i = 0; i < LUKS1_KEYSLOTS; i++)
		if (meets(conversion, i, start, end))
			return false;
	return start >= NEW_HEADERS_END && end <= conversion->areas_end;
}

static bool find_space(struct conversion *conversion)
{
	uint64_t area = luks1_area_bytes(&conversion->old), best = UINT64_MAX;

	for (int i = 0; i <= LUKS1_KEYSLOTS; i++) {
		uint64_t start = i == LUKS1_KEYSLOTS
					 ? NEW_HEADERS_END
					 : round_up_u64(conversion->old.keyslots[i].area_offset +
								area,
						   AREA_ALIGN);

		if (start < best && space_is_free(conversion, start))
			best = start;
	}
	if (best == UINT64_MAX)
		return false;
	conversion->into = NONE;
	conversion->to = best;
	return true;
}

/* An area outside of the new headers: of the keyslot's double, or else of one that is not in use. */
static bool find_keyslot(struct conversion *conversion, bool the_double)
{
	const struct luks1_keyslot *slots = conversion->old.keyslots;
	const struct luks1_keyslot *moved = &slots[conversion->moved];

	for (int i = 0; i < LUKS1_KEYSLOTS; i++) {
		bool same = slots[i].active && slots[i].iterations == moved->iterations &&
			    !memcmp(slots[i].salt, moved->salt, sizeof(moved->salt));

		if (i == conversion->moved || meets(conversion, i, 0, NEW_HEADERS_END) ||
			!(the_double ? same : !slots[i].active))
			continue;
		conversion->into = i;
		conversion->copied = the_double;
		conversion->to = slots[i].area_offset;
		return true;
	}
	return false;
}

static int plan_move(struct conversion *conversion, struct diag *diag)
{
	int in_the_way = 0;

	conversion->moved = conversion->into = NONE;
	for (int i = 0; i < LUKS1_KEYSLOTS; i++)
		if (conversion->old.keyslots[i].active && meets(conversion, i, 0, NEW_HEADERS_END)) {
			conversion->moved = i;
			in_the_way++;
		}
	if (in_the_way > 1)
		return cannot(_("its key slots are too small"), diag);
	if (!in_the_way || find_keyslot(conversion, true) || find_space(conversion) ||
		find_keyslot(conversion, false))
		return 0;
	return cannot(_("all eight key slots are in use, and there is no room to move one"), diag);
}

/* Clevis for version 1 kept its metadata behind the last keyslot. */
static int check_luksmeta(struct blkdev *dev, const struct conversion *conversion,
	struct diag *diag)
{
	static const char magic[8] = {'L', 'U', 'K', 'S', 'M', 'E', 'T', 'A'};
	uint64_t end = 0;
	char found[sizeof(magic)];

	for (int i = 0; i < LUKS1_KEYSLOTS; i++)
		end = max_u64(end, conversion->old.keyslots[i].area_offset);
	end = round_up_u64(end + luks1_area_bytes(&conversion->old), AREA_ALIGN);
	if (!range_inside(end, sizeof(found), dev->size_bytes))
		return 0;
	int r = blkdev_read(dev, found, sizeof(found), end);

	if (r || memcmp(found, magic, sizeof(magic)))
		return r;
	return cannot(_("it holds LUKSMETA metadata (of Clevis), which would be lost"), diag);
}

static int plan_areas(struct blkdev *dev, struct conversion *conversion, struct diag *diag)
{
	uint64_t limit = conversion->old.data_offset ? conversion->old.data_offset : dev->size_bytes;

	limit = min_u64(limit, dev->size_bytes);
	if (limit < NEW_HEADERS_END + luks1_area_bytes(&conversion->old))
		return cannot(_("there is no room for a larger header before the data"), diag);
	conversion->areas_end =
		NEW_HEADERS_END + min_u64(round_down_u64(limit - NEW_HEADERS_END, AREA_ALIGN),
					  KEYSLOTS_BYTES_MAX);
	return 0;
}

/* ---- the new header ---- */

/* As large as cryptsetup makes it, but not into what follows. */
static uint64_t area_room(const struct conversion *conversion, const struct luks2 *hdr,
	const struct luks2_keyslot *slot)
{
	uint64_t end = min_u64(conversion->areas_end,
		round_up_u64(slot->area_offset + slot->area_size, AREA_ALIGN));

	for (int i = 0; i < hdr->keyslot_count; i++)
		if (hdr->keyslots[i].area_offset > slot->area_offset)
			end = min_u64(end, hdr->keyslots[i].area_offset);
	return end > slot->area_offset ? end - slot->area_offset : 0;
}

/* The keyslots keep their numbers: the double of one that has moved is not a keyslot of its own. */
static void model_keyslots(const struct conversion *conversion, struct luks2 *hdr)
{
	int count = 0;

	for (int i = 0; i < hdr->keyslot_count; i++) {
		struct luks2_keyslot *slot = &hdr->keyslots[i];

		if (conversion->copied && slot->id == conversion->into) {
			hdr->digests[0].keyslots &= ~(UINT32_C(1) << slot->id);
			continue;
		}
		if (slot->id == conversion->moved)
			slot->area_offset = conversion->to;
		hdr->keyslots[count++] = *slot;
	}
	hdr->keyslot_count = count;
	for (int i = 0; i < count; i++)
		hdr->keyslots[i].area_size = area_room(conversion, hdr, &hdr->keyslots[i]);
}

static int model_make(struct conversion *conversion, struct diag *diag)
{
	struct luks2 *hdr = calloc(1, sizeof(*hdr));
	json_t *doc = NULL;

	conversion->hdr = hdr;
	if (!hdr)
		return -ENOMEM;
	luks1_to_model(&conversion->old, hdr);
	model_keyslots(conversion, hdr);
	hdr->version = 2;
	hdr->hdr_bytes = LUKS2_HDR_BYTES_MIN;
	hdr->keyslots_size = conversion->areas_end - NEW_HEADERS_END;
	hdr->flags = calloc(1, sizeof(*hdr->flags));
	hdr->requirements = calloc(1, sizeof(*hdr->requirements));
	if (!hdr->flags || !hdr->requirements)
		return -ENOMEM;
	int r = luks2_json_from_model(hdr, &doc);

	hdr->json = doc;
	if (!r)
		r = luks2_json_validate(doc, hdr->hdr_bytes, diag);
	/* the size of the data is not the header's business */
	return r ? r : luks2_check_usable(hdr, UINT64_C(1) << 62, diag);
}

static int copy_make(struct conversion *conversion)
{
	struct luks2_copy *copy = &conversion->copy;

	copy->hdr_bytes = conversion->hdr->hdr_bytes;
	copy->seqid = 1;
	strcpy(copy->csum_alg, "sha256");
	memcpy(copy->uuid, conversion->hdr->uuid, sizeof(copy->uuid));
	return luks2_json_print(
		conversion->hdr->json, luks2_copy_json_bytes(copy), &copy->json);
}

static int plan(struct blkdev *dev, struct conversion *conversion, struct diag *diag)
{
	int r = crypto_init();

	if (!r)
		r = luks1_disk_read(dev, &conversion->old, diag);
	if (!r)
		r = plan_areas(dev, conversion, diag);
	if (!r)
		r = plan_move(conversion, diag);
	if (!r)
		r = check_luksmeta(dev, conversion, diag);
	if (!r)
		r = model_make(conversion, diag);
	return r ? r : copy_make(conversion);
}

int luks1_convert_check(struct blkdev *dev, struct diag *diag)
{
	CLEANUP_CONVERSION struct conversion conversion = {0};

	return plan(dev, &conversion, diag);
}

/* ---- doing it ---- */

/* Steps 1 and 2. */
static int move_keyslot(struct blkdev *dev, const struct conversion *conversion)
{
	struct luks1_keyslot record = conversion->old.keyslots[conversion->moved];
	uint64_t len = luks1_area_bytes(&conversion->old);
	CLEANUP_FREE uint8_t *material = malloc(len), *again = malloc(len);
	struct luks1 now;

	if (!material || !again)
		return -ENOMEM;
	int r = blkdev_read(dev, material, len, record.area_offset);

	if (!r)
		r = blkdev_write(dev, material, len, conversion->to);
	if (!r)
		r = blkdev_flush(dev);
	if (!r)
		r = blkdev_refresh(dev, len, conversion->to);
	if (!r)
		r = blkdev_read(dev, again, len, conversion->to);
	if (!r && memcmp(material, again, len))
		r = -EIO;
	record.area_offset = conversion->to;
	if (!r)
		r = luks1_disk_write_keyslot(dev,
			conversion->into == NONE ? conversion->moved : conversion->into, &record);
	return r ? r : luks1_disk_read(dev, &now, NULL);
}

/* Where the first area that stays begins that ends behind at; UINT64_MAX: there is none. */
static uint64_t next_area(const struct conversion *conversion, uint64_t at)
{
	const struct luks2 *hdr = conversion->hdr;
	uint64_t next = UINT64_MAX;

	for (int i = 0; i < hdr->keyslot_count; i++)
		if (hdr->keyslots[i].area_offset + luks1_area_bytes(&conversion->old) > at)
			next = min_u64(next, hdr->keyslots[i].area_offset);
	return next;
}

/*
 * Step 3: all of the old keyslots' areas where no keyslot's material is now, so that it does not
 * matter in which run a keyslot was moved.
 */
static int wipe_unused(struct blkdev *dev, const struct conversion *conversion)
{
	uint64_t area = luks1_area_bytes(&conversion->old), end = 0, at = NEW_HEADERS_END;
	int r = 0;

	for (int i = 0; i < LUKS1_KEYSLOTS; i++)
		end = max_u64(end, conversion->old.keyslots[i].area_offset + area);
	while (!r && at < end) {
		uint64_t next = next_area(conversion, at);

		if (next > at)
			r = luks2_wipe_random(dev, at, min_u64(next, end), true);
		at = next < end ? next + area : end;
	}
	return r;
}

int luks1_convert(struct blkdev *dev, struct luks2 **ret_hdr, struct diag *diag)
{
	CLEANUP_CONVERSION struct conversion conversion = {0};
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	int r = plan(dev, &conversion, diag);

	if (!r && conversion.moved != NONE && !conversion.copied)
		r = move_keyslot(dev, &conversion);
	if (!r)
		r = wipe_unused(dev, &conversion);
	if (!r)
		r = luks2_disk_write(dev, &conversion.copy, true);
	if (!r)
		r = luks2_disk_take_over(dev, &conversion.copy);
	if (!r)
		r = luks2_load(dev, 0, &hdr, diag);
	if (!r && (hdr->version != 2 || hdr->copies[0] != LUKS2_COPY_OK ||
			  hdr->copies[1] != LUKS2_COPY_OK ||
			  !json_equal(hdr->json, conversion.hdr->json)))
		r = -EIO;
	if (!r)
		*ret_hdr = take_ptr(hdr);
	return r;
}
