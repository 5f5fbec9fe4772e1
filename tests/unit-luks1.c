/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Converting LUKS version 1 to version 2 with the power failing at every write, whole or torn, and
 * with errors at every call: every passphrase opens the volume with the same key at every moment,
 * and the same call goes on. That the headers are those of cryptsetup is tests/luks1*.sh's business.
 */
#include <errno.h>
#include <gcrypt.h>
#include <string.h>

#include "base/bytes.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/af.h"
#include "keymgr/kdf.h"
#include "keymgr/keyslot.h"
#include "keymgr/luks1-convert.h"
#include "keymgr/luks1.h"
#include "tests/dev/faultdev.h"
#include "tests/dev/leaks.h"
#include "tests/dev/memdev.h"
#include "tests/unit.h"

enum { SECTOR = 512, AREA_ALIGN = 4096, FIRST_AREA = 4096, TIGHT = 0, SLACK_BYTES = 1024 * 1024 };

/* A volume as cryptsetup lays it out, with the keyslots of mask in use; slot i opens with "pass i". */
struct layout {
	const char *name;
	uint32_t key_bytes;
	unsigned mask;
	uint64_t slack_bytes; /* between keyslots and data, beyond what the new header needs at most */
	bool detached;
};

static uint8_t volume_key[64];

static struct secret *passphrase_of(int slot)
{
	struct secret *secret = NULL;
	char text[16];
	int len = snprintf(text, sizeof(text), "pass %d", slot);

	CU_ASSERT_EQUAL_FATAL(secret_new_copy(text, (size_t)len, &secret), 0);
	return secret;
}

static void put32(uint8_t *at, uint32_t value)
{
	be32 number = be32_make(value);

	memcpy(at, &number, sizeof(number));
}

