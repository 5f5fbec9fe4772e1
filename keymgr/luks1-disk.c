/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/luks1-disk.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "keymgr/af.h"
#include "keymgr/hash.h"

enum { LUKS_VERSION = 1, KEYSLOT_ACTIVE = 0x00ac71f3, KEYSLOT_INACTIVE = 0x0000dead };

/* Section 3, figures 1 and 2. Offsets on the medium are in sectors. */
struct luks1_raw_keyslot {
	be32 active;
	be32 iterations;
	uint8_t salt[LUKS1_SALT_BYTES];
	be32 area_offset;
	be32 stripes;
} __attribute__((packed));

struct luks1_raw {
	uint8_t magic[6];
	be16 version;
	char cipher_name[32], cipher_mode[32], hash[32];
	be32 data_offset;
	be32 key_bytes;
	uint8_t digest[LUKS1_DIGEST_BYTES], digest_salt[LUKS1_SALT_BYTES];
	be32 digest_iterations;
	char uuid[40];
	struct luks1_raw_keyslot keyslots[LUKS1_KEYSLOTS];
} __attribute__((packed));
_Static_assert(sizeof(struct luks1_raw) == LUKS1_HDR_BYTES, "section 3");

static const uint8_t magic[6] = {'L', 'U', 'K', 'S', 0xba, 0xbe};

uint64_t luks1_area_bytes(const struct luks1 *hdr)
{
	return af_bytes(hdr->key_bytes, AF_STRIPES);
}

static void copy_string(char *to, const char *from, size_t room)
{
	memcpy(to, from, room - 1);
	to[room - 1] = '\0';
}

static void decode(const struct luks1_raw *raw, struct luks1 *hdr)
{
	char name[32], mode[32];

	copy_string(name, raw->cipher_name, sizeof(name));
	copy_string(mode, raw->cipher_mode, sizeof(mode));
	snprintf(hdr->cipher, sizeof(hdr->cipher), "%s-%s", name, mode);
	copy_string(hdr->hash, raw->hash, sizeof(hdr->hash));
	copy_string(hdr->uuid, raw->uuid, sizeof(hdr->uuid));
	hdr->data_offset = (uint64_t)be32_get(raw->data_offset) * LUKS1_SECTOR_BYTES;
	hdr->key_bytes = be32_get(raw->key_bytes);
	memcpy(hdr->digest, raw->digest, sizeof(hdr->digest));
	memcpy(hdr->digest_salt, raw->digest_salt, sizeof(hdr->digest_salt));
	hdr->digest_iterations = be32_get(raw->digest_iterations);
	for (int i = 0; i < LUKS1_KEYSLOTS; i++) {
		const struct luks1_raw_keyslot *from = &raw->keyslots[i];
		struct luks1_keyslot *to = &hdr->keyslots[i];

		to->active = be32_get(from->active) == KEYSLOT_ACTIVE;
		to->iterations = be32_get(from->iterations);
		memcpy(to->salt, from->salt, sizeof(to->salt));
		to->area_offset = (uint64_t)be32_get(from->area_offset) * LUKS1_SECTOR_BYTES;
	}
}

static int invalid(int slot, const char *why, struct diag *diag)
{
	return diag_set(diag, -SDE_HEADER_INVALID, _("key slot %d: %s"), slot, why);
}

/* Sizes are below 2^45 and offsets below 2^41: their sums do not overflow. */
static int check_area(const struct luks1 *hdr, int id, uint64_t dev_bytes, struct diag *diag)
{
	uint64_t start = hdr->keyslots[id].area_offset, bytes = luks1_area_bytes(hdr);

	if (start < LUKS1_HDR_BYTES)
		return invalid(id, _("its area lies in the header"), diag);
	if (hdr->data_offset && start + bytes > hdr->data_offset)
		return invalid(id, _("its area reaches into the data"), diag);
	if (start + bytes > dev_bytes)
		return diag_set(
			diag, -SDE_HEADER_INVALID, _("the drive ends before the key slots do"));
	for (int i = 0; i < id; i++) {
		uint64_t other = hdr->keyslots[i].area_offset;

		if (start < other + bytes && other < start + bytes)
			return invalid(id, _("its area overlaps another one"), diag);
	}
	return 0;
}

static int check(const struct luks1_raw *raw, const struct luks1 *hdr, uint64_t dev_bytes,
	struct diag *diag)
{
	int r = 0;

	if (!hdr->key_bytes)
		return diag_set(diag, -SDE_HEADER_INVALID, _("its key has no length"));
	if (hash_bytes(hdr->hash) < LUKS1_DIGEST_BYTES)
		return diag_set(diag, -SDE_HEADER_INVALID, _("its hash is not known"));
	for (int i = 0; i < LUKS1_KEYSLOTS && !r; i++) {
		if (be32_get(raw->keyslots[i].stripes) != AF_STRIPES)
			return invalid(i, _("its splitter is not supported"), diag);
		r = check_area(hdr, i, dev_bytes, diag);
	}
	return r;
}

int luks1_disk_read(struct blkdev *dev, struct luks1 *ret_hdr, struct diag *diag)
{
	struct luks1 hdr;
	struct luks1_raw raw;

	if (dev->size_bytes < sizeof(raw))
		return -SDE_NOT_LUKS;
	int r = blkdev_read(dev, &raw, sizeof(raw), 0);

	if (r)
		return r;
	if (memcmp(raw.magic, magic, sizeof(magic)) || be16_get(raw.version) != LUKS_VERSION)
		return -SDE_NOT_LUKS;
	decode(&raw, &hdr);
	r = check(&raw, &hdr, dev->size_bytes, diag);
	if (!r)
		*ret_hdr = hdr;
	return r;
}

static int write_part(struct blkdev *dev, const void *record, uint64_t at, size_t from, size_t end)
{
	if (from >= end)
		return 0;
	int r = blkdev_write(dev, (const uint8_t *)record + from, end - from, at + from);

	return r ? r : blkdev_flush(dev);
}

int luks1_disk_write_keyslot(struct blkdev *dev, int id, const struct luks1_keyslot *slot)
{
	struct luks1_raw_keyslot raw = {
		.active = be32_make(slot->active ? KEYSLOT_ACTIVE : KEYSLOT_INACTIVE),
		.iterations = be32_make(slot->iterations),
		.area_offset = be32_make((uint32_t)(slot->area_offset / LUKS1_SECTOR_BYTES)),
		.stripes = be32_make(AF_STRIPES),
	};
	uint64_t at = offsetof(struct luks1_raw, keyslots) + sizeof(raw) * (unsigned)id;
	size_t first = (size_t)min_u64(
		sizeof(raw), LUKS1_SECTOR_BYTES - at % LUKS1_SECTOR_BYTES);

	memcpy(raw.salt, slot->salt, sizeof(raw.salt));
	int r = write_part(dev, &raw, at, first, sizeof(raw));

	return r ? r : write_part(dev, &raw, at, 0, first);
}
