/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of looking after a header: what ciphertext looks like, HKDF, seals. */
#include <errno.h>
#include <gcrypt.h>
#include <string.h>

#include "kernel-shim/cryptdev.h"
#include "keymgr/base64.h"
#include "keymgr/hkdf.h"
#include "keymgr/kdf.h"
#include "keymgr/luks2-disk.h"
#include "keymgr/luks2-json.h"
#include "keymgr/luks2-seal.h"
#include "keymgr/luks2-update-doc.h"
#include "keymgr/randomness.h"
#include "tests/dev/memdev.h"
#include "tests/dev/leaks.h"
#include "tests/unit.h"

static void test_randomness(void)
{
	uint8_t sector[RANDOMNESS_BYTES];

	CU_ASSERT_EQUAL_FATAL(crypto_init(), 0);
	for (unsigned i = 0; i < unit_times(100000, 1000); i++) {
		gcry_create_nonce(sector, sizeof(sector));
		if (!randomness_likely(sector))
			CU_FAIL("random bytes");
	}
	memset(sector, 0, sizeof(sector));
	CU_ASSERT_FALSE(randomness_likely(sector));
	for (size_t i = 0; i < sizeof(sector); i++)
		sector[i] = (uint8_t)i; /* more uniform than chance is */
	CU_ASSERT_FALSE(randomness_likely(sector));
	for (size_t i = 0; i < sizeof(sector); i++)
		sector[i] = (uint8_t) "the quick brown fox jumps over "[i % 31];
	CU_ASSERT_FALSE(randomness_likely(sector));
	gcry_create_nonce(sector, sizeof(sector));
	memset(sector, 0, 64); /* an eighth of it is gone */
	CU_ASSERT_FALSE(randomness_likely(sector));
	for (size_t i = 0; i < sizeof(sector); i++)
		sector[i] = (uint8_t)(sector[i] & 0x7f); /* base64, text, ... */
	CU_ASSERT_FALSE(randomness_likely(sector));
}

/* --- HKDF ----------------------------------------------------------------------------------- */

static void series(uint8_t *to, uint8_t first, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)(first + i);
}

static void check_hkdf(const void *ikm, size_t ikm_len, const void *salt, size_t salt_len,
	const void *info, size_t info_len, const char *okm)
{
	CLEANUP_SECRET struct secret *key = NULL, *out = NULL;
	size_t len = strlen(okm) / 2;
	char hex[256] = "";

	CU_ASSERT_EQUAL_FATAL(secret_new_copy(ikm, ikm_len, &key), 0);
	CU_ASSERT_EQUAL_FATAL(secret_new(len, &out), 0);
	CU_ASSERT_EQUAL_FATAL(hkdf_sha256(key, salt, salt_len, info, info_len, out), 0);
	for (size_t i = 0; i < len; i++)
		sprintf(hex + 2 * i, "%02x", ((const uint8_t *)secret_data_const(out))[i]);
	CU_ASSERT_STRING_EQUAL(hex, okm);
}

/* RFC 5869, appendices A.1 to A.3. */
static void test_hkdf_vectors(void)
{
	uint8_t ikm[80], salt[80], info[80];

	CU_ASSERT_EQUAL_FATAL(crypto_init(), 0);
	memset(ikm, 0x0b, 22);
	series(salt, 0, 13);
	series(info, 0xf0, 10);
	check_hkdf(ikm, 22, salt, 13, info, 10,
		"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
		"34007208d5b887185865");
	check_hkdf(ikm, 22, NULL, 0, NULL, 0,
		"8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
		"9d201395faa4b61a96c8");
	series(ikm, 0, 80);
	series(salt, 0x60, 80);
	series(info, 0xb0, 80);
	check_hkdf(ikm, 80, salt, 80, info, 80,
		"b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
		"59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
		"cc30c58179ec3e87c14c01d5c1f3434f1d87");
}

static void test_hkdf_too_long(void)
{
	CLEANUP_SECRET struct secret *key = NULL, *out = NULL;

	CU_ASSERT_EQUAL_FATAL(secret_new(32, &key), 0);
	CU_ASSERT_EQUAL_FATAL(secret_new(HKDF_OUT_MAX + 1, &out), 0);
	CU_ASSERT_EQUAL(hkdf_sha256(key, NULL, 0, NULL, 0, out), -EINVAL);
	secret_truncate(out, HKDF_OUT_MAX);
	CU_ASSERT_EQUAL(hkdf_sha256(key, NULL, 0, NULL, 0, out), 0);
}

