/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes of a header on test devices: what they do, and what they leave alone. Power failures and errors
 * in the middle are unit-luks2-power.c's business; that cryptsetup agrees is tests/key-cryptsetup.sh's.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/judge.h"
#include "keymgr/luks2-disk.h"
#include "tests/dev/leaks.h"
#include "tests/luks2-small.h"

/* ---- what they do ---- */

static void test_add(void)
{
	CLEANUP_SECRET struct secret *key = NULL;
	CLEANUP_BLKDEV struct blkdev *dev = volume(&key);
	CLEANUP_LUKS2 struct luks2 *before = load(dev), *after = NULL;

	CU_ASSERT_EQUAL_FATAL(add_slot(dev, "second", key, -1), 0);
	CU_ASSERT_EQUAL_FATAL(add_slot(dev, "third", key, 7), 0);
	CU_ASSERT_EQUAL(opens(dev, "first"), 0);
	CU_ASSERT_EQUAL(opens(dev, "second"), 1);
	CU_ASSERT_EQUAL(opens(dev, "third"), 7);
	after = load(dev);
	CU_ASSERT_EQUAL(after->seqid, before->seqid + 2);
	CU_ASSERT(after->copies[0] == LUKS2_COPY_OK && after->copies[1] == LUKS2_COPY_OK);
	CU_ASSERT_STRING_EQUAL(after->uuid, before->uuid);
	CU_ASSERT_EQUAL(after->digests[0].keyslots, 1 | 2 | 1 << 7);
	CU_ASSERT_EQUAL(area_of(dev, 1), 2 * HDR_BYTES + SLOT_AREA);
	CU_ASSERT_EQUAL(area_of(dev, 7), 2 * HDR_BYTES + 2 * SLOT_AREA);
	/* no area left, numbers that are taken or do not exist: nothing changes */
	CU_ASSERT_EQUAL(add_slot(dev, "fourth", key, -1), -SDE_HEADER_FULL);
	CU_ASSERT_EQUAL(add_slot(dev, "fourth", key, 7), -SDE_SLOT);
	CU_ASSERT_EQUAL(add_slot(dev, "fourth", key, 32), -SDE_SLOT);
	CLEANUP_LUKS2 struct luks2 *same = load(dev);

	CU_ASSERT_EQUAL(same->seqid, after->seqid);
	CU_ASSERT(json_equal(same->json, after->json));
}

static void test_add_wrong_key(void)
{
	CLEANUP_SECRET struct secret *key = NULL, *wrong = NULL;
	CLEANUP_BLKDEV struct blkdev *dev = volume(&key);

	CU_ASSERT_EQUAL_FATAL(secret_new_copy(secret_data(key), secret_len(key), &wrong), 0);
	((uint8_t *)secret_data(wrong))[5] ^= 1;
	CU_ASSERT_EQUAL(add_slot(dev, "second", wrong, -1), -SDE_PASSPHRASE);
	CU_ASSERT_EQUAL(remove_slot(dev, 0, wrong), -SDE_PASSPHRASE);
	CU_ASSERT_EQUAL(opens(dev, "first"), 0);
}

