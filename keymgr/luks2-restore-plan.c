/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/luks2-restore-plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "keymgr/keyslot.h"
#include "keymgr/luks2-examine.h"
#include "keymgr/luks2-json.h"
#include "keymgr/luks2-update.h"

enum { CHUNK_BYTES = 64 * 1024 };

bool restore_same_layout(const struct luks2 *now, const struct luks2 *backup)
{
	return now && now->version == 2 && backup->version == 2 &&
	       now->hdr_bytes == backup->hdr_bytes && now->keyslots_size == backup->keyslots_size &&
	       !luks2_check_changeable(now, NULL) && !luks2_check_changeable(backup, NULL);
}

static const struct luks2_keyslot *slot_by_id(const struct luks2 *hdr, int id)
{
	for (int i = 0; i < hdr->keyslot_count; i++)
		if (hdr->keyslots[i].id == id)
			return &hdr->keyslots[i];
	return NULL;
}

bool restore_area_used(const struct luks2 *hdr, uint64_t offset, uint64_t size)
{
	for (int i = 0; i < hdr->keyslot_count; i++) {
		const struct luks2_keyslot *slot = &hdr->keyslots[i];

		if (slot->area_offset < offset + size &&
			offset < slot->area_offset + slot->area_size)
			return true;
	}
	return false;
}

/* --- key slots ------------------------------------------------------------------------------ */

static int areas_equal(struct blkdev *a, struct blkdev *b, const struct luks2_keyslot *slot, bool *ret_equal)
{
	CLEANUP_FREE uint8_t *first = malloc(CHUNK_BYTES), *second = malloc(CHUNK_BYTES);
	int r = first && second ? 0 : -ENOMEM;

	*ret_equal = true;
	for (uint64_t at = 0, len; !r && *ret_equal && at < slot->area_size; at += len) {
		len = min_u64(slot->area_size - at, CHUNK_BYTES);
		r = blkdev_read(a, first, len, slot->area_offset + at);
		if (!r)
			r = blkdev_read(b, second, len, slot->area_offset + at);
		*ret_equal = !r && !memcmp(first, second, len);
	}
	return r;
}

/* An area that neither header uses, nor any of the plan so far. */
static bool find_aside(const struct luks2 *now, const struct luks2 *backup,
	const struct restore_plan *plan, uint64_t size, uint64_t *ret_offset)
{
	uint64_t end = luks2_areas_bytes(backup);

	for (uint64_t at = 2 * backup->hdr_bytes; at + size <= end; at += KEYSLOT_ALIGN) {
		bool used = restore_area_used(now, at, size) || restore_area_used(backup, at, size);

		for (int id = 0; !used && id < LUKS2_KEYSLOTS_MAX; id++) {
			const struct luks2_keyslot *slot = slot_by_id(backup, id);

			used = plan->aside[id] && plan->aside[id] < at + size &&
			       at < plan->aside[id] + slot->area_size;
		}
		if (!used) {
			*ret_offset = at;
			return true;
		}
	}
	return false;
}

int restore_plan_make(struct blkdev *dev, const struct luks2 *now, struct blkdev *file,
	const struct luks2 *backup, struct restore_plan *ret_plan)
{
	struct restore_plan plan = {0};

	for (int i = 0; i < backup->keyslot_count; i++) {
		const struct luks2_keyslot *slot = &backup->keyslots[i];
		bool equal;
		int r = areas_equal(dev, file, slot, &equal);

		if (r)
			return r;
		if (equal)
			continue;
		plan.write |= UINT32_C(1) << slot->id;
		plan.no_room |= !find_aside(now, backup, &plan, slot->area_size, &plan.aside[slot->id]);
	}
	*ret_plan = plan;
	return 0;
}

/* --- what a person wants to know ------------------------------------------------------------ */

/* Objects with the same number that are not equal, and those on one side only. */
static void compare_section(const struct luks2 *now, const struct luks2 *backup, const char *section,
	uint32_t *back, uint32_t *gone, uint32_t *changed)
{
	char id[16];

	for (int i = 0; i < 32; i++) {
		snprintf(id, sizeof(id), "%d", i);
		const json_t *is = json_object_get(json_object_get(now->json, section), id);
		const json_t *was = json_object_get(json_object_get(backup->json, section), id);
		uint32_t bit = UINT32_C(1) << i;

		*back |= was && !is ? bit : 0;
		*gone |= is && !was ? bit : 0;
		*changed |= is && was && !json_equal(is, was) ? bit : 0;
	}
}