/* --- seals ---------------------------------------------------------------------------------- */

enum { DEVICE_BYTES = 2 * 1024 * 1024 };

static struct blkdev *dev;
static struct secret *passphrase, *volume_key;

static void open_volume(uint64_t metadata_bytes)
{
	const struct luks2_format_params params = {
		.kdf = {.type = LUKS2_KDF_PBKDF2, .iterations = 1000},
		.metadata_bytes = metadata_bytes,
		.keyslots_bytes = 512 * 1024,
		.data_offset = 1024 * 1024,
		.label = "label",
	};
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;

	CU_ASSERT_EQUAL_FATAL(memdev_new(DEVICE_BYTES, 512, &dev), 0);
	CU_ASSERT_EQUAL_FATAL(secret_new_copy("x", 1, &passphrase), 0);
	CU_ASSERT_EQUAL_FATAL(
		luks2_format(dev, DEVICE_BYTES, &params, passphrase, &hdr, &volume_key, NULL), 0);
}

static void close_volume(void)
{
	blkdev_close(dev);
	secret_free(passphrase);
	secret_free(volume_key);
	dev = NULL;
	passphrase = volume_key = NULL;
}

static struct luks2 *loaded(void)
{
	struct luks2 *hdr = NULL;

	CU_ASSERT_EQUAL_FATAL(luks2_load(dev, 0, &hdr, NULL), 0);
	return hdr;
}

/* Writes the document as somebody does who has no key. */
static void write_doc(json_t *doc, const char *label)
{
	CLEANUP_LUKS2_COPY struct luks2_copy copy = {0};

	CU_ASSERT_EQUAL_FATAL(luks2_disk_read(dev, 0, &copy), 0);
	free(take_ptr(copy.json));
	CU_ASSERT_EQUAL_FATAL(luks2_json_print(doc, luks2_copy_json_bytes(&copy), &copy.json), 0);
	copy.seqid++;
	if (label)
		strcpy(copy.label, label);
	CU_ASSERT_EQUAL_FATAL(luks2_disk_write(dev, &copy, true), 0);
	CU_ASSERT_EQUAL_FATAL(luks2_disk_write(dev, &copy, false), 0);
}

static int unlocks(struct diag *diag)
{
	CLEANUP_LUKS2 struct luks2 *hdr = loaded();
	CLEANUP_SECRET struct secret *key = NULL;

	return luks2_unlock(hdr, dev, passphrase, -1, &key, NULL, diag);
}

static void expect_right(void)
{
	CLEANUP_LUKS2 struct luks2 *hdr = loaded();
	enum luks2_seal_state state = LUKS2_SEAL_NONE;
	struct diag diag = {0};

	CU_ASSERT(luks2_seal_present(hdr));
	CU_ASSERT_EQUAL(luks2_seal_check(hdr, volume_key, &state, &diag), 0);
	CU_ASSERT_EQUAL(state, LUKS2_SEAL_RIGHT);
	CU_ASSERT_STRING_EQUAL(diag.detail, "");
	CU_ASSERT_EQUAL(unlocks(&diag), 0);
}

static void expect_changed(const char *what)
{
	CLEANUP_LUKS2 struct luks2 *hdr = loaded();
	CLEANUP_SECRET struct secret *key = NULL;
	struct diag diag = {0};

	CU_ASSERT_EQUAL(unlocks(&diag), -SDE_HEADER_SEAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(diag.detail, what));
	if (!strstr(diag.detail, what))
		printf("# said '%s', not '%s'\n", diag.detail, what);
	hdr->accept_change = true;
	CU_ASSERT_EQUAL(luks2_unlock(hdr, dev, passphrase, -1, &key, NULL, NULL), 0);
}

static void test_seal_of_format(void)
{
	for (uint64_t bytes = 16384; bytes <= 65536; bytes *= 2) {
		open_volume(bytes);
		expect_right();
		close_volume();
	}
}

static json_t *at(json_t *doc, const char *section, const char *id)
{
	return json_object_get(json_object_get(doc, section), id);
}

