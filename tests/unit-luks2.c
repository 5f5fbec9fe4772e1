/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Headers on test devices: power failures and errors at every write of formatting and repair, what
 * reading leaves alone, and unsafe keys. Where keys are in memory is unit-luks2-memory.c's business; that
 * headers are those of cryptsetup is tests/luks2-*.sh's.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/digest.h"
#include "keymgr/keyslot.h"
#include "keymgr/luks2-disk.h"
#include "keymgr/luks2-json.h"
#include "tests/dev/faultdev.h"
#include "tests/dev/leaks.h"
#include "tests/dev/memdev.h"
#include "tests/unit.h"

#define MIB (UINT64_C(1) << 20)

/* Small enough to be copied for every write of a recording. */
static const struct luks2_format_params small = {
	.kdf = {.type = LUKS2_KDF_PBKDF2, .iterations = 1000},
	.keyslots_bytes = 512 * 1024,
	.data_offset = MIB,
};
enum { SMALL_BYTES = 2 * 1024 * 1024, HDR_BYTES = 16384 };

static struct secret *passphrase_of(const char *text)
{
	struct secret *secret = NULL;

	CU_ASSERT_EQUAL_FATAL(secret_new_copy(text, strlen(text), &secret), 0);
	return secret;
}

static struct blkdev *memory(uint64_t size_bytes)
{
	struct blkdev *dev = NULL;

	CU_ASSERT_EQUAL_FATAL(memdev_new(size_bytes, 512, &dev), 0);
	return dev;
}

static int format(struct blkdev *dev, const struct luks2_format_params *params, const char *text,
	struct luks2 **ret_hdr, struct secret **ret_key)
{
	CLEANUP_SECRET struct secret *passphrase = passphrase_of(text), *key = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	int r = luks2_format(dev, dev->size_bytes, params, passphrase, &hdr, &key, NULL);

	if (r)
		return r;
	if (ret_hdr)
		*ret_hdr = take_ptr(hdr);
	if (ret_key)
		*ret_key = take_ptr(key);
	return 0;
}

/* 0 when the device holds a header that this passphrase opens, as far as a user can tell. */
static int opens(struct blkdev *dev, const char *text, struct secret **ret_key)
{
	CLEANUP_SECRET struct secret *passphrase = passphrase_of(text), *key = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	int r = luks2_load(dev, 0, &hdr, NULL);

	if (!r)
		r = luks2_check_usable(hdr, dev->size_bytes, NULL);
	if (!r)
		r = luks2_unlock(hdr, dev, passphrase, -1, &key, NULL, NULL);
	if (!r && ret_key)
		*ret_key = take_ptr(key);
	return r;
}

static bool no_header(int err)
{
	return err == -SDE_NOT_LUKS || err == -SDE_HEADER_DAMAGED;
}

static void test_format_and_open(void)
{
	CLEANUP_BLKDEV struct blkdev *dev = memory(SMALL_BYTES);
	CLEANUP_SECRET struct secret *key = NULL, *again = NULL;
	CLEANUP_LUKS2 struct luks2 *made = NULL, *read = NULL;

	CU_ASSERT_EQUAL_FATAL(format(dev, &small, "hello", &made, &key), 0);
	CU_ASSERT_EQUAL(secret_len(key), 64);
	CU_ASSERT_EQUAL(opens(dev, "hello", &again), 0);
	CU_ASSERT(secret_equal(key, again));
	CU_ASSERT_EQUAL(opens(dev, "Hello", NULL), -SDE_PASSPHRASE);
	CU_ASSERT_EQUAL_FATAL(luks2_load(dev, 0, &read, NULL), 0);
	CU_ASSERT(json_equal(made->json, read->json));
	CU_ASSERT_STRING_EQUAL(made->uuid, read->uuid);
	CU_ASSERT_EQUAL(read->copies[0], LUKS2_COPY_OK);
	CU_ASSERT_EQUAL(read->copies[1], LUKS2_COPY_OK);
	/* the two copies differ in their salts: bytes 104 to 168 */
	CU_ASSERT(memcmp(
		(char *)memdev_data(dev) + 104, (char *)memdev_data(dev) + HDR_BYTES + 104, 64));
}

