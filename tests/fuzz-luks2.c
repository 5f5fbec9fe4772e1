/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer on headers: `make fuzz-luks2 && ./fuzz-luks2 CORPUS-DIR` (clang).
 *
 * The first byte of an input says what the rest is: the JSON text of a header that is right
 * otherwise, or the start of a device, whose checksums are put right so that something lies behind
 * them. tests/headers/corpus.py makes a corpus of the table of headers.
 */
#include <errno.h>
#include <gcrypt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/luks2-disk.h"
#include "keymgr/luks2-update.h"
#include "tests/dev/memdev.h"

enum { DEVICE_BYTES = 2 * 1024 * 1024, CSUM_AT = 448, CSUM_BYTES = 64, HDR_BYTES = 16384 };

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

static void seal(uint8_t *device, uint64_t offset)
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	struct diag diag = {0};

	if (!size || size > DEVICE_BYTES || crypto_init() || memdev_new(DEVICE_BYTES, 512, &dev))
		return 0;
	if (data[0] & 1) {
		put_json(dev, data + 1, size - 1);
	} else {
		memcpy(memdev_data(dev), data + 1, size - 1);
		seal(memdev_data(dev), 0);
		seal(memdev_data(dev), HDR_BYTES);
	}
	if (!luks2_load(dev, data[0] & 2 ? LUKS2_REPAIR : 0, &hdr, &diag))
		(void)!luks2_check_usable(hdr, DEVICE_BYTES, &diag);
	if (hdr && data[0] & 4)
		change(dev);
	return 0;
}