static bool member_differs(const struct luks2 *now, const struct luks2 *backup, const char *name)
{
	const json_t *is = json_object_get(now->json, name), *was = json_object_get(backup->json, name);

	return is && was ? !json_equal(is, was) : is != was;
}

static bool digests_differ(const struct luks2 *now, const struct luks2 *backup)
{
	return now->digest_count != 1 || backup->digest_count != 1 ||
	       now->digests[0].salt_len != backup->digests[0].salt_len ||
	       memcmp(now->digests[0].salt, backup->digests[0].salt, now->digests[0].salt_len) ||
	       now->digests[0].digest_len != backup->digests[0].digest_len ||
	       memcmp(now->digests[0].digest, backup->digests[0].digest, now->digests[0].digest_len);
}

static bool segments_differ(const struct luks2 *now, const struct luks2 *backup)
{
	const struct luks2_segment *a = luks2_data_segment(now), *b = luks2_data_segment(backup);

	return !a || !b || a->offset != b->offset || a->size != b->size || a->iv_tweak != b->iv_tweak ||
	       strcmp(a->cipher, b->cipher) || a->sector_bytes != b->sector_bytes;
}

static bool top_level_differs(const struct luks2 *now, const struct luks2 *backup)
{
	const char *name;
	json_t *value;
	bool differs = json_object_size(now->json) != json_object_size(backup->json);

	json_object_foreach(backup->json, name, value)
	{
		if (strcmp(name, "keyslots") && strcmp(name, "tokens") && strcmp(name, "digests"))
			differs |= member_differs(now, backup, name);
	}
	return differs;
}

static int compare_slots(struct blkdev *dev, const struct luks2 *now, struct blkdev *file,
	const struct luks2 *backup, struct luks2_restore_diff *diff)
{
	struct restore_plan plan;
	int r = restore_plan_make(dev, now, file, backup, &plan);

	if (r)
		return r;
	compare_section(now, backup, "keyslots", &diff->slots_back, &diff->slots_gone, &diff->slots_changed);
	compare_section(now, backup, "tokens", &diff->tokens_back, &diff->tokens_gone, &diff->tokens_changed);
	/* the same description of other bytes: damaged, or changed by somebody who knew how */
	diff->slots_changed |= plan.write & ~diff->slots_back;
	diff->unsafe = plan.no_room;
	return 0;
}

static int check_room(const struct luks2 *now, const struct luks2 *backup, struct diag *diag)
{
	const struct luks2_segment *segment = now ? luks2_data_segment(now) : NULL;

	if (segment && segment->offset && luks2_areas_bytes(backup) > segment->offset)
		return diag_set(diag, -SDE_HEADER_INVALID,
			_("the restored key slots would lie where the data are"));
	return 0;
}

int luks2_restore_compare(struct blkdev *dev, const struct luks2 *now, struct blkdev *file,
	const struct luks2 *backup, uint64_t data_bytes, struct luks2_restore_diff *ret_diff,
	struct diag *diag)
{
	struct luks2_restore_diff diff = {0};
	int r = luks2_check_usable(backup, data_bytes, diag);

	if (!r && luks2_areas_bytes(backup) > dev->size_bytes)
		r = diag_set(diag, -SDE_HEADER_INVALID, _("the drive ends before the key slots do"));
	if (!r)
		r = check_room(now, backup, diag);
	if (r)
		return r;
	diff.foreign = now && strcmp(now->uuid, backup->uuid);
	diff.no_header = !restore_same_layout(now, backup);
	if (now) {
		diff.other_key = digests_differ(now, backup);
		diff.moved = segments_differ(now, backup);
		diff.older = backup->seqid < now->seqid;
	}
	if (!diff.no_header) {
		r = compare_slots(dev, now, file, backup, &diff);
		diff.label = strcmp(now->label, backup->label) || strcmp(now->subsystem, backup->subsystem);
		diff.uuid = diff.foreign;
		diff.rest = top_level_differs(now, backup);
	}
	if (!r)
		*ret_diff = diff;
	return r;
}

bool luks2_restore_same(const struct luks2_restore_diff *diff)
{
	return !(diff->no_header || diff->foreign || diff->other_key || diff->moved || diff->slots_back ||
		 diff->slots_gone || diff->slots_changed || diff->tokens_back || diff->tokens_gone ||
		 diff->tokens_changed || diff->label || diff->rest);
}