static void test_format_keys_differ(void)
{
	CLEANUP_BLKDEV struct blkdev *dev = memory(SMALL_BYTES);
	CLEANUP_SECRET struct secret *first = NULL, *second = NULL;

	CU_ASSERT_EQUAL_FATAL(format(dev, &small, "x", NULL, &first), 0);
	CU_ASSERT_EQUAL_FATAL(format(dev, &small, "x", NULL, &second), 0);
	CU_ASSERT_FALSE(secret_equal(first, second));
}

static int format_result(uint64_t size, void (*change)(struct luks2_format_params *))
{
	CLEANUP_BLKDEV struct blkdev *dev = memory(size);
	struct luks2_format_params params = small;
	int check, r;

	change(&params);
	check = luks2_format_check(&params, size, NULL);
	r = format(dev, &params, "x", NULL, NULL);
	CU_ASSERT(
		check == r || (!check && r == -SDE_TOO_SMALL)); /* a header file may be too small */
	CU_ASSERT(!r || bytes_all_zero(memdev_data(dev), size)); /* refused: not one byte */
	return r;
}

#define CHANGE(name, ...)                                                                          \
	static void name(struct luks2_format_params *p)                                            \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}
CHANGE(plain, (void)p)
CHANGE(null_cipher, p->cipher = "cipher_null-ecb")
CHANGE(ecb, p->cipher = "aes-ecb")
CHANGE(odd_key, p->key_bytes = 48)
CHANGE(sector_1536, p->sector_bytes = 1536)
CHANGE(sector_8192, p->sector_bytes = 8192)
CHANGE(metadata_20k, p->metadata_bytes = 20480)
CHANGE(metadata_8m, p->metadata_bytes = 8 * MIB)
CHANGE(keyslots_odd, p->keyslots_bytes = 512 * 1024 + 512)
CHANGE(keyslots_tiny, p->keyslots_bytes = 4096)
CHANGE(keyslots_huge, p->keyslots_bytes = 256 * MIB)
CHANGE(keyslots_wrap, p->keyslots_bytes = UINT64_MAX - 4095)
CHANGE(offset_early, p->data_offset = 16384)
CHANGE(offset_odd, p->data_offset = MIB + 100)
CHANGE(offset_wrap, p->data_offset = UINT64_MAX - 4095)
CHANGE(label_47, p->label = "12345678901234567890123456789012345678901234567")
CHANGE(label_48, p->label = "123456789012345678901234567890123456789012345678")
CHANGE(label_escape, p->label = "a\033[2J")
CHANGE(label_not_utf8, p->label = "a\xff")
CHANGE(uuid_bad, p->uuid = "hello")
CHANGE(cheap, p->kdf.iterations = 999)
CHANGE(by_default, p->data_offset = 0; p->keyslots_bytes = 0)
CHANGE(detached, p->detached = true; p->data_offset = 0)

static void test_format_checks(void)
{
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, plain), 0);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, null_cipher), -SDE_CIPHER);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, ecb), -SDE_CIPHER);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, odd_key), -SDE_CIPHER);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, sector_1536), -SDE_USAGE);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, sector_8192), -SDE_USAGE);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, metadata_20k), -SDE_USAGE);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, metadata_8m), -SDE_USAGE);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, keyslots_odd), -SDE_USAGE);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, keyslots_tiny), -SDE_USAGE);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, keyslots_huge), -SDE_USAGE);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, keyslots_wrap), -SDE_USAGE);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, offset_early), -SDE_USAGE);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, offset_odd), -SDE_USAGE);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, offset_wrap), -SDE_TOO_SMALL);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, label_47), 0);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, label_48), -SDE_USAGE);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, label_escape), -SDE_USAGE);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, label_not_utf8), -SDE_USAGE);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, uuid_bad), -SDE_USAGE);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, cheap), -SDE_USAGE);
	CU_ASSERT_EQUAL(format_result(SMALL_BYTES, by_default), -SDE_TOO_SMALL);
	CU_ASSERT_EQUAL(format_result(16 * MIB, by_default), -SDE_TOO_SMALL);
	CU_ASSERT_EQUAL(format_result(16 * MIB + 4096, by_default), 0);
	CU_ASSERT_EQUAL(format_result(MIB, plain), -SDE_TOO_SMALL);
	CU_ASSERT_EQUAL(format_result(MIB + 4096, plain), 0);
	CU_ASSERT_EQUAL(format_result(MIB + 512, plain), 0); /* sectors of 512 bytes then */
	CU_ASSERT_EQUAL(format_result(600 * 1024, detached), 0);
	CU_ASSERT_EQUAL(format_result(500 * 1024, detached), -SDE_TOO_SMALL);
}

