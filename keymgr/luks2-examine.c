/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/luks2-examine.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "kernel-shim/signature.h"
#include "keymgr/af.h"
#include "keymgr/keyslot.h"
#include "keymgr/luks2-disk.h"
#include "keymgr/luks2-json.h"
#include "keymgr/randomness.h"

enum { CHUNK_BYTES = 64 * RANDOMNESS_BYTES };

struct examination {
	struct blkdev *dev;
	luks2_finding_fn *report;
	void *ctx;
};

uint64_t luks2_areas_bytes(const struct luks2 *hdr)
{
	/* version 1 as cryptsetup saves it: in whole pages */
	return hdr->version == 1 ? round_up_u64(hdr->hdr_bytes + hdr->keyslots_size, 4096)
				 : 2 * hdr->hdr_bytes + hdr->keyslots_size;
}

bool luks2_is_backup(const struct luks2 *hdr, const struct blkdev *dev)
{
	const struct luks2_segment *segment = luks2_data_segment(hdr);

	return segment && segment->offset && dev->size_bytes <= segment->offset;
}

static void found(const struct examination *exam, enum luks2_finding_kind kind, int id,
	const struct diag *why)
{
	struct luks2_finding finding = {.kind = kind, .id = id};

	if (why)
		finding.why = *why;
	exam->report(exam->ctx, &finding);
}

/* --- the copies ----------------------------------------------------------------------------- */

/* What is wrong with the copy at offset, as precisely as it can be said; 0 when it is good. */
static int copy_judge(struct blkdev *dev, uint64_t offset, struct diag *diag)
{
	CLEANUP_LUKS2_COPY struct luks2_copy copy = {0};
	CLEANUP_JSON json_t *doc = NULL;
	int r = luks2_disk_read(dev, offset, &copy);

	if (r == -SDE_HEADER_DAMAGED)
		return diag_set(diag, r, _("its checksum, size or place is wrong"));
	if (!r)
		r = luks2_json_parse(copy.json, luks2_copy_json_bytes(&copy), &doc, diag);
	if (!r)
		r = luks2_json_validate(doc, copy.hdr_bytes, diag);
	return r ? diag_set(diag, r, "%s", error_text(r)) : 0;
}

static void report_copy(const struct examination *exam, int copy, uint64_t offset,
	enum luks2_copy_state state)
{
	struct diag why = {0};

	switch (state) {
	case LUKS2_COPY_OK:
		return;
	case LUKS2_COPY_OLD:
		found(exam, LUKS2_FOUND_COPY_OLD, copy, NULL);
		return;
	case LUKS2_COPY_MISSING:
		found(exam, LUKS2_FOUND_COPY_MISSING, copy, NULL);
		return;
	case LUKS2_COPY_DAMAGED:
		(void)!copy_judge(exam->dev, offset, &why);
		found(exam, LUKS2_FOUND_COPY_DAMAGED, copy, &why);
	}
}

/* With no good copy: each for itself. The secondary may be anywhere, and be damaged there. */
static void report_no_header(const struct examination *exam)
{
	struct diag why = {0};
	int r = copy_judge(exam->dev, 0, &why);

	found(exam, r == -SDE_NOT_LUKS ? LUKS2_FOUND_COPY_MISSING : LUKS2_FOUND_COPY_DAMAGED, 0,
		r == -SDE_NOT_LUKS ? NULL : &why);
	for (uint64_t at = LUKS2_HDR_BYTES_MIN; at <= LUKS2_HDR_BYTES_MAX; at *= 2) {
		why = (struct diag){0};
		if (copy_judge(exam->dev, at, &why) == -SDE_NOT_LUKS)
			continue;
		found(exam, LUKS2_FOUND_COPY_DAMAGED, 1, &why);
		return;
	}
	found(exam, LUKS2_FOUND_COPY_MISSING, 1, NULL);
}

static int compare_copies(const struct examination *exam, const struct luks2 *hdr)
{
	CLEANUP_LUKS2_COPY struct luks2_copy first = {0}, second = {0};

	if (hdr->copies[0] != LUKS2_COPY_OK || hdr->copies[1] != LUKS2_COPY_OK)
		return 0;
	int r = luks2_disk_read(exam->dev, 0, &first);

	if (!r)
		r = luks2_disk_read(exam->dev, hdr->hdr_bytes, &second);
	if (!r && !luks2_copies_equal(&first, &second))
		found(exam, LUKS2_FOUND_COPIES_DIFFER, -1, NULL);
	return r;
}

