/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/luks2-disk.h"

#include <errno.h>
#include <gcrypt.h>

#include "base/bytes.h"
#include "keymgr/hash.h"

/* Section 2.1, figure 2. The rest of the 4096 bytes is zero. */
struct luks2_bin {
	uint8_t magic[6];
	be16 version;
	be64 hdr_size;
	be64 seqid;
	char label[48];
	char csum_alg[32];
	uint8_t salt[LUKS2_HDR_SALT_BYTES];
	char uuid[40];
	char subsystem[48];
	be64 hdr_offset;
	uint8_t padding[184];
	uint8_t csum[64];
	uint8_t padding4096[7 * 512];
} __attribute__((packed));
_Static_assert(sizeof(struct luks2_bin) == LUKS2_BIN_BYTES, "section 2.1");
_Static_assert(offsetof(struct luks2_bin, csum) == 448, "section 2.1");

static const uint8_t magics[2][6] = {
	{'L', 'U', 'K', 'S', 0xba, 0xbe},
	{'S', 'K', 'U', 'L', 0xba, 0xbe},
};

bool luks2_disk_size_valid(uint64_t hdr_bytes)
{
	return is_power_of_2(hdr_bytes) && hdr_bytes >= LUKS2_HDR_BYTES_MIN &&
	       hdr_bytes <= LUKS2_HDR_BYTES_MAX;
}

void luks2_copy_clear(struct luks2_copy *copy)
{
	free(copy->json);
	*copy = (struct luks2_copy){0};
}

bool luks2_copies_equal(const struct luks2_copy *a, const struct luks2_copy *b)
{
	return a->hdr_bytes == b->hdr_bytes && a->seqid == b->seqid && !strcmp(a->label, b->label) &&
	       !strcmp(a->subsystem, b->subsystem) && !strcmp(a->uuid, b->uuid) &&
	       !memcmp(a->json, b->json, luks2_copy_json_bytes(a));
}

static int checksum(const char *alg, const struct luks2_bin *bin, const char *json,
	size_t json_bytes, uint8_t csum[HASH_BYTES_MAX])
{
	int algo = hash_algo(alg);
	struct luks2_bin zeroed = *bin;
	gcry_buffer_t parts[2] = {
		{.len = sizeof(zeroed), .data = &zeroed},
		{.len = json_bytes, .data = (void *)(uintptr_t)json},
	};

	if (!algo)
		return -SDE_HEADER_DAMAGED;
	memset(zeroed.csum, 0, sizeof(zeroed.csum));
	return gcry_md_hash_buffers(algo, 0, csum, parts, 2) ? -SDE_CRYPTO : 0;
}

/* What can be said before the JSON area is read. */
static int check_bin(const struct luks2_bin *bin, uint64_t offset)
{
	uint64_t hdr_bytes = be64_get(bin->hdr_size);
	unsigned version = be16_get(bin->version);

	if (memcmp(bin->magic, magics[offset != 0], sizeof(bin->magic)))
		return -SDE_NOT_LUKS;
	if (version == 1 && !offset)
		return -SDE_LUKS1;
	if (version > 2)
		return -SDE_HEADER_INVALID;
	if (version != 2 || be64_get(bin->hdr_offset) != offset)
		return -SDE_HEADER_DAMAGED;
	if (hdr_bytes < LUKS2_HDR_BYTES_MIN || hdr_bytes > LUKS2_HDR_BYTES_MAX ||
		(offset && hdr_bytes != offset))
		return -SDE_HEADER_DAMAGED;
	return 0;
}

static void copy_string(char *to, const char *from, size_t room)
{
	memcpy(to, from, room - 1);
	to[room - 1] = '\0';
}

static void copy_decode(const struct luks2_bin *bin, struct luks2_copy *copy)
{
	copy->hdr_bytes = be64_get(bin->hdr_size);
	copy->seqid = be64_get(bin->seqid);
	copy_string(copy->label, bin->label, sizeof(copy->label));
	copy_string(copy->subsystem, bin->subsystem, sizeof(copy->subsystem));
	copy_string(copy->uuid, bin->uuid, sizeof(copy->uuid));
	copy_string(copy->csum_alg, bin->csum_alg, sizeof(copy->csum_alg));
}