/* --- power failures ------------------------------------------------------------------------- */

static void apply(struct blkdev *dev, const struct fault_record *record, uint64_t len)
{
	if (record->op == FAULT_WRITE)
		memcpy((uint8_t *)memdev_data(dev) + record->off, record->data, len);
}

/*
 * The states that a power failure can leave: every prefix of the writes, and the write that was
 * under way cut at some sector. judge() is called with each.
 */
static void replay(struct blkdev *recorded, const struct blkdev *before,
	void (*judge)(struct blkdev *dev, size_t done, size_t count))
{
	bool few = unit_step() > 1; /* judging costs most */
	unsigned factor = few ? 4096 : 4; /* from one cut to the next */
	size_t count;
	const struct fault_record *records = faultdev_records(recorded, &count);
	CLEANUP_BLKDEV struct blkdev *dev = memory(before->size_bytes);

	CU_ASSERT(count > 2);
	memcpy(memdev_data(dev), memdev_data((struct blkdev *)(uintptr_t)before),
		before->size_bytes);
	for (size_t i = 0; i < count; i++) {
		if (!few || i % 2 == 0)
			judge(dev, i, count);
		for (uint64_t cut = 512; cut < records[i].len; cut *= factor) {
			apply(dev, &records[i], cut);
			judge(dev, i, count);
		}
		apply(dev, &records[i], records[i].len);
	}
	judge(dev, count, count);
}

static unsigned judged_none, judged_old, judged_new;

static void judge_format(struct blkdev *dev, size_t done, size_t count)
{
	int old = opens(dev, "old", NULL), new = opens(dev, "new", NULL);

	if (!new)
		judged_new++;
	else if (!old)
		judged_old++;
	else if (no_header(old) && no_header(new))
		judged_none++;
	else
		CU_FAIL("a header that is neither whole nor gone");
	CU_ASSERT(done < count || !new);
}

static void record_format(const char *old, uint64_t size, const struct luks2_format_params *was)
{
	CLEANUP_BLKDEV struct blkdev *lower = memory(size), *before = memory(size), *fault = NULL;

	if (old)
		CU_ASSERT_EQUAL_FATAL(format(lower, was, old, NULL, NULL), 0);
	memcpy(memdev_data(before), memdev_data(lower), size);
	CU_ASSERT_EQUAL_FATAL(faultdev_new(lower, &fault), 0);
	take_ptr(lower);
	faultdev_record(fault, true);
	CU_ASSERT_EQUAL_FATAL(format(fault, &small, "new", NULL, NULL), 0);
	judged_none = judged_old = judged_new = 0;
	replay(fault, before, judge_format);
	CU_ASSERT(judged_none > 0 && judged_new > 0);
	CU_ASSERT((judged_old > 0) == (old != NULL));
}

static void test_format_power_failure(void)
{
	record_format(NULL, SMALL_BYTES, NULL);
}

static void test_format_power_failure_over_old(void)
{
	record_format("old", SMALL_BYTES, &small);
}

/* The old secondary lies where the new header writes nothing. */
static void test_format_power_failure_over_large(void)
{
	struct luks2_format_params large = small;

	large.metadata_bytes = 4 * MIB;
	large.data_offset = 10 * MIB;
	record_format("old", 12 * MIB, &large);
}

static void judge_repair(struct blkdev *dev, size_t done, size_t count)
{
	CU_ASSERT_EQUAL(opens(dev, "x", NULL), 0);
}