static void write_slot(struct blkdev *dev, uint32_t key_bytes, int id, const uint8_t *record)
{
	CLEANUP_SECRET struct secret *passphrase = passphrase_of(id), *key = NULL, *area_key = NULL;
	struct luks2_keyslot slot = {
		.type = "luks2",
		.key_bytes = key_bytes,
		.area_key_bytes = key_bytes,
		.area_cipher = "aes-xts-plain64",
		.area_offset = FIRST_AREA + (uint64_t)id * round_up_u64(af_bytes(key_bytes, 4000), AREA_ALIGN),
		.area_size = af_bytes(key_bytes, 4000),
		.af_hash = "sha256",
		.af_stripes = 4000,
		.kdf = {.type = LUKS2_KDF_PBKDF2, .hash = "sha256", .iterations = 2, .salt_len = 32},
	};

	memcpy(slot.kdf.salt, record + 8, 32);
	CU_ASSERT_EQUAL_FATAL(secret_new_copy(volume_key, key_bytes, &key), 0);
	CU_ASSERT_EQUAL_FATAL(keyslot_derive(&slot, passphrase, &area_key, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(keyslot_write(&slot, dev, area_key, key, NULL), 0);
}

static struct blkdev *volume_new(const struct layout *layout)
{
	CLEANUP_SECRET struct secret *key = NULL;
	uint64_t area = round_up_u64(af_bytes(layout->key_bytes, 4000), AREA_ALIGN);
	uint64_t data = FIRST_AREA + 8 * area + layout->slack_bytes;
	struct blkdev *dev = NULL;
	uint8_t *raw;

	CU_ASSERT_EQUAL_FATAL(crypto_init(), 0);
	CU_ASSERT_EQUAL_FATAL(memdev_new(data + (layout->detached ? 0 : 65536), SECTOR, &dev), 0);
	raw = memdev_data(dev);
	gcry_randomize(volume_key, sizeof(volume_key), GCRY_STRONG_RANDOM);
	memcpy(raw, "LUKS\xba\xbe\0\1aes", 11);
	strcpy((char *)raw + 40, "xts-plain64");
	strcpy((char *)raw + 72, "sha256");
	put32(raw + 104, layout->detached ? 0 : (uint32_t)(data / SECTOR));
	put32(raw + 108, layout->key_bytes);
	gcry_create_nonce(raw + 132, 32);
	put32(raw + 164, 2);
	CU_ASSERT_EQUAL_FATAL(secret_new_copy(volume_key, layout->key_bytes, &key), 0);
	CU_ASSERT_EQUAL_FATAL(kdf_pbkdf2("sha256", key, raw + 132, 32, 2, raw + 112, 20), 0);
	strcpy((char *)raw + 168, "01234567-89ab-4cde-8f01-23456789abcd");
	for (int i = 0; i < 8; i++) {
		uint8_t *record = raw + 208 + 48 * i;
		bool active = layout->mask >> i & 1;

		put32(record, active ? 0x00ac71f3 : 0xdead);
		put32(record + 4, active ? 2 : 0);
		put32(record + 40, (uint32_t)((FIRST_AREA + (uint64_t)i * area) / SECTOR));
		put32(record + 44, 4000);
		if (!active)
			continue;
		gcry_create_nonce(record + 8, 32);
		write_slot(dev, layout->key_bytes, i, record);
	}
	if (!layout->detached)
		memset(raw + data, 0xd7, 65536);
	return dev;
}

static bool opens(struct blkdev *dev, int slot, int want_slot)
{
	CLEANUP_SECRET struct secret *passphrase = passphrase_of(slot), *key = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	int found = -1;

	return !luks2_load(dev, 0, &hdr, NULL) && !luks2_check_usable(hdr, UINT64_C(1) << 40, NULL) &&
	       /* its own number first: trying them all takes long */
	       (!luks2_unlock(hdr, dev, passphrase, slot, &key, &found, NULL) ||
		       !luks2_unlock(hdr, dev, passphrase, -1, &key, &found, NULL)) &&
	       !memcmp(secret_data(key), volume_key, secret_len(key)) &&
	       (want_slot < 0 || found == want_slot);
}

static bool all_open(struct blkdev *dev, const struct layout *layout)
{
	bool all = true;

	for (int i = 0; i < 8; i++)
		if (layout->mask >> i & 1)
			all &= opens(dev, i, -1);
	return all;
}

/* Goes on until it is done; then all is as it should be. */
static bool finishes(struct blkdev *dev, const struct layout *layout)
{
	CLEANUP_LUKS2 struct luks2 *hdr = NULL, *done = NULL;
	int r = luks2_load(dev, LUKS2_REPAIR, &hdr, NULL);

	if (!r && hdr->version == 1)
		r = luks1_convert(dev, &done, NULL);
	luks2_free(hdr);
	hdr = NULL;
	if (r || luks2_load(dev, 0, &hdr, NULL) || hdr->version != 2 ||
		hdr->copies[0] != LUKS2_COPY_OK || hdr->copies[1] != LUKS2_COPY_OK ||
		strcmp(hdr->uuid, "01234567-89ab-4cde-8f01-23456789abcd") ||
		hdr->keyslot_count != __builtin_popcount(layout->mask))
		return false;
	bool all = true;

	for (int i = 0; i < 8; i++)
		if (layout->mask >> i & 1)
			all &= opens(dev, i, i);
	return all;
}

static const struct layout layouts[] = {
	{"one keyslot, free space", 32, 0x01, SLACK_BYTES, false},
	{"one keyslot, no space", 64, 0x01, TIGHT, false},
	{"into the seventh", 64, 0xbf, TIGHT, false},
	{"into the eighth", 64, 0x7f, TIGHT, false},
	{"nothing in the way", 64, 0x0a, TIGHT, false},
	{"all in use, free space", 32, 0xff, SLACK_BYTES, false},
	{"a header file", 64, 0x81, TIGHT, true},
};

static struct blkdev *recorded(struct blkdev *mem)
{
	struct blkdev *dev = NULL;

	CU_ASSERT_EQUAL_FATAL(faultdev_new(mem, &dev), 0);
	faultdev_record(dev, true);
	return dev;
}

/* What of a write reaches the medium: sectors in which bit (number of the sector) of pattern is set. */
static void apply(uint8_t *image, const struct fault_record *record, unsigned how)
{
	size_t sectors = (record->len + SECTOR - 1) / SECTOR;

	for (size_t i = 0; i < sectors; i++) {
		bool reaches = how == 0	   ? true
			       : how == 1 ? i == 0
			       : how == 2 ? i != 0
			       : how == 3 ? i < sectors / 2
			       : how == 4 ? i >= sectors / 2
					  : i % 2 != 0;

		/* sectors of the medium, not of the write */
		uint64_t from = i == 0 ? record->off : round_down_u64(record->off, SECTOR) + i * SECTOR;
		uint64_t end = min_u64(record->off + record->len, round_down_u64(from, SECTOR) + SECTOR);

		if (reaches && from < end)
			memcpy(image + from, record->data + (from - record->off), end - from);
	}
}

static void cut_everywhere(const struct layout *layout, struct blkdev *dev, const uint8_t *before)
{
	bool every = getenv("SEALDRIVE_LONG");
	size_t count, cuts = 0, seen = 0, step = unit_step();
	uint64_t size = dev->size_bytes;
	CLEANUP_BLKDEV struct blkdev *state = NULL;
	CLEANUP_FREE uint8_t *base = malloc(size);
	const struct fault_record *records = faultdev_records(dev, &count);

	CU_ASSERT_EQUAL_FATAL(memdev_new(size, SECTOR, &state), 0);
	memcpy(base, before, size);
	for (size_t i = 0; i < count; i++) {
		if (records[i].op != FAULT_WRITE)
			continue;
		for (unsigned how = 1; how <= 5; how++) {
			if (seen++ % step != 0)
				continue;
			memcpy(memdev_data(state), base, size);
			apply(memdev_data(state), &records[i], how);
			bool good = all_open(state, layout);

			if (good && (every || (i + how) % 4 == 0))
				good = finishes(state, layout);

			if (!good)
				printf("# %s: write %zu of %zu (%llu bytes at %llu), torn in way %u\n",
					layout->name, i, count, (unsigned long long)records[i].len,
					(unsigned long long)records[i].off, how);
			CU_ASSERT(good);
			cuts++;
		}
		apply(base, &records[i], 0);
		if (i % step != 0)
			continue;
		memcpy(memdev_data(state), base, size);
		CU_ASSERT(all_open(state, layout) && finishes(state, layout));
	}
	CU_ASSERT(cuts > 20 / step);
	printf("# %s: %zu torn writes\n", layout->name, cuts);
}

static void test_power_failures(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		struct blkdev *mem = volume_new(&layouts[i]);
		CLEANUP_BLKDEV struct blkdev *dev = recorded(mem);
		CLEANUP_FREE uint8_t *before = malloc(dev->size_bytes);
		CLEANUP_LUKS2 struct luks2 *hdr = NULL;

		memcpy(before, memdev_data(mem), dev->size_bytes);
		CU_ASSERT(all_open(dev, &layouts[i]));
		CU_ASSERT_EQUAL(luks1_convert_check(dev, NULL), 0);
		CU_ASSERT(!memcmp(before, memdev_data(mem), dev->size_bytes));
		CU_ASSERT_EQUAL_FATAL(luks1_convert(dev, &hdr, NULL), 0);
		CU_ASSERT(finishes(dev, &layouts[i]));
		/* the data, and what is not the header's */
		if (!layouts[i].detached) {
			const uint8_t *data = (uint8_t *)memdev_data(mem) + dev->size_bytes - 65536;

			CU_ASSERT_EQUAL(hdr->segments[0].offset, dev->size_bytes - 65536);
			for (size_t at = 0; at < 65536; at++)
				CU_ASSERT(data[at] == 0xd7);
		}
		cut_everywhere(&layouts[i], dev, before);
	}
}

/* Every call that can fail does so once. */
static void test_errors(void)
{
	static const enum fault_op ops[] = {FAULT_READ, FAULT_WRITE, FAULT_FLUSH};

	for (size_t i = 0; i < ARRAY_SIZE(layouts); i += getenv("SEALDRIVE_LONG") ? 1 : 4)
		for (size_t op = 0; op < ARRAY_SIZE(ops); op++)
			for (uint64_t nth = 1;; nth += unit_step()) {
				struct blkdev *mem = volume_new(&layouts[i]);
				CLEANUP_BLKDEV struct blkdev *dev = recorded(mem);
				CLEANUP_LUKS2 struct luks2 *hdr = NULL;

				faultdev_record(dev, false);
				faultdev_fail_once(dev, ops[op], nth, -EIO);
				int r = luks1_convert(dev, &hdr, NULL);

				faultdev_fail_once(dev, ops[op], 0, 0);
				CU_ASSERT(all_open(dev, &layouts[i]) && finishes(dev, &layouts[i]));
				if (r == 0)
					break;
				CU_ASSERT(!hdr);
				CU_ASSERT_FATAL(nth < 200);
			}
}

static void test_old_material_is_gone(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		CLEANUP_BLKDEV struct blkdev *dev = volume_new(&layouts[i]);
		CLEANUP_LUKS2 struct luks2 *hdr = NULL;
		uint64_t area = af_bytes(layouts[i].key_bytes, 4000);
		CLEANUP_FREE uint8_t *old = malloc(FIRST_AREA + area);
		const uint8_t *raw = memdev_data(dev);

		memcpy(old, raw, FIRST_AREA + area);
		CU_ASSERT_EQUAL_FATAL(luks1_convert(dev, &hdr, NULL), 0);
		if (layouts[i].mask & 1)
			CU_ASSERT(hdr->keyslots[0].area_offset >= 32768 + area / 2);
		for (uint64_t at = FIRST_AREA; at + SECTOR <= FIRST_AREA + area; at += SECTOR)
			CU_ASSERT(!(layouts[i].mask & 1) || memcmp(old + at, raw + at, SECTOR));
	}
}