static int report_copies(const struct examination *exam, const struct luks2 *hdr)
{
	char type[SIGNATURE_TYPE_BYTES];
	struct diag why = {0};
	bool foreign;
	int r;

	if (hdr->version != 1) {
		report_copy(exam, 0, 0, hdr->copies[0]);
		report_copy(exam, 1, hdr->hdr_bytes, hdr->copies[1]);
	}
	r = signature_find(exam->dev, &foreign, type);
	if (!r && foreign) {
		diag_set(&why, 0, "%s", type);
		found(exam, LUKS2_FOUND_FOREIGN, -1, &why);
	}
	return r || hdr->version == 1 ? r : compare_copies(exam, hdr);
}

/* --- the keyslots --------------------------------------------------------------------------- */

/* Sectors of the keyslot's material that are not random, and where the first of them is. */
static int sectors_not_random(struct blkdev *dev, const struct luks2_keyslot *slot,
	uint64_t *ret_count, uint64_t *ret_first)
{
	uint64_t len = round_down_u64(
		af_bytes(slot->key_bytes, slot->af_stripes), RANDOMNESS_BYTES);
	CLEANUP_FREE uint8_t *chunk = malloc(CHUNK_BYTES);

	*ret_count = *ret_first = 0;
	if (!chunk)
		return -ENOMEM;
	for (uint64_t at = 0; at < len; at += CHUNK_BYTES) {
		size_t part = (size_t)min_u64(len - at, CHUNK_BYTES);
		int r = blkdev_read(dev, chunk, part, slot->area_offset + at);

		if (r)
			return r;
		for (size_t i = 0; i < part; i += RANDOMNESS_BYTES) {
			if (randomness_likely(chunk + i))
				continue;
			if (!(*ret_count)++)
				*ret_first = slot->area_offset + at + i;
		}
	}
	return 0;
}

bool luks2_keyslot_is_whole(struct blkdev *dev, const struct luks2_keyslot *slot)
{
	uint64_t count, first;

	return sectors_not_random(dev, slot, &count, &first) == 0 && count == 0;
}

static int report_keyslot(const struct examination *exam, const struct luks2_keyslot *slot)
{
	uint64_t count, first;
	struct diag why = {0};
	int r;

	if (!slot->usable) {
		(void)!keyslot_check(slot, &why);
		found(exam, LUKS2_FOUND_SLOT_UNUSABLE, slot->id, &why);
		return 0;
	}
	r = sectors_not_random(exam->dev, slot, &count, &first);
	if (r == -ENOMEM || r == -ENODEV)
		return r;
	if (r) {
		diag_set(&why, r, "%s", error_text(r));
		found(exam, LUKS2_FOUND_SLOT_UNREADABLE, slot->id, &why);
	} else if (count) {
		diag_set(&why, 0, _("%llu sectors, the first at byte %llu"),
			(unsigned long long)count, (unsigned long long)first);
		found(exam, LUKS2_FOUND_SLOT_NOT_RANDOM, slot->id, &why);
	}
	return 0;
}

/* --- all ------------------------------------------------------------------------------------ */

static void report_use(const struct examination *exam, const struct luks2 *hdr, uint64_t data_bytes)
{
	const struct luks2_segment *segment = luks2_data_segment(hdr);
	struct diag why = {0};
	int r;

	/* of a header alone the drive is not known: one as large as it must be */
	if (!data_bytes && segment &&
		!add_u64(segment->offset, segment->size ? segment->size : segment->sector_bytes,
			&data_bytes))
		data_bytes = UINT64_MAX;
	r = luks2_check_usable(hdr, data_bytes, &why);
	if (r) {
		diag_set(&why, r, "%s", error_text(r));
		found(exam, LUKS2_FOUND_UNUSABLE, -1, &why);
	}
}

int luks2_examine(struct blkdev *dev, uint64_t data_bytes, luks2_finding_fn *report, void *ctx,
	struct luks2 **ret_hdr, struct diag *diag)
{
	const struct examination exam = {.dev = dev, .report = report, .ctx = ctx};
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	int r = luks2_load(dev, LUKS2_FOREIGN_OK, &hdr, diag);

	if (r == -SDE_NOT_LUKS || r == -SDE_HEADER_DAMAGED || r == -SDE_HEADER_INVALID)
		report_no_header(&exam);
	if (!r)
		r = report_copies(&exam, hdr);
	for (int i = 0; !r && i < hdr->keyslot_count; i++)
		r = report_keyslot(&exam, &hdr->keyslots[i]);
	if (r)
		return r;
	report_use(&exam, hdr, data_bytes);
	*ret_hdr = take_ptr(hdr);
	return 0;
}