static void check_repair(
	uint64_t damage_at, size_t damage_len, enum luks2_copy_state state, int copy)
{
	CLEANUP_BLKDEV struct blkdev *lower = memory(SMALL_BYTES), *before = memory(SMALL_BYTES);
	CLEANUP_BLKDEV struct blkdev *fault = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL, *again = NULL;
	uint8_t salts[2][64], *data = memdev_data(lower);

	CU_ASSERT_EQUAL_FATAL(format(lower, &small, "x", NULL, NULL), 0);
	memcpy(salts[0], data + 104, 64);
	memcpy(salts[1], data + HDR_BYTES + 104, 64);
	memset(data + damage_at, 0x55, damage_len);
	memcpy(memdev_data(before), data, SMALL_BYTES);
	CU_ASSERT_EQUAL_FATAL(faultdev_new(lower, &fault), 0);
	take_ptr(lower);

	/* read-only use writes nothing at all */
	CU_ASSERT_EQUAL(opens(fault, "x", NULL), 0);
	CU_ASSERT_EQUAL(faultdev_calls(fault, FAULT_WRITE), 0);
	CU_ASSERT(!memcmp(data, memdev_data(before), SMALL_BYTES));

	faultdev_record(fault, true);
	CU_ASSERT_EQUAL_FATAL(luks2_load(fault, LUKS2_REPAIR, &hdr, NULL), 0);
	CU_ASSERT_EQUAL(hdr->copies[copy], state);
	CU_ASSERT_EQUAL(hdr->copies[!copy], LUKS2_COPY_OK);
	replay(fault, before, judge_repair);

	/* whole again, with a salt of its own, and the good copy was left alone */
	CU_ASSERT_EQUAL_FATAL(luks2_load(fault, 0, &again, NULL), 0);
	CU_ASSERT(again->copies[0] == LUKS2_COPY_OK && again->copies[1] == LUKS2_COPY_OK);
	CU_ASSERT_EQUAL(again->seqid, hdr->seqid);
	uint8_t *bad = data + copy * HDR_BYTES, *good = data + !copy * HDR_BYTES;

	CU_ASSERT(memcmp(bad + 104, salts[0], 64) && memcmp(bad + 104, salts[1], 64));
	CU_ASSERT(!memcmp(good, (uint8_t *)memdev_data(before) + !copy * HDR_BYTES, HDR_BYTES));
	CU_ASSERT(!memcmp(bad + 4096, good + 4096, HDR_BYTES - 4096));
	/* and nothing besides */
	CU_ASSERT(!memcmp(data + 2 * HDR_BYTES, (uint8_t *)memdev_data(before) + 2 * HDR_BYTES,
		SMALL_BYTES - 2 * HDR_BYTES));
}

static void test_repair(void)
{
	check_repair(0, 6, LUKS2_COPY_MISSING, 0);
	check_repair(0, 4096, LUKS2_COPY_MISSING, 0);
	check_repair(0, HDR_BYTES, LUKS2_COPY_MISSING, 0);
	check_repair(8, 8, LUKS2_COPY_DAMAGED, 0); /* the size */
	check_repair(4096, 1, LUKS2_COPY_DAMAGED, 0);
	check_repair(448, 64, LUKS2_COPY_DAMAGED, 0);
	check_repair(HDR_BYTES, 6, LUKS2_COPY_MISSING, 1);
	check_repair(HDR_BYTES + 5000, 1, LUKS2_COPY_DAMAGED, 1);
	check_repair(HDR_BYTES, HDR_BYTES, LUKS2_COPY_MISSING, 1);
}

