/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer on headers: `make fuzz-luks2 && ./fuzz-luks2 CORPUS-DIR` (clang). tests/luks2-fuzz.sh
 * runs the same function on a corpus without libFuzzer.
 *
 * The first byte of an input says what the rest is: the JSON text of a header that is right
 * otherwise, or the start of a device, whose checksums are put right so that something lies behind
 * them. tests/headers/corpus.py makes a corpus of the table of headers.
 */
#include <errno.h>
#include <gcrypt.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/luks2-backup.h"
#include "keymgr/luks2-disk.h"
#include "keymgr/luks2-examine.h"
#include "keymgr/luks2-seal.h"
#include "keymgr/luks2-update.h"
#include "tests/dev/memdev.h"

enum { DEVICE_BYTES = 2 * 1024 * 1024, CSUM_AT = 448, CSUM_BYTES = 64, HDR_BYTES = 16384 };
enum { KEY_BYTES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_json(struct blkdev *dev, const uint8_t *text, size_t len)
{
	struct luks2_copy copy = {.hdr_bytes = HDR_BYTES, .seqid = 1, .csum_alg = "sha256"};

	copy.json = calloc(1, luks2_copy_json_bytes(&copy));
	if (!copy.json)
		abort();
	memcpy(copy.json, text, min_u64(len, luks2_copy_json_bytes(&copy)));
	if (luks2_disk_write(dev, &copy, false) || luks2_disk_write(dev, &copy, true))
		abort();
	free(copy.json);
}

static void put_checksum(uint8_t *device, uint64_t offset)
{
	be64 size;

	memcpy(&size, device + offset + 8, sizeof(size));
	if (!range_inside(offset, be64_get(size), DEVICE_BYTES) || be64_get(size) < LUKS2_BIN_BYTES)
		return;
	memset(device + offset + CSUM_AT, 0, CSUM_BYTES);
	uint8_t csum[32];

	gcry_md_hash_buffer(GCRY_MD_SHA256, csum, device + offset, be64_get(size));
	memcpy(device + offset + CSUM_AT, csum, sizeof(csum));
}

/* What can be read can be changed, and is read back as it was changed. */
static void change(struct blkdev *dev)
{
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;
	int r = luks2_update_begin(dev, NULL, &update, NULL);

	if (!r)
		r = luks2_token_put(update, -1, "{\"type\":\"x\",\"keyslots\":[]}", NULL, NULL);
	if (!r)
		r = luks2_update_commit(update, NULL, NULL);
	if (r == -EIO || r == -SDE_HEADER_CHANGED || (update && r == -SDE_HEADER_INVALID &&
			luks2_update_header(update)->seqid != UINT64_MAX))
		abort();
}

/* Costs come from the header: where they are high, minutes would go by. */
static bool digests_cheap(const struct luks2 *hdr)
{
	for (int i = 0; i < hdr->digest_count; i++)
		if (hdr->digests[i].iterations > 2000)
			return false;
	return true;
}

/* The seal of a header, whatever it says, under a key that is not its own; and a new one. */
static void try_seal(const struct luks2 *hdr)
{
	CLEANUP_SECRET struct secret *key = NULL;
	enum luks2_seal_state state;
	struct diag diag = {0};

	if (!hdr->json || !digests_cheap(hdr) || secret_new(KEY_BYTES, &key))
		return;
	if (luks2_seal_check(hdr, key, &state, &diag) || state == LUKS2_SEAL_RIGHT)
		abort();
	json_t *doc = json_deep_copy(hdr->json);

	(void)!luks2_seal_put(hdr, doc, key);
	json_decref(doc);
}

static void try_backup(struct blkdev *dev, const struct luks2 *hdr)
{
	CLEANUP_BLKDEV struct blkdev *file = NULL;
	struct diag diag = {0};

	if (!memdev_new(luks2_areas_bytes(hdr), 512, &file))
		(void)!luks2_backup(dev, hdr, file, &diag);
}

static void ignore(void *ctx, const struct luks2_finding *finding)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL, *again = NULL;
	struct diag diag = {0};

	if (!size || size > DEVICE_BYTES || crypto_init() || memdev_new(DEVICE_BYTES, 512, &dev))
		return 0;
	if (data[0] & 1) {
		put_json(dev, data + 1, size - 1);
	} else {
		memcpy(memdev_data(dev), data + 1, size - 1);
		put_checksum(memdev_data(dev), 0);
		put_checksum(memdev_data(dev), HDR_BYTES);
	}
	if (data[0] & 32)
		(void)!luks2_examine(dev, DEVICE_BYTES, ignore, NULL, &again, &diag);
	if (luks2_load(dev, data[0] & 2 ? LUKS2_REPAIR : 0, &hdr, &diag))
		return 0;
	(void)!luks2_check_usable(hdr, DEVICE_BYTES, &diag);
	if (data[0] & 8)
		try_seal(hdr);
	if (data[0] & 16)
		try_backup(dev, hdr);
	if (data[0] & 4)
		change(dev);
	return 0;
}
