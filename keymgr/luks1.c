/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/luks1.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "keymgr/af.h"
#include "keymgr/keyslot.h"

static void keyslot_fill(const struct luks1 *from, int id, struct luks2_keyslot *slot)
{
	const struct luks1_keyslot *record = &from->keyslots[id];

	*slot = (struct luks2_keyslot){
		.id = id,
		.type = "luks2",
		.priority = LUKS2_PRIORITY_NORMAL,
		.key_bytes = from->key_bytes,
		.area_key_bytes = from->key_bytes,
		.area_offset = record->area_offset,
		.area_size = luks1_area_bytes(from),
		.af_stripes = AF_STRIPES,
		.kdf = {.type = LUKS2_KDF_PBKDF2,
			.iterations = record->iterations,
			.salt_len = LUKS1_SALT_BYTES},
	};
	memcpy(slot->kdf.salt, record->salt, LUKS1_SALT_BYTES);
	strcpy(slot->kdf.hash, from->hash);
	strcpy(slot->af_hash, from->hash);
	strcpy(slot->area_cipher, from->cipher);
	slot->usable = !keyslot_check(slot, NULL);
}

static void digest_fill(const struct luks1 *from, struct luks2_digest *digest)
{
	*digest = (struct luks2_digest){
		.type = "pbkdf2",
		.iterations = from->digest_iterations,
		.salt_len = LUKS1_SALT_BYTES,
		.digest_len = LUKS1_DIGEST_BYTES,
		.segments = 1,
	};
	strcpy(digest->hash, from->hash);
	memcpy(digest->salt, from->digest_salt, LUKS1_SALT_BYTES);
	memcpy(digest->digest, from->digest, LUKS1_DIGEST_BYTES);
}

void luks1_to_model(const struct luks1 *from, struct luks2 *hdr)
{
	hdr->segment_count = hdr->digest_count = 1;
	hdr->segments[0] = (struct luks2_segment){
		.type = "crypt",
		.offset = from->data_offset,
		.sector_bytes = LUKS1_SECTOR_BYTES,
	};
	strcpy(hdr->segments[0].cipher, from->cipher);
	digest_fill(from, &hdr->digests[0]);
	hdr->keyslot_count = 0;
	for (int i = 0; i < LUKS1_KEYSLOTS; i++) {
		if (!from->keyslots[i].active)
			continue;
		keyslot_fill(from, i, &hdr->keyslots[hdr->keyslot_count++]);
		hdr->digests[0].keyslots |= UINT32_C(1) << i;
	}
	memcpy(hdr->uuid, from->uuid, sizeof(hdr->uuid));
}

static uint64_t areas_end(const struct luks1 *from)
{
	uint64_t end = LUKS1_HDR_BYTES;

	for (int i = 0; i < LUKS1_KEYSLOTS; i++)
		end = max_u64(end, from->keyslots[i].area_offset + luks1_area_bytes(from));
	return end;
}

int luks1_load(struct blkdev *dev, struct luks2 **ret_hdr, struct diag *diag)
{
	CLEANUP_LUKS2 struct luks2 *hdr = calloc(1, sizeof(*hdr));
	struct luks1 from;
	int r = hdr ? luks1_disk_read(dev, &from, diag) : -ENOMEM;

	if (r)
		return r;
	luks1_to_model(&from, hdr);
	for (int i = 0; i < hdr->keyslot_count; i++)
		strcpy(hdr->keyslots[i].type, "luks1");
	hdr->version = 1;
	hdr->hdr_bytes = LUKS1_HDR_BYTES;
	hdr->keyslots_size = areas_end(&from) - LUKS1_HDR_BYTES;
	hdr->flags = calloc(1, sizeof(*hdr->flags));
	hdr->requirements = calloc(1, sizeof(*hdr->requirements));
	if (!hdr->flags || !hdr->requirements)
		return -ENOMEM;
	*ret_hdr = take_ptr(hdr);
	return 0;
}