/* A copy that an interrupted update left behind. */
static void test_repair_old_copy(void)
{
	for (int newer = 0; newer < 2; newer++) {
		CLEANUP_BLKDEV struct blkdev *dev = memory(SMALL_BYTES);
		CLEANUP_LUKS2 struct luks2 *found = NULL, *again = NULL;
		CLEANUP_LUKS2_COPY struct luks2_copy copy = {0};

		CU_ASSERT_EQUAL_FATAL(format(dev, &small, "x", NULL, NULL), 0);
		CU_ASSERT_EQUAL_FATAL(luks2_disk_read(dev, 0, &copy), 0);
		copy.seqid = 7;
		strcpy(copy.label, "newer");
		CU_ASSERT_EQUAL_FATAL(luks2_disk_write(dev, &copy, newer), 0);
		CU_ASSERT_EQUAL_FATAL(luks2_load(dev, LUKS2_REPAIR, &found, NULL), 0);
		CU_ASSERT_EQUAL(found->copies[newer], LUKS2_COPY_OK);
		CU_ASSERT_EQUAL(found->copies[!newer], LUKS2_COPY_OLD);
		CU_ASSERT_STRING_EQUAL(found->label, "newer");
		CU_ASSERT_EQUAL_FATAL(luks2_load(dev, 0, &again, NULL), 0);
		CU_ASSERT(again->copies[0] == LUKS2_COPY_OK && again->copies[1] == LUKS2_COPY_OK);
		CU_ASSERT(again->seqid == 7 && !strcmp(again->label, "newer"));
	}
}

/* --- errors of the device ------------------------------------------------------------------- */

static void test_format_device_errors(void)
{
	static const enum fault_op ops[] = {FAULT_WRITE, FAULT_FLUSH, FAULT_READ};

	for (size_t op = 0; op < ARRAY_SIZE(ops); op++)
		for (uint64_t nth = 1;; nth += unit_step() > 1 ? 6 : 1) {
			CLEANUP_BLKDEV struct blkdev *lower = memory(SMALL_BYTES), *fault = NULL;
			struct blkdev *plain_dev = lower;
			uint64_t calls;

			CU_ASSERT_EQUAL_FATAL(format(lower, &small, "old", NULL, NULL), 0);
			CU_ASSERT_EQUAL_FATAL(faultdev_new(lower, &fault), 0);
			take_ptr(lower);
			faultdev_set_torn(fault, 700);
			faultdev_fail_from(fault, ops[op], nth, -EIO);
			int r = format(fault, &small, "new", NULL, NULL);

			calls = faultdev_calls(fault, ops[op]);
			CU_ASSERT_EQUAL(r, calls >= nth ? -EIO : 0);
			judge_format(plain_dev, 0, 1);
			if (calls < nth)
				break;
		}
}