static void test_refused(void)
{
	const struct layout full = {"full", 64, 0xff, TIGHT, false}, none = {"none", 64, 0, TIGHT, false},
			    good = {"good", 32, 0x03, SLACK_BYTES, false};
	CLEANUP_BLKDEV struct blkdev *dev = volume_new(&full), *empty = volume_new(&none),
				     *meta = volume_new(&good), *twice = volume_new(&good);
	CLEANUP_FREE uint8_t *before = malloc(dev->size_bytes);
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	struct diag diag = {0};

	memcpy(before, memdev_data(dev), dev->size_bytes);
	CU_ASSERT_EQUAL(luks1_convert_check(dev, &diag), -SDE_CONVERT);
	CU_ASSERT_PTR_NOT_NULL(strstr(diag.detail, "all eight"));
	CU_ASSERT_EQUAL(luks1_convert(dev, &hdr, NULL), -SDE_CONVERT);
	CU_ASSERT(!memcmp(before, memdev_data(dev), dev->size_bytes));
	CU_ASSERT_EQUAL(luks1_convert_check(empty, NULL), -SDE_NO_KEYSLOT);
	memcpy((char *)memdev_data(meta) + FIRST_AREA + UINT64_C(8) * 131072, "LUKSMETA", 8);
	CU_ASSERT_EQUAL(luks1_convert_check(meta, NULL), -SDE_CONVERT);
	CU_ASSERT_EQUAL_FATAL(luks1_convert(twice, &hdr, NULL), 0);
	CU_ASSERT_EQUAL(luks1_convert_check(twice, NULL), -SDE_NOT_LUKS);
}

int main(void)
{
	if (crypto_init() < 0)
		return 99;
	leaks_know_secure_memory();
	return UNIT_RUN(UNIT(test_power_failures), UNIT(test_errors), UNIT(test_old_material_is_gone),
		UNIT(test_refused));
}