#define EDIT(name, ...)                                                                            \
	static void name(json_t *doc)                                                              \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}
EDIT(edit_nothing, (void)doc)
EDIT(edit_flag, json_object_set_new(json_object_get(doc, "config"), "flags", json_pack("[s]", "allow-discards")))
EDIT(edit_priority, json_object_set_new(at(doc, "keyslots", "0"), "priority", json_integer(2)))
EDIT(edit_slot_member, json_object_set_new(at(doc, "keyslots", "0"), "future", json_true()))
EDIT(edit_segment_size, json_object_set_new(at(doc, "segments", "0"), "size", json_string("524288")))
EDIT(edit_iv, json_object_set_new(at(doc, "segments", "0"), "iv_tweak", json_string("8")))
EDIT(edit_digest, json_object_set_new(at(doc, "digests", "0"), "future", json_integer(1)))
EDIT(edit_second_digest, json_t *digest = json_deep_copy(at(doc, "digests", "0"));
	json_object_set_new(digest, "keyslots", json_array());
	json_object_set_new(digest, "segments", json_array());
	json_object_set_new(json_object_get(doc, "digests"), "1", digest))
EDIT(edit_token, json_object_set_new(json_object_get(doc, "tokens"), "7", json_pack("{s:s,s:[s]}", "type", "x", "keyslots", "0")))
EDIT(edit_member, json_object_set_new(doc, "future", json_pack("{s:i}", "a", 1)))
EDIT(edit_mac, json_object_set_new(at(doc, "tokens", "0"), "mac", json_string("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")))
EDIT(edit_mac_short, json_object_set_new(at(doc, "tokens", "0"), "mac", json_string("")))
EDIT(edit_mac_type, json_object_set_new(at(doc, "tokens", "0"), "mac", json_integer(1)))
EDIT(edit_salt, json_object_set_new(at(doc, "tokens", "0"), "salt", json_string("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")))
EDIT(edit_no_salt, json_object_del(at(doc, "tokens", "0"), "salt"))
EDIT(edit_version, json_object_set_new(at(doc, "tokens", "0"), "version", json_integer(2)))
EDIT(edit_parts, json_object_del(at(doc, "tokens", "0"), "parts"))
EDIT(edit_parts_type, json_object_set_new(at(doc, "tokens", "0"), "parts", json_pack("[i]", 1)))
EDIT(edit_seal_slots, json_array_append_new(json_object_get(at(doc, "tokens", "0"), "keyslots"), json_string("0")))
EDIT(edit_seal_number, json_object_set(json_object_get(doc, "tokens"), "5", at(doc, "tokens", "0")); json_object_del(json_object_get(doc, "tokens"), "0"))
EDIT(edit_seal_twice, json_object_set(json_object_get(doc, "tokens"), "5", at(doc, "tokens", "0")))
EDIT(edit_seal_type, json_object_set_new(at(doc, "tokens", "0"), "type", json_string("other")))
EDIT(edit_seal_gone, json_object_clear(json_object_get(doc, "tokens")))