/* The bytes of an area that is no slot's any more are others. */
static void test_remove(void)
{
	CLEANUP_SECRET struct secret *key = NULL;
	CLEANUP_BLKDEV struct blkdev *dev = volume(&key);
	static uint8_t was[SLOT_AREA];

	CU_ASSERT_EQUAL_FATAL(add_slot(dev, "second", key, -1), 0);
	uint8_t *area = (uint8_t *)memdev_data(dev) + area_of(dev, 0);

	memcpy(was, area, SLOT_AREA);
	CU_ASSERT_EQUAL_FATAL(remove_slot(dev, 0, key), 0);
	CU_ASSERT_EQUAL(opens(dev, "first"), -SDE_PASSPHRASE);
	CU_ASSERT_EQUAL(opens(dev, "second"), 1);
	for (size_t i = 0; i < SLOT_AREA; i += 512)
		CU_ASSERT(memcmp(was + i, area + i, 512) && !bytes_all_zero(area + i, 512));
	CLEANUP_LUKS2 struct luks2 *hdr = load(dev);

	CU_ASSERT_EQUAL(hdr->token_count, 1); /* the seal */
	CU_ASSERT_EQUAL(hdr->digests[0].keyslots, 2);
	CU_ASSERT_EQUAL(remove_slot(dev, 0, key), -SDE_SLOT);
	/* its area and number are the next one's */
	CU_ASSERT_EQUAL_FATAL(add_slot(dev, "third", key, -1), 0);
	CU_ASSERT_EQUAL(opens(dev, "third"), 0);
	CU_ASSERT_EQUAL(area_of(dev, 0), 2 * HDR_BYTES);
}

static void test_replace(void)
{
	CLEANUP_SECRET struct secret *key = NULL;
	CLEANUP_BLKDEV struct blkdev *dev = volume(&key);
	uint64_t was;

	CU_ASSERT_EQUAL_FATAL(put_token(dev, "{\"type\":\"other\",\"keyslots\":[\"0\"]}"), 0);
	CU_ASSERT_EQUAL_FATAL(set_priority(dev, 0, LUKS2_PRIORITY_HIGH), 0);
	was = area_of(dev, 0);
	CU_ASSERT_EQUAL_FATAL(replace_slot(dev, "second", key, 0), 0);
	CU_ASSERT_EQUAL(opens(dev, "first"), -SDE_PASSPHRASE);
	CU_ASSERT_EQUAL(opens(dev, "second"), 0);
	CU_ASSERT(area_of(dev, 0) != was);
	CLEANUP_LUKS2 struct luks2 *hdr = load(dev);

	CU_ASSERT_EQUAL(hdr->keyslot_count, 1);
	CU_ASSERT_EQUAL(hdr->keyslots[0].priority, LUKS2_PRIORITY_HIGH);
	CU_ASSERT_EQUAL(hdr->token_count, 2);
	CU_ASSERT_EQUAL(hdr->tokens[0].keyslots | hdr->tokens[1].keyslots, 1);
	CU_ASSERT_EQUAL(replace_slot(dev, "third", key, 5), -SDE_SLOT);
}

static void test_priority(void)
{
	CLEANUP_SECRET struct secret *key = NULL;
	CLEANUP_BLKDEV struct blkdev *dev = volume(&key);
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;

	CU_ASSERT_EQUAL(set_priority(dev, 0, LUKS2_PRIORITY_IGNORE), 0);
	CU_ASSERT_EQUAL(opens(dev, "first"), -SDE_NO_KEYSLOT);
	hdr = load(dev);
	CU_ASSERT_EQUAL(luks2_keyslots_opening(hdr, dev, 0), 0);
	CU_ASSERT_EQUAL(set_priority(dev, 0, LUKS2_PRIORITY_NORMAL), 0);
	CU_ASSERT_EQUAL(opens(dev, "first"), 0);
	CU_ASSERT_EQUAL(set_priority(dev, 3, LUKS2_PRIORITY_NORMAL), -SDE_SLOT);
}

/* Key slots up to the last number, all like the first but for the places of their areas. */
static int fill_numbers(struct blkdev *dev)
{
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;
	int r = luks2_update_begin(dev, NULL, &update, NULL);

	if (r)
		return r;
	json_t *slots = json_object_get(luks2_update_doc(update), "keyslots");
	json_t *digest = json_object_get(json_object_get(luks2_update_doc(update), "digests"), "0");
	uint64_t first = luks2_update_header(update)->keyslots[0].area_offset;

	for (int id = 1; id < LUKS2_KEYSLOTS_MAX && !r; id++) {
		json_t *slot = json_deep_copy(json_object_get(slots, "0"));
		char name[16];

		snprintf(name, sizeof(name), "%d", id);
		r |= json_object_set_new(json_object_get(slot, "area"), "offset",
			json_sprintf("%llu", (unsigned long long)(first + (uint64_t)id * SLOT_AREA)));
		r |= json_object_set_new(slots, name, slot);
		r |= json_array_append_new(json_object_get(digest, "keyslots"), json_string(name));
	}
	r = luks2_update_changed(update, r, NULL);
	return r ? r : luks2_update_commit(update, NULL, NULL);
}

