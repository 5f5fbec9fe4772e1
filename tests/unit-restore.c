/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Restoring headers: what is compared, what is left of the old key slots, and what opens when power fails
 * at any moment. The commands are tests/header-restore.sh's business.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/luks2-backup.h"
#include "keymgr/luks2-disk.h"
#include "keymgr/luks2-examine.h"
#include "keymgr/luks2-json.h"
#include "keymgr/luks2-restore.h"
#include "keymgr/luks2-seal.h"
#include "keymgr/luks2-update.h"
#include "tests/dev/faultdev.h"
#include "tests/dev/memdev.h"
#include "tests/dev/powercut.h"
#include "tests/dev/leaks.h"
#include "tests/unit.h"

enum { KIB = 1024, SIZE_BYTES = 2048 * KIB, SLOT_AREA = 131072 };
enum { FIRST = 1, SECOND = 2, NEW = 4, THIRD = 8 };

static const char *const names[] = {"first", "second", "new", "third"};
static const struct luks2_keyslot_params cheap = {
	.kdf = {.type = LUKS2_KDF_PBKDF2, .iterations = 1000}, .priority = LUKS2_PRIORITY_NORMAL};
static struct secret *volume_key;

static struct secret *secret_of(const char *text)
{
	struct secret *secret = NULL;

	CU_ASSERT_EQUAL_FATAL(secret_new_copy(text, strlen(text), &secret), 0);
	return secret;
}

static struct blkdev *memory(uint64_t size)
{
	struct blkdev *dev = NULL;

	CU_ASSERT_EQUAL_FATAL(memdev_new(size, 512, &dev), 0);
	return dev;
}

static struct blkdev *copy_of(struct blkdev *dev)
{
	struct blkdev *copy = memory(dev->size_bytes);

	memcpy(memdev_data(copy), memdev_data(dev), dev->size_bytes);
	return copy;
}

static struct blkdev *volume(uint64_t keyslots_bytes)
{
	const struct luks2_format_params params = {
		.kdf = {.type = LUKS2_KDF_PBKDF2, .iterations = 1000},
		.key_bytes = 32,
		.keyslots_bytes = keyslots_bytes,
		.data_offset = 1536 * KIB,
		.label = "before",
	};
	CLEANUP_SECRET struct secret *passphrase = secret_of("first");
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	struct blkdev *dev = memory(SIZE_BYTES);

	secret_free(take_ptr(volume_key));
	CU_ASSERT_EQUAL_FATAL(
		luks2_format(dev, SIZE_BYTES, &params, passphrase, &hdr, &volume_key, NULL), 0);
	return dev;
}

static struct luks2 *load(struct blkdev *dev)
{
	struct luks2 *hdr = NULL;

	CU_ASSERT_EQUAL_FATAL(luks2_load(dev, 0, &hdr, NULL), 0);
	return hdr;
}

