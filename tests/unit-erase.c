/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Erasing on test devices: errors and power failures at every call. What is reported as erased is;
 * what was interrupted is found again as long as a key slot is left.
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/luks2-erase.h"
#include "tests/dev/faultdev.h"
#include "tests/dev/leaks.h"
#include "tests/dev/memdev.h"
#include "tests/unit.h"

#define MIB (UINT64_C(1) << 20)
enum { HEADERS_END = 32768, AREA_BYTES = 258048 };

static struct blkdev *volume_new(uint64_t keyslots_bytes)
{
	const struct luks2_format_params params = {
		.kdf = {.type = LUKS2_KDF_PBKDF2, .iterations = 1000},
		.keyslots_bytes = keyslots_bytes,
		.data_offset = MIB,
		.label = "GONE",
	};
	CLEANUP_SECRET struct secret *passphrase = NULL, *key = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	struct blkdev *mem = NULL, *dev = NULL;

	CU_ASSERT_EQUAL_FATAL(memdev_new(2 * MIB, 512, &mem), 0);
	CU_ASSERT_EQUAL_FATAL(secret_new_copy("x", 1, &passphrase), 0);
	CU_ASSERT_EQUAL_FATAL(luks2_format(mem, mem->size_bytes, &params, passphrase, &hdr, &key, NULL), 0);
	memset((char *)memdev_data(mem) + MIB, 0x5a, MIB);
	CU_ASSERT_EQUAL_FATAL(faultdev_new(mem, &dev), 0);
	return dev;
}

static int erase(struct blkdev *dev, struct luks2_erasure *ret_erasure)
{
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	int r = luks2_load(dev, 0, &hdr, NULL);

	return r ? r : luks2_erase(dev, hdr, ret_erasure, NULL);
}

static uint8_t *content(struct blkdev *dev)
{
	uint8_t *bytes = malloc(dev->size_bytes);

	CU_ASSERT_EQUAL_FATAL(blkdev_read(dev, bytes, dev->size_bytes, 0), 0);
	return bytes;
}

/* Sectors of the first keyslot's area that are what they were. */
static size_t material_left(const uint8_t *before, const uint8_t *now)
{
	size_t left = 0;

	for (size_t at = HEADERS_END; at < HEADERS_END + AREA_BYTES; at += 512)
		left += !memcmp(before + at, now + at, 512);
	return left;
}

static void test_erased(void)
{
	CLEANUP_BLKDEV struct blkdev *dev = volume_new(512 * 1024);
	CLEANUP_FREE uint8_t *before = content(dev);
	struct luks2_erasure erasure;

	CU_ASSERT_EQUAL_FATAL(erase(dev, &erasure), 0);
	CLEANUP_FREE uint8_t *now = content(dev);

	CU_ASSERT_EQUAL(erasure.bytes, MIB);
	CU_ASSERT_EQUAL(erasure.discarded, dev->discards);
	CU_ASSERT_EQUAL(material_left(before, now), 0);
	for (size_t at = 0; at < HEADERS_END; at += 16)
		CU_ASSERT(bytes_all_zero(before + at, 16) || memcmp(before + at, now + at, 16));
	CU_ASSERT(!memcmp(before + MIB, now + MIB, MIB));
	CU_ASSERT_EQUAL(erase(dev, &erasure), -SDE_NOT_LUKS);
}

/* An error at any call is an error of the whole, and until then the data could be found again. */
static void test_errors(void)
{
	for (int op = FAULT_READ; op <= FAULT_FLUSH; op++)
		for (uint64_t nth = 1;; nth++) {
			CLEANUP_BLKDEV struct blkdev *dev = volume_new(512 * 1024);
			CLEANUP_FREE uint8_t *before = content(dev);
			CLEANUP_LUKS2 struct luks2 *hdr = NULL;
			struct luks2_erasure erasure;

			CU_ASSERT_EQUAL_FATAL(luks2_load(dev, 0, &hdr, NULL), 0);
			faultdev_fail_once(dev, (enum fault_op)op, nth, -EIO);
			int r = luks2_erase(dev, hdr, &erasure, NULL);

			faultdev_fail_once(dev, (enum fault_op)op, 0, 0);
			if (r == 0)
				break;
			CU_ASSERT_EQUAL(r, -EIO);
			CU_ASSERT_FATAL(nth < 100);
			/* again: erased now, or before already */
			r = erase(dev, &erasure);
			CLEANUP_FREE uint8_t *now = content(dev);

			CU_ASSERT(r == 0 || material_left(before, now) == 0);
			CU_ASSERT_EQUAL(erase(dev, &erasure), -SDE_NOT_LUKS);
		}
}

/* With the header goes the way to find what is left to be erased: it goes last. */
static void test_power_failures(void)
{
	CLEANUP_BLKDEV struct blkdev *dev = volume_new(512 * 1024), *state = NULL;
	CLEANUP_FREE uint8_t *before = content(dev);
	struct luks2_erasure erasure;
	size_t count;

	CU_ASSERT_EQUAL_FATAL(memdev_new(dev->size_bytes, 512, &state), 0);
	faultdev_record(dev, true);
	CU_ASSERT_EQUAL_FATAL(erase(dev, &erasure), 0);
	const struct fault_record *records = faultdev_records(dev, &count);
	CLEANUP_FREE uint8_t *base = malloc(dev->size_bytes);

	memcpy(base, before, dev->size_bytes);
	for (size_t i = 0; i < count; i++) {
		if (records[i].op != FAULT_WRITE)
			continue;
		for (size_t part = 0; part <= 8; part++) {
			uint8_t *now = memdev_data(state);
			CLEANUP_LUKS2 struct luks2 *hdr = NULL;

			memcpy(now, base, dev->size_bytes);
			memcpy(now + records[i].off, records[i].data, records[i].len / 8 * part);
			CU_ASSERT(!luks2_load(state, LUKS2_FOREIGN_OK, &hdr, NULL) || material_left(before, now) == 0);
		}
		memcpy(base + records[i].off, records[i].data, records[i].len);
	}
}

int main(void)
{
	if (crypto_init() < 0)
		return 99;
	leaks_know_secure_memory();
	return UNIT_RUN(UNIT(test_erased), UNIT(test_errors), UNIT(test_power_failures));
}