int luks2_disk_read(struct blkdev *dev, uint64_t offset, struct luks2_copy *ret_copy)
{
	CLEANUP_LUKS2_COPY struct luks2_copy copy = {0};
	struct luks2_bin bin;
	uint8_t csum[HASH_BYTES_MAX];

	if (!range_inside(offset, sizeof(bin), dev->size_bytes))
		return -SDE_NOT_LUKS;
	int r = blkdev_read(dev, &bin, sizeof(bin), offset);

	if (!r)
		r = check_bin(&bin, offset);
	if (r)
		return r;
	copy_decode(&bin, &copy);
	if (!range_inside(offset, copy.hdr_bytes, dev->size_bytes))
		return -SDE_HEADER_DAMAGED;
	copy.json = malloc(luks2_copy_json_bytes(&copy));
	if (!copy.json)
		return -ENOMEM;
	r = blkdev_read(dev, copy.json, luks2_copy_json_bytes(&copy), offset + sizeof(bin));
	if (!r)
		r = checksum(copy.csum_alg, &bin, copy.json, luks2_copy_json_bytes(&copy), csum);
	if (r)
		return r;
	if (memcmp(csum, bin.csum, hash_bytes(copy.csum_alg)))
		return -SDE_HEADER_DAMAGED;
	*ret_copy = copy;
	copy.json = NULL;
	return 0;
}

int luks2_disk_scan(struct blkdev *dev, struct luks2_copy *ret_copy)
{
	int worst = -SDE_NOT_LUKS;

	for (uint64_t at = LUKS2_HDR_BYTES_MIN; at <= LUKS2_HDR_BYTES_MAX; at *= 2) {
		int r = luks2_disk_read(dev, at, ret_copy);

		if (!r || r == -ENODEV || r == -ENOMEM)
			return r;
		if (worst == -SDE_NOT_LUKS)
			worst = r;
	}
	return worst;
}

static int encode(const struct luks2_copy *copy, bool secondary, struct luks2_bin *ret_bin)
{
	struct luks2_bin bin = {
		.version = be16_make(2),
		.hdr_size = be64_make(copy->hdr_bytes),
		.seqid = be64_make(copy->seqid),
		.hdr_offset = be64_make(secondary ? copy->hdr_bytes : 0),
	};
	uint8_t csum[HASH_BYTES_MAX];

	memcpy(bin.magic, magics[secondary], sizeof(bin.magic));
	copy_string(bin.label, copy->label, sizeof(bin.label));
	copy_string(bin.subsystem, copy->subsystem, sizeof(bin.subsystem));
	copy_string(bin.uuid, copy->uuid, sizeof(bin.uuid));
	copy_string(bin.csum_alg, copy->csum_alg, sizeof(bin.csum_alg));
	gcry_create_nonce(bin.salt, sizeof(bin.salt));
	int r = checksum(copy->csum_alg, &bin, copy->json, luks2_copy_json_bytes(copy), csum);

	if (r)
		return r;
	memcpy(bin.csum, csum, hash_bytes(copy->csum_alg));
	*ret_bin = bin;
	return 0;
}

static int write_json(struct blkdev *dev, const struct luks2_copy *copy, uint64_t offset)
{
	int r = blkdev_write(
		dev, copy->json, luks2_copy_json_bytes(copy), offset + LUKS2_BIN_BYTES);

	return r ? r : blkdev_flush(dev);
}

int luks2_disk_write(struct blkdev *dev, const struct luks2_copy *copy, bool secondary)
{
	uint64_t offset = secondary ? copy->hdr_bytes : 0;
	struct luks2_bin bin;
	int r = encode(copy, secondary, &bin);

	if (!r)
		r = write_json(dev, copy, offset);
	if (!r)
		r = blkdev_write(dev, &bin, sizeof(bin), offset);
	return r ? r : blkdev_flush(dev);
}

int luks2_disk_take_over(struct blkdev *dev, const struct luks2_copy *copy)
{
	enum { SECTOR = 512 };
	struct luks2_bin bin;
	const uint8_t *bytes = (const uint8_t *)&bin;
	int r = encode(copy, false, &bin);

	if (!r)
		r = write_json(dev, copy, 0);
	if (!r)
		r = blkdev_write(dev, bytes, SECTOR, 0);
	if (!r)
		r = blkdev_flush(dev);
	if (!r)
		r = blkdev_write(dev, bytes + SECTOR, sizeof(bin) - SECTOR, SECTOR);
	return r ? r : blkdev_flush(dev);
}

static int erase_bin(struct blkdev *dev, uint64_t offset)
{
	static const struct luks2_bin zero;

	if (!range_inside(offset, sizeof(zero), dev->size_bytes))
		return 0;
	return blkdev_write(dev, &zero, sizeof(zero), offset);
}

int luks2_disk_erase(struct blkdev *dev)
{
	int r = erase_bin(dev, 0);

	for (uint64_t at = LUKS2_HDR_BYTES_MIN; !r && at <= LUKS2_HDR_BYTES_MAX; at *= 2)
		r = erase_bin(dev, at);
	return r ? r : blkdev_flush(dev);
}