/* Every change by somebody without the key is noticed, and named. */
static void test_seal_changes(void)
{
	static const struct {
		void (*edit)(json_t *doc);
		const char *label, *says;
	} changes[] = {
		{edit_nothing, "other", "the label was changed"},
		{edit_flag, NULL, "flags or requirements were changed"},
		{edit_priority, NULL, "key slot 0 was changed"},
		{edit_slot_member, NULL, "key slot 0 was changed"},
		{edit_segment_size, NULL, "data segment 0 was changed"},
		{edit_iv, NULL, "data segment 0 was changed"},
		{edit_digest, NULL, "digest 0 was changed"},
		{edit_second_digest, NULL, "digest 1 was added"},
		{edit_token, NULL, "token 7 was added"},
		{edit_member, NULL, "the member \"future\" was changed"},
		{edit_mac, NULL, "the seal itself was changed"},
		{edit_mac_short, NULL, "the seal itself was changed"},
		{edit_mac_type, NULL, "the seal itself was changed"},
		{edit_salt, NULL, "changed"},
		{edit_no_salt, NULL, "the seal itself was changed"},
		{edit_version, NULL, "the seal is of a version that is not known"},
		{edit_parts, NULL, "what was changed cannot be told"},
		{edit_parts_type, NULL, "changed"},
		{edit_seal_slots, NULL, "the seal itself was changed"},
		{edit_seal_number, NULL, "the seal itself was changed"},
		{edit_seal_twice, NULL, "the seal itself was changed"},
		{edit_seal_type, NULL, "the seal was removed"},
		{edit_seal_gone, NULL, "the seal was removed"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		open_volume(0);
		CLEANUP_LUKS2 struct luks2 *hdr = loaded();
		CLEANUP_JSON json_t *doc = json_deep_copy(hdr->json);

		changes[i].edit(doc);
		write_doc(doc, changes[i].label);
		expect_changed(changes[i].says);
		/* and what the owner of the key seals is right again */
		CLEANUP_LUKS2 struct luks2 *changed = loaded();
		CLEANUP_JSON json_t *sealed = json_deep_copy(changed->json);

		CU_ASSERT_EQUAL(luks2_seal_put(changed, sealed, volume_key), 0);
		write_doc(sealed, NULL);
		expect_right();
		close_volume();
	}
}

/* Order, white space and escapes are not the meaning; seqid and salts neither. */
static void test_seal_meaning(void)
{
	open_volume(0);
	CLEANUP_LUKS2 struct luks2 *hdr = loaded();
	CLEANUP_LUKS2_COPY struct luks2_copy copy = {0};
	CLEANUP_FREE char *text = json_dumps(hdr->json, JSON_INDENT(3) | JSON_SORT_KEYS | JSON_ESCAPE_SLASH | JSON_ENSURE_ASCII);

	CU_ASSERT_EQUAL_FATAL(luks2_disk_read(dev, 0, &copy), 0);
	memset(copy.json, 0, luks2_copy_json_bytes(&copy));
	memcpy(copy.json, text, strlen(text));
	copy.seqid = 4711;
	CU_ASSERT_EQUAL_FATAL(luks2_disk_write(dev, &copy, true), 0);
	CU_ASSERT_EQUAL_FATAL(luks2_disk_write(dev, &copy, false), 0);
	expect_right();
	close_volume();
}

/* As cryptsetup would have made it: no token, and a digest like any other. */
static void edit_unsealed(const struct luks2 *hdr, json_t *doc)
{
	struct luks2_digest plain = hdr->digests[0];
	char salt[BASE64_CHARS(LUKS2_SALT_MAX) + 1], digest[BASE64_CHARS(LUKS2_DIGEST_MAX) + 1];

	json_object_clear(json_object_get(doc, "tokens"));
	plain.salt[31] ^= 1;
	CU_ASSERT_EQUAL_FATAL(kdf_pbkdf2(plain.hash, volume_key, plain.salt, plain.salt_len,
				      plain.iterations, plain.digest, plain.digest_len), 0);
	base64_encode(plain.salt, plain.salt_len, salt);
	base64_encode(plain.digest, plain.digest_len, digest);
	json_object_set_new(at(doc, "digests", "0"), "salt", json_string(salt));
	json_object_set_new(at(doc, "digests", "0"), "digest", json_string(digest));
}

/* A header of another program has neither seal nor mark; with the first seal it gets both. */
static void test_seal_first(void)
{
	open_volume(0);
	CLEANUP_LUKS2 struct luks2 *hdr = loaded();
	CLEANUP_JSON json_t *doc = json_deep_copy(hdr->json);
	enum luks2_seal_state state;

	edit_unsealed(hdr, doc);
	write_doc(doc, NULL);
	CLEANUP_LUKS2 struct luks2 *theirs = loaded();

	CU_ASSERT_FALSE(luks2_seal_present(theirs));
	CU_ASSERT_EQUAL(luks2_seal_check(theirs, volume_key, &state, NULL), 0);
	CU_ASSERT_EQUAL(state, LUKS2_SEAL_NONE);
	CU_ASSERT_EQUAL(unlocks(NULL), 0);

	CLEANUP_JSON json_t *sealed = json_deep_copy(theirs->json);

	CU_ASSERT_EQUAL(luks2_seal_put(theirs, sealed, volume_key), 0);
	write_doc(sealed, NULL);
	expect_right();
	json_object_clear(json_object_get(sealed, "tokens"));
	write_doc(sealed, NULL);
	expect_changed("the seal was removed");
	close_volume();
}

/* Through luks2-update.c: the first change seals, and accepting a change does. */
static void test_seal_by_update(void)
{
	open_volume(0);
	for (int round = 0; round < 3; round++) {
		CLEANUP_LUKS2 struct luks2 *hdr = loaded();
		CLEANUP_JSON json_t *doc = json_deep_copy(hdr->json);
		CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;

		if (round == 0)
			edit_unsealed(hdr, doc);
		else if (round == 1)
			edit_flag(doc);
		else
			edit_seal_gone(doc);
		write_doc(doc, NULL);
		CU_ASSERT_EQUAL(unlocks(NULL), round ? -SDE_HEADER_SEAL : 0);
		CU_ASSERT_EQUAL_FATAL(luks2_update_begin(dev, NULL, &update, NULL), 0);
		if (round == 0) {
			/* nothing to do is nothing to seal */
			uint64_t seqid = luks2_update_header(update)->seqid;

			CU_ASSERT_EQUAL(luks2_update_commit(update, volume_key, NULL), 0);
			CU_ASSERT_EQUAL(luks2_update_header(update)->seqid, seqid);
			CU_ASSERT_FALSE(luks2_seal_present(luks2_update_header(update)));
			CU_ASSERT_EQUAL(luks2_keyslot_set_priority(update, 0, LUKS2_PRIORITY_HIGH, NULL), 0);
			CU_ASSERT_EQUAL(luks2_update_wipe(update, 500 * 1024, 4096), 0);
		}
		CU_ASSERT_EQUAL(luks2_update_commit(update, volume_key, NULL), 0);
		luks2_update_end(take_ptr(update));
		expect_right();
	}
	CLEANUP_LUKS2 struct luks2 *last = loaded();
	CLEANUP_JSON json_t *doc = json_deep_copy(last->json);

	edit_seal_gone(doc);
	write_doc(doc, NULL);
	expect_changed("the seal was removed");
	close_volume();
}

/* In a full header the seal does without its explanations, and then there is none. */
static void test_seal_room(void)
{
	bool short_seal = false, none = false;

	for (int fill = 10500; fill < 12288; fill += unit_step() > 1 ? 160 : 20) {
		open_volume(0);
		CLEANUP_LUKS2 struct luks2 *hdr = loaded();
		CLEANUP_JSON json_t *doc = json_deep_copy(hdr->json);
		CLEANUP_FREE char *text = malloc((size_t)fill + 1);

		memset(text, 'x', (size_t)fill);
		text[fill] = '\0';
		json_object_set_new(doc, "future", json_string(text));
		int r = luks2_seal_put(hdr, doc, volume_key);

		if (r == -ENOSPC) {
			none = true;
		} else {
			CU_ASSERT_EQUAL(r, 0);
			CU_ASSERT_FALSE(none);
			short_seal |= !json_object_get(at(doc, "tokens", "0"), "parts");
			CU_ASSERT(short_seal == !json_object_get(at(doc, "tokens", "0"), "parts"));
			write_doc(doc, NULL);
			expect_right();
		}
		close_volume();
	}
	CU_ASSERT(short_seal && none);
}

static void test_seal_no_token_number(void)
{
	open_volume(0);
	CLEANUP_LUKS2 struct luks2 *hdr = loaded();
	CLEANUP_JSON json_t *doc = json_deep_copy(hdr->json);
	json_t *tokens = json_object_get(doc, "tokens");
	char id[8];

	for (int i = 0; i < 32; i++) {
		snprintf(id, sizeof(id), "%d", i);
		json_object_set_new(tokens, id, json_pack("{s:s,s:[]}", "type", "x", "keyslots"));
	}
	CU_ASSERT_EQUAL(luks2_seal_put(hdr, doc, volume_key), 0);
	CU_ASSERT_EQUAL(json_object_size(tokens), 32);
	close_volume();
}

int main(void)
{
	if (crypto_init() < 0)
		return 99;
	leaks_know_secure_memory();
	return UNIT_RUN(UNIT(test_randomness), UNIT(test_hkdf_vectors), UNIT(test_hkdf_too_long),
		UNIT(test_seal_of_format), UNIT(test_seal_changes), UNIT(test_seal_meaning),
		UNIT(test_seal_first), UNIT(test_seal_by_update),
		UNIT(test_seal_room), UNIT(test_seal_no_token_number));
}