static void change(struct blkdev *dev, const char *add, int replace, int remove)
{
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;
	CLEANUP_LUKS2_NEW_KEYSLOT struct luks2_new_keyslot *new = NULL;
	CLEANUP_SECRET struct secret *passphrase = secret_of(add ? add : "x");

	CU_ASSERT_EQUAL_FATAL(luks2_update_begin(dev, NULL, &update, NULL), 0);
	if (add)
		CU_ASSERT_EQUAL_FATAL(luks2_keyslot_prepare(luks2_update_header(update), &cheap, passphrase, &new, NULL), 0);
	if (add && replace >= 0)
		CU_ASSERT_EQUAL_FATAL(luks2_keyslot_replace(update, replace, new, passphrase, volume_key, NULL), 0);
	if (add && replace < 0)
		CU_ASSERT_EQUAL_FATAL(luks2_keyslot_add(update, new, passphrase, volume_key, -1, NULL, NULL), 0);
	if (remove >= 0)
		CU_ASSERT_EQUAL_FATAL(luks2_keyslot_remove(update, remove, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(luks2_update_commit(update, volume_key, NULL), 0);
}

static struct blkdev *backup_of(struct blkdev *dev)
{
	CLEANUP_LUKS2 struct luks2 *hdr = load(dev);
	struct blkdev *file = memory(luks2_areas_bytes(hdr));

	CU_ASSERT_EQUAL_FATAL(luks2_backup(dev, hdr, file, NULL), 0);
	return file;
}

/* Which of the passphrases open; -1 when there is no header. A seal may be wrong in between. */
static int opening(struct blkdev *dev, bool accept)
{
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	int mask = 0, r = luks2_load(dev, 0, &hdr, NULL);

	if (r)
		return r == -SDE_NOT_LUKS || r == -SDE_HEADER_DAMAGED ? -1 : r;
	hdr->accept_change = accept;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CLEANUP_SECRET struct secret *passphrase = secret_of(names[i]), *key = NULL;

		if (!luks2_unlock(hdr, dev, passphrase, -1, &key, NULL, NULL)) {
			CU_ASSERT(secret_equal(key, volume_key));
			mask |= 1 << i;
		}
	}
	return mask;
}

static struct luks2_restore_diff compare(struct blkdev *dev, struct blkdev *file)
{
	CLEANUP_LUKS2 struct luks2 *now = NULL, *backup = load(file);
	struct luks2_restore_diff diff;

	(void)!luks2_load(dev, LUKS2_FOREIGN_OK, &now, NULL);
	CU_ASSERT_EQUAL_FATAL(luks2_restore_compare(dev, now, file, backup, SIZE_BYTES, &diff, NULL), 0);
	return diff;
}

static int restore(struct blkdev *dev, struct blkdev *file)
{
	CLEANUP_LUKS2 struct luks2 *now = NULL, *backup = load(file);

	(void)!luks2_load(dev, LUKS2_FOREIGN_OK, &now, NULL);
	return luks2_restore(dev, now, file, backup, NULL);
}

/* A drive with first and second in slots 0 and 1 is saved; then it gets others. */
static struct blkdev *changed_volume(uint64_t keyslots_bytes, struct blkdev **ret_file)
{
	struct blkdev *dev = volume(keyslots_bytes);

	change(dev, "second", -1, -1);
	*ret_file = backup_of(dev);
	change(dev, "new", 0, -1);
	change(dev, NULL, -1, 1);
	change(dev, "third", -1, -1);
	CU_ASSERT_EQUAL(opening(dev, false), NEW | THIRD);
	return dev;
}

static void expect_restored(struct blkdev *dev, struct blkdev *file)
{
	CLEANUP_LUKS2 struct luks2 *now = load(dev), *backup = load(file);
	struct luks2_restore_diff diff = compare(dev, file);

	CU_ASSERT(now->copies[0] == LUKS2_COPY_OK && now->copies[1] == LUKS2_COPY_OK);
	CU_ASSERT(json_equal(now->json, backup->json));
	CU_ASSERT_STRING_EQUAL(now->label, backup->label);
	CU_ASSERT_EQUAL(opening(dev, false), FIRST | SECOND); /* the seal is right, too */
	CU_ASSERT(luks2_restore_same(&diff));
}

/* Sectors of the old key slots that are still there, whole. */
static bool old_left(struct blkdev *before, struct blkdev *after, const struct luks2 *old, struct blkdev *file)
{
	const uint8_t *was = memdev_data(before), *is = memdev_data(after), *kept = memdev_data(file);

	for (int i = 0; i < old->keyslot_count; i++)
		for (uint64_t at = 0; at < 128000; at += 512) {
			uint64_t o = old->keyslots[i].area_offset + at;

			if (!memcmp(was + o, is + o, 512) && memcmp(was + o, kept + o, 512))
				return true;
		}
	return false;
}

static void test_restore(void)
{
	CLEANUP_BLKDEV struct blkdev *file = NULL, *dev = changed_volume(1024 * KIB, &file);
	CLEANUP_BLKDEV struct blkdev *before = copy_of(dev);
	CLEANUP_LUKS2 struct luks2 *old = load(dev), *now = NULL;
	struct luks2_restore_diff diff = compare(dev, file);

	CU_ASSERT(diff.older && !diff.foreign && !diff.other_key && !diff.moved && !diff.unsafe && !diff.no_header);
	CU_ASSERT(diff.slots_changed == 3 && !diff.slots_back && !diff.slots_gone);
	CU_ASSERT_EQUAL(restore(dev, file), 0);
	expect_restored(dev, file);
	CU_ASSERT_FALSE(old_left(before, dev, old, file));
	now = load(dev);
	CU_ASSERT(now->seqid > old->seqid);
	CU_ASSERT(!memcmp((uint8_t *)memdev_data(dev) + 1536 * KIB, (uint8_t *)memdev_data(before) + 1536 * KIB,
		SIZE_BYTES - 1536 * KIB));
}

static void test_compare(void)
{
	CLEANUP_BLKDEV struct blkdev *dev = volume(1024 * KIB), *one = backup_of(dev), *two = NULL;
	CLEANUP_BLKDEV struct blkdev *other = volume(1024 * KIB), *foreign = backup_of(other);
	struct luks2_restore_diff diff = compare(dev, one);

	CU_ASSERT(luks2_restore_same(&diff) && !diff.older);
	diff = compare(dev, foreign);
	CU_ASSERT(diff.foreign && diff.other_key && diff.uuid && !luks2_restore_same(&diff));
	CLEANUP_SECRET struct secret *passphrase = secret_of("first"), *key = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = load(dev);

	secret_free(take_ptr(volume_key));
	CU_ASSERT_EQUAL_FATAL(luks2_unlock(hdr, dev, passphrase, -1, &volume_key, NULL, NULL), 0);
	change(dev, "second", -1, -1);
	diff = compare(dev, one);
	CU_ASSERT(diff.older && diff.slots_gone == 2 && !diff.slots_back && !diff.slots_changed);
	two = backup_of(dev);
	change(dev, NULL, -1, 1);
	diff = compare(dev, two);
	CU_ASSERT(diff.older && diff.slots_back == 2 && !diff.slots_gone);
	memset((uint8_t *)memdev_data(dev) + 40000, 0, 512); /* the description is right, the bytes are not */
	diff = compare(dev, one);
	CU_ASSERT(diff.slots_changed == 1);
	CU_ASSERT_EQUAL(restore(dev, two), 0);
	CU_ASSERT_EQUAL(opening(dev, false), FIRST | SECOND);
	CU_ASSERT_EQUAL(key != NULL, 0);
}

/* --- power failures ------------------------------------------------------------------------- */

struct play {
	int before, after;
	bool may_lack; /* a state without a header is right */
	unsigned seen, old, new, none, judged;
};

static void judge(void *ctx, struct blkdev *state)
{
	struct play *play = ctx;

	/* looking costs most; where time is short it is done for some of the states only */
	if (play->seen++ % unit_step())
		return;
	int open = opening(state, true);

	play->judged++;
	play->old += open == play->before;
	play->new += open == play->after;
	play->none += open == -1;
	CU_ASSERT(open == play->before || open == play->after || (open == -1 && play->may_lack));
	if (open != play->before && open != play->after && !(open == -1 && play->may_lack))
		printf("# %d opens\n", open);
}

static struct play record(struct blkdev *dev, struct blkdev *file, struct play play)
{
	CLEANUP_BLKDEV struct blkdev *fault = NULL, *state = copy_of(dev), *lower = copy_of(dev);

	CU_ASSERT_EQUAL_FATAL(faultdev_new(lower, &fault), 0);
	take_ptr(lower);
	faultdev_record(fault, true);
	CU_ASSERT_EQUAL_FATAL(restore(fault, file), 0);
	powercut_replay(fault, state, judge, &play);
	expect_restored(state, file);
	return play;
}

static void test_power(void)
{
	CLEANUP_BLKDEV struct blkdev *file = NULL, *dev = changed_volume(1024 * KIB, &file);
	struct play play = record(dev, file, (struct play){.before = NEW | THIRD, .after = FIRST | SECOND});

	CU_ASSERT(play.old > unit_times(10, 0) && play.new > unit_times(10, 0) && play.judged > unit_times(100, 0));
}

static bool has_wipe_note(struct blkdev *dev)
{
	CLEANUP_LUKS2 struct luks2 *hdr = load(dev);
	const char *id;
	json_t *token;

	json_object_foreach(json_object_get(hdr->json, "tokens"), id, token)
	{
		if (!strcmp(json_string_value(json_object_get(token, "type")), "sealdrive-wipe"))
			return true;
	}
	return false;
}

/* Overwriting takes longest: who pulls the drive out meanwhile finds it open, and nobody accused. */
static void test_power_while_wiping(void)
{
	CLEANUP_BLKDEV struct blkdev *file = NULL, *dev = changed_volume(1024 * KIB, &file);
	CLEANUP_BLKDEV struct blkdev *fault = NULL, *state = copy_of(dev), *lower = copy_of(dev);
	size_t count, noted = 0;

	CU_ASSERT_EQUAL_FATAL(faultdev_new(lower, &fault), 0);
	take_ptr(lower);
	faultdev_record(fault, true);
	CU_ASSERT_EQUAL_FATAL(restore(fault, file), 0);
	const struct fault_record *records = faultdev_records(fault, &count);

	for (size_t i = 0; i < count; i++) {
		powercut_sectors(state, &records[i], 0, UINT32_MAX);
		if (!has_wipe_note(state))
			continue;
		noted++;
		CU_ASSERT_EQUAL(opening(state, false), FIRST | SECOND);
	}
	CU_ASSERT(noted > 2);
}

/* Whenever power failed, restoring once more completes it. */
static void test_power_again(void)
{
	CLEANUP_BLKDEV struct blkdev *file = NULL, *dev = changed_volume(1024 * KIB, &file);
	CLEANUP_BLKDEV struct blkdev *fault = NULL, *lower = copy_of(dev);
	size_t count;

	CU_ASSERT_EQUAL_FATAL(faultdev_new(lower, &fault), 0);
	take_ptr(lower);
	faultdev_record(fault, true);
	CU_ASSERT_EQUAL_FATAL(restore(fault, file), 0);
	const struct fault_record *records = faultdev_records(fault, &count);

	for (size_t cut = 1; cut < count; cut += 2 * unit_step()) {
		CLEANUP_BLKDEV struct blkdev *state = copy_of(dev);

		for (size_t i = 0; i < cut; i++)
			powercut_sectors(state, &records[i], 0, UINT32_MAX);
		CU_ASSERT_EQUAL(restore(state, file), 0);
		expect_restored(state, file);
	}
}

/* Where nothing is to be kept: no header, or the restored one. */
static void test_power_without_header(void)
{
	CLEANUP_BLKDEV struct blkdev *file = NULL, *dev = changed_volume(1024 * KIB, &file);

	memset(memdev_data(dev), 0, 64 * KIB);
	CU_ASSERT(compare(dev, file).no_header);
	struct play play = record(
		dev, file, (struct play){.before = -1, .after = FIRST | SECOND, .may_lack = true});

	CU_ASSERT(play.none > unit_times(10, 0) && play.new > 0);
}

/* Without room beside the key slots it is done, too; the user was told. */
static void test_no_room(void)
{
	CLEANUP_BLKDEV struct blkdev *file = NULL, *dev = NULL;

	/* four areas: two of the backup, one of them free now, and two others */
	dev = changed_volume(4 * SLOT_AREA, &file);
	CU_ASSERT(compare(dev, file).unsafe);
	CU_ASSERT_EQUAL(restore(dev, file), 0);
	expect_restored(dev, file);
}

static void test_errors(void)
{
	CLEANUP_BLKDEV struct blkdev *file = NULL, *dev = changed_volume(1024 * KIB, &file);

	for (enum fault_op op = FAULT_READ; op <= FAULT_FLUSH; op++)
		for (uint64_t nth = 1;; nth += (1 + nth / 6) * (unit_step() > 1 ? 4 : 1)) {
			CLEANUP_BLKDEV struct blkdev *fault = NULL, *lower = copy_of(dev);
			struct blkdev *plain = lower;

			CU_ASSERT_EQUAL_FATAL(faultdev_new(lower, &fault), 0);
			take_ptr(lower);
			CLEANUP_LUKS2 struct luks2 *now = load(fault), *backup = load(file);
			uint64_t calls = faultdev_calls(fault, op);

			faultdev_set_torn(fault, 1024);
			faultdev_fail_once(fault, op, nth, -EIO);
			int r = luks2_restore(fault, now, file, backup, NULL);
			bool reached = faultdev_calls(fault, op) - calls >= nth;
			int open = opening(plain, true);

			CU_ASSERT(!reached || r == -EIO || op == FAULT_READ);
			CU_ASSERT(open == (NEW | THIRD) || open == (FIRST | SECOND));
			if (!reached) {
				CU_ASSERT_EQUAL(r, 0);
				break;
			}
		}
}

/* --- repair --------------------------------------------------------------------------------- */

static void test_repair(void)
{
	CLEANUP_BLKDEV struct blkdev *dev = volume(1024 * KIB), *whole = copy_of(dev);
	uint8_t *data = memdev_data(dev);
	bool done = true;

	CU_ASSERT_EQUAL(luks2_repair(dev, 0, &done, NULL), 0);
	CU_ASSERT_FALSE(done);
	CU_ASSERT(!memcmp(data, memdev_data(whole), SIZE_BYTES));
	for (int copy = 0; copy < 2; copy++) {
		data[copy * 16384 + 5000] ^= 1;
		CU_ASSERT_EQUAL(luks2_repair(dev, 0, &done, NULL), 0);
		CU_ASSERT(done);
		CU_ASSERT_EQUAL(opening(dev, false), FIRST);
	}
	/* two good copies of one age that differ: the one in use is the one that counts */
	CLEANUP_LUKS2_COPY struct luks2_copy second = {0};

	CU_ASSERT_EQUAL_FATAL(luks2_disk_read(dev, 16384, &second), 0);
	strcpy(second.label, "different");
	CU_ASSERT_EQUAL_FATAL(luks2_disk_write(dev, &second, true), 0);
	CU_ASSERT_EQUAL(luks2_repair(dev, 0, &done, NULL), 0);
	CU_ASSERT(done);
	memset(data, 0, 4096);
	CU_ASSERT_EQUAL(luks2_repair(dev, 0, &done, NULL), 0);
	CLEANUP_LUKS2 struct luks2 *hdr = load(dev);

	CU_ASSERT_STRING_EQUAL(hdr->label, "before");
}

int main(void)
{
	if (crypto_init())
		return 99;
	leaks_know_secure_memory();
	int r = UNIT_RUN(UNIT(test_restore), UNIT(test_compare), UNIT(test_power), UNIT(test_power_while_wiping), UNIT(test_power_again),
		UNIT(test_power_without_header), UNIT(test_no_room), UNIT(test_errors), UNIT(test_repair));

	secret_free(volume_key);
	return r;
}
