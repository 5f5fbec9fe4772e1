/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Canonical JSON, and facts files of which every byte matters. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/canon.h"
#include "audit/facts-file.h"
#include "audit/strict.h"
#include "tests/unit.h"

static void canon_is(const char *text, const char *wanted)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
	CLEANUP_FREE char *got = NULL;
	size_t len;

	CU_ASSERT_PTR_NOT_NULL_FATAL(json);
	CU_ASSERT_EQUAL_FATAL(canon_print(json, &got, &len), 0);
	if (strcmp(got, wanted) != 0) {
		printf("# got %s\n", got);
		CU_FAIL("not canonical");
	}
	CU_ASSERT_EQUAL(len, strlen(got));
	json_decref(json);
}

/* RFC 8785, sections 3.2.2.2 and 3.2.3 */
static void test_canon(void)
{
	json_t *real = json_real(1.5);
	char *text;
	size_t len;

	canon_is("{ \"b\" : [ 1 , -2, true,false, null ], \"a\" : { } }", "{\"a\":{},\"b\":[1,-2,true,false,null]}");
	canon_is("\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\"", "\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"");
	canon_is("\"\\b\\t\\f\\r\\u000b\\u001f\\u007f\"", "\"\\b\\t\\f\\r\\u000b\\u001f\x7f\"");
	canon_is("{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\","
		 "\"1\":\"One\",\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\","
		 "\"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}",
		"{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
		"\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\","
		"\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
	CU_ASSERT_EQUAL(canon_print(real, &text, &len), -EINVAL);
	json_decref(real);
}

static void test_hash(void)
{
	uint8_t digest[HASH256_BYTES], back[HASH256_BYTES];
	char hex[HASH256_HEX];

	/* FIPS 180-4, "abc" */
	hash256_of("a", 1, "bc", 2, digest);
	hex_encode(digest, sizeof(digest), hex);
	CU_ASSERT_STRING_EQUAL(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	CU_ASSERT_EQUAL(hex_decode(hex, back, sizeof(back)), 0);
	CU_ASSERT_EQUAL(memcmp(digest, back, sizeof(back)), 0);
	CU_ASSERT_EQUAL(hex_decode("ba7", back, 2), -EINVAL);
	CU_ASSERT_EQUAL(hex_decode("BA", back, 1), -EINVAL);
	CU_ASSERT_EQUAL(hex_decode("ba00", back, 1), -EINVAL);
}

static void free_all(struct facts **facts, size_t count)
{
	while (count)
		facts_free(facts[--count]);
	free(facts);
}

/* Of a real header, and of things that are none. */
static int sample_facts(char **ret_text, size_t *ret_len)
{
	const char *folder = getenv("UNIT_AUDIT_DRIVE");
	char *targets[] = {(char *)(uintptr_t)(folder ? folder : "/dev/null"), (char *)(uintptr_t) "/nonexistent"};
	struct facts *facts[2];
	int r = audit_collect(targets, 2, facts);

	CU_ASSERT_EQUAL_FATAL(r, 0);
	r = facts_file_print(facts, 2, 1796072400, ret_text, ret_len);
	facts_free(facts[0]);
	facts_free(facts[1]);
	return r;
}

static int parse(const char *text, size_t len)
{
	struct facts **facts;
	struct diag diag = {0};
	size_t count;
	int r = facts_file_parse(text, len, &facts, &count, &diag);

	if (r == 0)
		free_all(facts, count);
	else if (r != -SDE_FILE_INVALID || !diag.detail[0])
		CU_FAIL("refused, but not as it should be");
	return r;
}

static void test_every_byte(void)
{
	CLEANUP_FREE char *text = NULL;
	size_t len;

	CU_ASSERT_EQUAL_FATAL(sample_facts(&text, &len), 0);
	CU_ASSERT_TRUE(facts_file_claims(text, len));
	CU_ASSERT_EQUAL(parse(text, len), 0);
	for (size_t i = 0; i < len; i++) {
		static const char flips[] = {1, 0x20, (char)0x80};

		for (size_t f = 0; f < sizeof(flips); f++) {
			text[i] ^= flips[f];
			if (parse(text, len) == 0) {
				printf("# byte %zu, flip %d\n", i, flips[f]);
				CU_FAIL("a change was not noticed");
			}
			text[i] ^= flips[f];
		}
	}
	for (size_t cut = 0; cut < len; cut++)
		if (parse(text, cut) == 0)
			CU_FAIL("a cut was not noticed");
	CU_ASSERT_EQUAL(parse(text, len), 0);
}

/* Damage under a right checksum: refused or judged, never worse (sanitizers). */
static void test_damaged(void)
{
	CLEANUP_FREE char *text = NULL;
	size_t len;
	int good = 0;

	CU_ASSERT_EQUAL_FATAL(sample_facts(&text, &len), 0);
	srandom(20261130);
	for (int round = 0; round < 3000; round++) {
		CLEANUP_FREE char *bad = malloc(len + 1);
		CLEANUP_FREE char *sealed = NULL;
		json_t *doc, *bare;
		char hex[HASH256_HEX];
		uint8_t digest[HASH256_BYTES];
		size_t sealed_len;

		memcpy(bad, text, len + 1);
		for (long i = random() % 3; i >= 0; i--)
			bad[(size_t)random() % len] = "{}[]\",:\\0129ntf"[random() % 15];
		doc = json_loadb(bad, len, JSON_REJECT_DUPLICATES, NULL);
		if (!json_is_object(doc)) {
			json_decref(doc);
			continue;
		}
		bare = json_copy(doc);
		json_object_del(bare, "sha256");
		if (canon_print(bare, &sealed, &sealed_len) == 0) {
			hash256_of(sealed, sealed_len, NULL, 0, digest);
			hex_encode(digest, sizeof(digest), hex);
			json_object_set_new(doc, "sha256", json_string(hex));
			free(sealed);
			sealed = NULL;
			CU_ASSERT_EQUAL_FATAL(canon_print(doc, &sealed, &sealed_len), 0);
			sealed[sealed_len] = '\n'; /* where the final zero was: parse takes the length */
			good += parse(sealed, sealed_len + 1) == 0;
		}
		json_decref(bare);
		json_decref(doc);
	}
	CU_ASSERT_TRUE(good > 0);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_canon), UNIT(test_hash), UNIT(test_every_byte), UNIT(test_damaged));
}