static void test_load_device_errors(void)
{
	CLEANUP_BLKDEV struct blkdev *lower = memory(SMALL_BYTES), *fault = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;

	CU_ASSERT_EQUAL_FATAL(format(lower, &small, "x", NULL, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(faultdev_new(lower, &fault), 0);
	take_ptr(lower);
	faultdev_fail_once(fault, FAULT_READ, 1, -EIO); /* a bad sector under the primary */
	CU_ASSERT_EQUAL_FATAL(luks2_load(fault, LUKS2_REPAIR, &hdr, NULL), 0);
	CU_ASSERT_EQUAL(hdr->copies[0], LUKS2_COPY_DAMAGED);
	CU_ASSERT(faultdev_calls(fault, FAULT_WRITE) > 0);
	faultdev_fail_from(fault, FAULT_READ, 1, -EIO);
	CU_ASSERT_EQUAL(opens(fault, "x", NULL), -EIO);
	faultdev_fail_from(fault, FAULT_READ, 1, -ENODEV);
	CU_ASSERT_EQUAL(opens(fault, "x", NULL), -ENODEV);
	faultdev_fail_from(fault, FAULT_READ, 0, 0);
	faultdev_fail_once(fault, FAULT_READ, 5, -EIO); /* the keyslot's area */
	CU_ASSERT_EQUAL(opens(fault, "x", NULL), -EIO);
	CU_ASSERT_EQUAL(opens(fault, "x", NULL), 0);
}

static void test_repair_device_error(void)
{
	CLEANUP_BLKDEV struct blkdev *lower = memory(SMALL_BYTES), *fault = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;

	CU_ASSERT_EQUAL_FATAL(format(lower, &small, "x", NULL, NULL), 0);
	memset(memdev_data(lower), 0, 4096);
	CU_ASSERT_EQUAL_FATAL(faultdev_new(lower, &fault), 0);
	take_ptr(lower);
	faultdev_fail_from(fault, FAULT_WRITE, 1, -EIO);
	CU_ASSERT_EQUAL(luks2_load(fault, LUKS2_REPAIR, &hdr, NULL), -EIO);
	CU_ASSERT_PTR_NULL(hdr);
	CU_ASSERT_EQUAL(opens(fault, "x", NULL), 0); /* still, without repair */
}

/* --- what must not come back, or be taken for ours ------------------------------------------ */

static void test_old_headers_stay_gone(void)
{
	for (uint64_t hdr_bytes = HDR_BYTES; hdr_bytes <= 4 * MIB; hdr_bytes *= unit_step() > 1 ? 16 : 2) {
		CLEANUP_BLKDEV struct blkdev *dev = memory(12 * MIB);
		struct luks2_format_params large = small;

		large.metadata_bytes = hdr_bytes;
		large.data_offset = 10 * MIB;
		CU_ASSERT_EQUAL_FATAL(format(dev, &large, "old", NULL, NULL), 0);
		CU_ASSERT_EQUAL_FATAL(format(dev, &small, "new", NULL, NULL), 0);
		CU_ASSERT_EQUAL(opens(dev, "old", NULL), -SDE_PASSPHRASE);
		memset(memdev_data(dev), 0, 2 * HDR_BYTES); /* both new copies are lost */
		CU_ASSERT_EQUAL(opens(dev, "old", NULL), -SDE_NOT_LUKS);
	}
}

static void test_foreign_signature(void)
{
	CLEANUP_BLKDEV struct blkdev *dev = memory(SMALL_BYTES);
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	struct diag diag = {0};
	uint8_t *data = memdev_data(dev);
	/* the first sectors of a swap area: magic at the end of its first page */
	static const char swap[] = "SWAPSPACE2";

	CU_ASSERT_EQUAL_FATAL(format(dev, &small, "x", NULL, NULL), 0);
	memset(data, 0, 4096);
	data[1024] = 1;	   /* version of the swap header */
	data[1028] = 0xff; /* its last page */
	memcpy(data + 4086, swap, 10);
	CU_ASSERT_EQUAL(luks2_load(dev, LUKS2_REPAIR, &hdr, &diag), -SDE_HEADER_AMBIGUOUS);
	CU_ASSERT_STRING_EQUAL(diag.detail, "swap");
	CU_ASSERT(!memcmp(data + 4086, swap, 10) && bytes_all_zero(data, 1024));
	memset(data, 0, 4096);
	CU_ASSERT_EQUAL(luks2_load(dev, LUKS2_REPAIR, &hdr, NULL), 0);
}

/* A valid header whose volume key has equal halves. */
static void test_weak_key(void)
{
	CLEANUP_BLKDEV struct blkdev *dev = memory(SMALL_BYTES);
	CLEANUP_SECRET struct secret *passphrase = passphrase_of("x"), *area_key = NULL,
				     *key = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	CLEANUP_LUKS2_COPY struct luks2_copy copy = {0};
	CLEANUP_JSON json_t *doc = NULL;

	CU_ASSERT_EQUAL_FATAL(format(dev, &small, "x", &hdr, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(secret_new(64, &key), 0);
	memset(secret_data(key), 0x42, 64);
	CU_ASSERT_EQUAL_FATAL(keyslot_derive(&hdr->keyslots[0], passphrase, &area_key, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(keyslot_write(&hdr->keyslots[0], dev, area_key, key, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(digest_make(key, 0, &hdr->digests[0]), 0);
	hdr->digests[0].keyslots = hdr->digests[0].segments = 1;
	CU_ASSERT_EQUAL_FATAL(luks2_json_from_model(hdr, &doc), 0);
	CU_ASSERT_EQUAL_FATAL(luks2_disk_read(dev, 0, &copy), 0);
	free(copy.json);
	CU_ASSERT_EQUAL_FATAL(luks2_json_print(doc, luks2_copy_json_bytes(&copy), &copy.json), 0);
	CU_ASSERT_EQUAL_FATAL(luks2_disk_write(dev, &copy, false), 0);
	CU_ASSERT_EQUAL_FATAL(luks2_disk_write(dev, &copy, true), 0);
	CU_ASSERT_EQUAL(opens(dev, "x", NULL), -SDE_WEAK_KEY);
}

static void test_luks1_and_others(void)
{
	CLEANUP_BLKDEV struct blkdev *dev = memory(SMALL_BYTES);
	static const uint8_t luks1[8] = {'L', 'U', 'K', 'S', 0xba, 0xbe, 0, 1};

	CU_ASSERT_EQUAL(opens(dev, "x", NULL), -SDE_NOT_LUKS);
	CU_ASSERT_EQUAL_FATAL(format(dev, &small, "x", NULL, NULL), 0);
	memcpy(memdev_data(dev), luks1,
		sizeof(luks1)); /* a LUKS2 secondary behind it counts nothing */
	CU_ASSERT_EQUAL(opens(dev, "x", NULL), -SDE_HEADER_INVALID);
	memset(memdev_data(dev), 0x77, SMALL_BYTES);
	CU_ASSERT_EQUAL(opens(dev, "x", NULL), -SDE_NOT_LUKS);
	for (uint64_t size = 512; size <= 32768; size *= 2) {
		CLEANUP_BLKDEV struct blkdev *tiny = memory(size);

		memcpy(memdev_data(tiny), "LUKS\xba\xbe\0\2", 8);
		CU_ASSERT(no_header(opens(tiny, "x", NULL)));
	}
}

/* What we do not know is kept, byte for byte, by repair, and in the document for rewriting. */
static void test_unknown_members_kept(void)
{
	CLEANUP_BLKDEV struct blkdev *dev = memory(SMALL_BYTES);
	CLEANUP_LUKS2 struct luks2 *hdr = NULL, *read = NULL;
	CLEANUP_LUKS2_COPY struct luks2_copy copy = {0};

	CU_ASSERT_EQUAL_FATAL(format(dev, &small, "x", &hdr, NULL), 0);
	json_t *doc = hdr->json;

	json_object_set_new(json_object_get(doc, "tokens"), "3",
		json_pack("{s:s, s:[s], s:{s:i}}", "type", "future", "keyslots", "0", "x", "y", 1));
	json_object_set_new(json_object_get(doc, "config"), "future", json_pack("[i,n,f]", 1, 2.5));
	CU_ASSERT_EQUAL_FATAL(luks2_disk_read(dev, 0, &copy), 0);
	free(copy.json);
	CU_ASSERT_EQUAL_FATAL(luks2_json_print(doc, luks2_copy_json_bytes(&copy), &copy.json), 0);
	copy.seqid = 2;
	CU_ASSERT_EQUAL_FATAL(luks2_disk_write(dev, &copy, true), 0);
	CU_ASSERT_EQUAL_FATAL(luks2_load(dev, LUKS2_REPAIR, &read, NULL), 0);
	CU_ASSERT(json_equal(doc, read->json));
	CU_ASSERT_EQUAL(read->token_count, 2); /* the other is the seal */
	CU_ASSERT(read->tokens[1].id == 3 && read->tokens[1].keyslots == 1);
	CU_ASSERT_STRING_EQUAL(read->tokens[1].type, "future");
	CU_ASSERT(!memcmp(
		(uint8_t *)memdev_data(dev) + 4096, copy.json, luks2_copy_json_bytes(&copy)));
}

int main(void)
{
	if (crypto_init())
		return 99;
	leaks_know_secure_memory();
	return UNIT_RUN(UNIT(test_format_and_open), UNIT(test_format_keys_differ),
		UNIT(test_format_checks), UNIT(test_format_power_failure),
		UNIT(test_format_power_failure_over_old),
		UNIT(test_format_power_failure_over_large), UNIT(test_repair),
		UNIT(test_repair_old_copy), UNIT(test_format_device_errors),
		UNIT(test_load_device_errors), UNIT(test_repair_device_error),
		UNIT(test_old_headers_stay_gone), UNIT(test_foreign_signature), UNIT(test_weak_key),
		UNIT(test_luks1_and_others), UNIT(test_unknown_members_kept));
}