static void test_all_numbers_taken(void)
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	CLEANUP_SECRET struct secret *key = NULL, *passphrase = secret_of("first");
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	struct luks2_format_params params = small;

	/* an area for each, and header copies large enough to name them all */
	CU_ASSERT_EQUAL_FATAL(memdev_new(16 * MIB, 512, &dev), 0);
	params.keyslots_bytes = 40 * SLOT_AREA;
	params.data_offset = 12 * MIB;
	params.metadata_bytes = 65536;
	CU_ASSERT_EQUAL_FATAL(
		luks2_format(dev, dev->size_bytes, &params, passphrase, &hdr, &key, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(fill_numbers(dev), 0);
	CU_ASSERT_EQUAL(add_slot(dev, "more", key, -1), -SDE_SLOT);
	/* a passphrase can be changed nevertheless */
	CU_ASSERT_EQUAL(replace_slot(dev, "last", key, 31), 0);
	CU_ASSERT_EQUAL(opens(dev, "last"), 31);
}

static void test_json_area_full(void)
{
	CLEANUP_SECRET struct secret *key = NULL;
	CLEANUP_BLKDEV struct blkdev *dev = volume(&key);
	static char text[16384];
	size_t len = (size_t)snprintf(text, sizeof(text), "{\"type\":\"big\",\"keyslots\":[],\"x\":\"");

	/* a token that leaves room for hardly anything */
	memset(text + len, 'x', 11220 - len);
	strcpy(text + 11220, "\"}");
	CU_ASSERT_EQUAL_FATAL(put_token(dev, text), 0);
	CU_ASSERT_EQUAL(add_slot(dev, "second", key, -1), -SDE_HEADER_FULL);
	CU_ASSERT_EQUAL(opens(dev, "first"), 0);
	CU_ASSERT_EQUAL(put_token(dev, text), -SDE_HEADER_FULL);
	/* what there is no room to note is wiped without a note */
	CU_ASSERT_EQUAL(replace_slot(dev, "second", key, 0), 0);
	CU_ASSERT_EQUAL(opens(dev, "second"), 0);
	CU_ASSERT_EQUAL(opens(dev, "first"), -SDE_PASSPHRASE);
}

static void test_bad_tokens(void)
{
	static const char *const bad[] = {"", "[]", "{", "{\"type\":\"x\"}", "{\"keyslots\":[]}",
		"{\"type\":\"x\",\"keyslots\":[\"5\"]}", "{\"type\":\"x\",\"keyslots\":[0]}",
		"{\"type\":\"x\",\"type\":\"y\",\"keyslots\":[]}"};
	CLEANUP_BLKDEV struct blkdev *dev = volume(NULL);
	CLEANUP_LUKS2 struct luks2 *before = load(dev), *after = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CU_ASSERT(put_token(dev, bad[i]) < 0);
	after = load(dev);
	CU_ASSERT_EQUAL(after->seqid, before->seqid);
}

/* ---- what was there and nobody here knows ---- */

/* Writes text as the document of both copies, past everything that checks. */
static void write_document(struct blkdev *dev, const char *text)
{
	struct luks2_copy copy;

	CU_ASSERT_EQUAL_FATAL(luks2_disk_read(dev, 0, &copy), 0);
	memset(copy.json, 0, luks2_copy_json_bytes(&copy));
	strcpy(copy.json, text);
	CU_ASSERT_EQUAL_FATAL(luks2_disk_write(dev, &copy, true), 0);
	CU_ASSERT_EQUAL_FATAL(luks2_disk_write(dev, &copy, false), 0);
	luks2_copy_clear(&copy);
}

static char *document(struct blkdev *dev)
{
	struct luks2_copy copy;

	CU_ASSERT_EQUAL_FATAL(luks2_disk_read(dev, 0, &copy), 0);
	return copy.json;
}

static void test_unknown_survives(void)
{
	CLEANUP_SECRET struct secret *key = NULL;
	CLEANUP_BLKDEV struct blkdev *dev = volume(&key);
	CLEANUP_FREE char *was = document(dev);
	CLEANUP_FREE char *with = NULL, *now = NULL;
	static const char token[] = "\"4\":{\"type\":\"their-own\",\"keyslots\":[],"
				    "\"z\":1,\"a\":[true,false,null,{\"deep\":[-5,9007199254740993]}],"
				    "\"big\":\"18446744073709551615\",\"text\":\"Hồ sơ \\\"x\\\" / \\\\\","
				    "\"n\": [1.10, -0.0, 1e5,1E-7,18446744073709551615 , -99999999999999999999, 1e400],"
				    "\"\\u0065sc\\/\" :\"\\u00e9\\/\",\"x\":{}}";
	const char *tokens = strstr(was, "\"tokens\":{") + strlen("\"tokens\":{");

	CU_ASSERT_FATAL(asprintf(&with, "{\"x-first\":[1,2],%.*s%s,%s", (int)(tokens - was - 1), was + 1,
				token, tokens) > 0);
	write_document(dev, with);
	CU_ASSERT_EQUAL_FATAL(add_slot(dev, "second", key, -1), 0);
	CU_ASSERT_EQUAL_FATAL(remove_slot(dev, 0, key), 0);
	CU_ASSERT_EQUAL(opens(dev, "second"), 1);
	now = document(dev);
	CU_ASSERT_PTR_NOT_NULL(strstr(now, token));
	CU_ASSERT_PTR_EQUAL(strstr(now, "{\"x-first\":[1,2],"), now);
}

/* ---- others ---- */

static void test_changed_meanwhile(void)
{
	CLEANUP_SECRET struct secret *key = NULL;
	CLEANUP_BLKDEV struct blkdev *dev = volume(&key);
	CLEANUP_LUKS2 struct luks2 *seen = load(dev);
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL, *late = NULL;

	CU_ASSERT_EQUAL_FATAL(luks2_update_begin(dev, seen, &update, NULL), 0);
	/* this one knows no lock, as a memory device has none */
	CU_ASSERT_EQUAL_FATAL(add_slot(dev, "second", key, -1), 0);
	CU_ASSERT_EQUAL(luks2_keyslot_set_priority(update, 0, LUKS2_PRIORITY_IGNORE, NULL), 0);
	CU_ASSERT_EQUAL(luks2_update_commit(update, NULL, NULL), -SDE_HEADER_CHANGED);
	CU_ASSERT_EQUAL(luks2_update_commit(update, NULL, NULL), -EINVAL);
	CU_ASSERT_EQUAL(luks2_update_begin(dev, seen, &late, NULL), -SDE_HEADER_CHANGED);
	CU_ASSERT_EQUAL(opens(dev, "first"), 0);
	CU_ASSERT_EQUAL(opens(dev, "second"), 1);
}

static void test_requirement_refused(void)
{
	CLEANUP_BLKDEV struct blkdev *dev = volume(NULL);
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;
	CLEANUP_FREE char *was = document(dev);
	CLEANUP_FREE char *with = NULL;
	char *config = strstr(was, "\"config\":{") + strlen("\"config\":{");

	CU_ASSERT_FATAL(asprintf(&with, "%.*s\"requirements\":{\"mandatory\":[\"something\"]},%s",
				(int)(config - was), was, config) > 0);
	write_document(dev, with);
	CU_ASSERT_EQUAL(luks2_update_begin(dev, NULL, &update, NULL), -SDE_REQUIREMENT);
}

static int judge_calls;

static int two_are_too_many(const struct luks2 *before, const struct luks2 *after, struct diag *diag)
{
	judge_calls++;
	CU_ASSERT_EQUAL(before->keyslot_count, 1);
	return after->keyslot_count > 1 ? diag_set(diag, -SDE_POLICY, "too many") : 0;
}

static void test_judge(void)
{
	CLEANUP_SECRET struct secret *key = NULL;
	CLEANUP_BLKDEV struct blkdev *dev = volume(&key);
	CLEANUP_FREE char *was = document(dev);
	CLEANUP_FREE char *now = NULL;

	luks2_judge_set(two_are_too_many);
	CU_ASSERT_EQUAL(add_slot(dev, "second", key, -1), -SDE_POLICY);
	CU_ASSERT_EQUAL(opens(dev, "second"), -SDE_PASSPHRASE);
	CU_ASSERT_EQUAL(opens(dev, "first"), 0);
	now = document(dev);
	CU_ASSERT_STRING_EQUAL(was, now);
	CU_ASSERT_EQUAL(set_priority(dev, 0, LUKS2_PRIORITY_HIGH), 0);
	CU_ASSERT_EQUAL(judge_calls, 2);
	luks2_judge_set(NULL);
	CU_ASSERT_EQUAL(add_slot(dev, "second", key, -1), 0);
}

static void test_read_only(void)
{
	CLEANUP_BLKDEV struct blkdev *dev = volume(NULL);
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;

	dev->read_only = true;
	CU_ASSERT_EQUAL(luks2_update_begin(dev, NULL, &update, NULL), -EROFS);
}

/* A token that asks for an area that a key slot uses, or that is none, does no harm. */
static void test_hostile_wipe(void)
{
	CLEANUP_SECRET struct secret *key = NULL;
	CLEANUP_BLKDEV struct blkdev *dev = volume(&key);
	static uint8_t was[SIZE_BYTES];

	CU_ASSERT_EQUAL_FATAL(add_slot(dev, "second", key, -1), 0);
	CU_ASSERT_EQUAL_FATAL(
		put_token(dev, "{\"type\":\"sealdrive-wipe\",\"keyslots\":[],\"areas\":["
			       "[\"32768\",\"258048\"],[\"0\",\"16384\"],[\"1048576\",\"512\"],"
			       "[\"290816\",\"18446744073709551615\"],[\"32768\",\"1\"],5,[],[1,2],"
			       "[\"548864\",\"4096\"],[\"806400\",\"1000000\"],\"x\",{}]}"),
		0);
	memcpy(was, memdev_data(dev), SIZE_BYTES);
	CU_ASSERT_EQUAL(set_priority(dev, 0, LUKS2_PRIORITY_HIGH), 0);
	CU_ASSERT_EQUAL(opens(dev, "first"), 0);
	CU_ASSERT_EQUAL(opens(dev, "second"), 1);
	const uint8_t *now = memdev_data(dev);

	CU_ASSERT(!memcmp(was + 32768, now + 32768, 548864 - 32768));
	CU_ASSERT(memcmp(was + 548864, now + 548864, 4096));
	CU_ASSERT(!memcmp(was + 552960, now + 552960, SIZE_BYTES - 552960));
}

int main(void)
{
	if (crypto_init())
		return 99;
	leaks_know_secure_memory();
	int r = UNIT_RUN(UNIT(test_add), UNIT(test_add_wrong_key), UNIT(test_remove), UNIT(test_replace),
		UNIT(test_priority), UNIT(test_all_numbers_taken), UNIT(test_json_area_full),
		UNIT(test_bad_tokens), UNIT(test_unknown_survives), UNIT(test_changed_meanwhile),
		UNIT(test_requirement_refused), UNIT(test_judge), UNIT(test_read_only), UNIT(test_hostile_wipe));

	secret_free(volume_key);
	return r;
}
