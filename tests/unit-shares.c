/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shares of a key: the field, the sharing, the text. The vectors are gfsplit's (Debian's libgfshare-bin); that gfcombine
 * opens a drive with our shares is tests/shares.sh's business.
 */
#include <ctype.h>
#include <errno.h>
#include <gcrypt.h>
#include <string.h>

#include "base/bytes.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/gf256.h"
#include "keymgr/share.h"
#include "tests/dev/leaks.h"
#include "tests/unit.h"

/* ---- the field ---- */

static void test_field(void)
{
	uint8_t power[255], log[256] = {0};
	unsigned value = 1;

	/* 2 generates the field: the table of ISO/IEC 18004 (QR codes), annex A */
	for (int i = 0; i < 255; i++) {
		power[i] = (uint8_t)value;
		log[value] = (uint8_t)i;
		value = value << 1 ^ (value & 0x80 ? 0x11d : 0);
	}
	CU_ASSERT_EQUAL(value, 1);
	CU_ASSERT_EQUAL(power[8], 29);
	CU_ASSERT_EQUAL(power[25], 3);
	CU_ASSERT_EQUAL(power[254], 142);
	for (unsigned a = 0; a < 256; a++)
		for (unsigned b = 0; b < 256; b++) {
			unsigned wanted = a && b ? power[(log[a] + log[b]) % 255] : 0;

			if (gf256_mul((uint8_t)a, (uint8_t)b) != wanted)
				CU_FAIL("a product");
		}
	CU_ASSERT_EQUAL(gf256_inverse(0), 0);
	for (unsigned a = 1; a < 256; a++)
		CU_ASSERT_EQUAL(gf256_mul((uint8_t)a, gf256_inverse((uint8_t)a)), 1);
}

/* ---- the sharing ---- */

/* gfsplit -n 3 -m 4 of the bytes 0 to 31 */
static const uint8_t gfshare_x[4] = {53, 130, 191, 203};
static const uint8_t gfshare_y[4][32] = {
	{0x0a, 0x43, 0xa6, 0x4a, 0x9f, 0x45, 0xaa, 0x0b, 0x1f, 0xb9, 0x02, 0xd4, 0x97, 0x72, 0x4a, 0x2a, 0x5a, 0xc3,
		0x2b, 0xf0, 0x8e, 0xeb, 0x2a, 0x50, 0x4e, 0x5e, 0xe0, 0x35, 0x8c, 0x7a, 0xf8, 0xcd},
	{0x4e, 0x65, 0xb2, 0x34, 0x76, 0x1f, 0x0b, 0x63, 0x9c, 0xd5, 0xd0, 0x22, 0xa9, 0x6f, 0x86, 0x1a, 0x69, 0x20,
		0xe7, 0x30, 0x53, 0x31, 0x3f, 0xa4, 0x2c, 0x08, 0xef, 0xde, 0xfd, 0x01, 0x4e, 0x84},
	{0x63, 0x47, 0x08, 0x8a, 0x21, 0x49, 0x90, 0xd1, 0xaf, 0xda, 0x3e, 0x22, 0xf4, 0xcd, 0xfa, 0x8a, 0x2b, 0x53,
		0x3d, 0xca, 0xe2, 0x03, 0x01, 0xf1, 0x49, 0x82, 0x0c, 0x57, 0x48, 0xa0, 0xa3, 0x6a},
	{0xad, 0xeb, 0x17, 0x8e, 0x81, 0x78, 0x9a, 0xc9, 0x7b, 0x73, 0xe8, 0x7b, 0x21, 0x20, 0xa6, 0xe3, 0x43, 0x0f,
		0x6a, 0xe7, 0x57, 0x94, 0xe7, 0x0d, 0x97, 0xc7, 0x2b, 0xd5, 0xde, 0x73, 0xdf, 0x32},
};

/* Those of the shares whose bits are set in mask; whether they make the secret. */
static bool combine_makes(const uint8_t *x, struct secret *const *y, unsigned mask, const struct secret *wanted)
{
	CLEANUP_SECRET struct secret *secret = NULL;
	const struct secret *some_y[SHAMIR_SHARES_MAX];
	uint8_t some_x[SHAMIR_SHARES_MAX];
	unsigned count = 0;

	for (unsigned i = 0; mask >> i; i++)
		if (mask >> i & 1) {
			some_x[count] = x[i];
			some_y[count++] = y[i];
		}
	CU_ASSERT_EQUAL_FATAL(shamir_combine(some_x, some_y, count, &secret), 0);
	return secret_equal(secret, wanted);
}

static void test_gfshare(void)
{
	struct secret *y[4], *wanted;
	uint8_t bytes[32];

	for (unsigned i = 0; i < 32; i++)
		bytes[i] = (uint8_t)i;
	CU_ASSERT_EQUAL_FATAL(secret_new_copy(bytes, sizeof(bytes), &wanted), 0);
	for (unsigned i = 0; i < 4; i++)
		CU_ASSERT_EQUAL_FATAL(secret_new_copy(gfshare_y[i], 32, &y[i]), 0);
	for (unsigned mask = 1; mask < 16; mask++)
		CU_ASSERT_EQUAL(combine_makes(gfshare_x, y, mask, wanted), __builtin_popcount(mask) >= 3);
	for (unsigned i = 0; i < 4; i++)
		secret_free(y[i]);
	secret_free(wanted);
}

static void test_every_subset(void)
{
	static const uint8_t x[6] = {1, 2, 3, 4, 5, 6};
	CLEANUP_SECRET struct secret *secret = NULL;

	CU_ASSERT_EQUAL_FATAL(secret_new(32, &secret), 0);
	gcry_randomize(secret_data(secret), 32, GCRY_STRONG_RANDOM);
	for (unsigned count = 2; count <= 6; count++)
		for (unsigned threshold = 2; threshold <= count; threshold++) {
			struct secret *y[6];

			CU_ASSERT_EQUAL_FATAL(shamir_split(secret, count, threshold, y), 0);
			for (unsigned mask = 1; mask < 1u << count; mask++)
				CU_ASSERT_EQUAL(combine_makes(x, y, mask, secret),
					(unsigned)__builtin_popcount(mask) >= threshold);
			for (unsigned i = 0; i < count; i++)
				secret_free(y[i]);
		}
}

static void test_refused(void)
{
	CLEANUP_SECRET struct secret *secret = NULL, *shorter = NULL, *out = NULL;
	struct secret *y[SHAMIR_SHARES_MAX + 1];

	CU_ASSERT_EQUAL_FATAL(secret_new(32, &secret), 0);
	CU_ASSERT_EQUAL_FATAL(secret_new(31, &shorter), 0);
	CU_ASSERT_EQUAL(shamir_split(secret, 3, 1, y), -EINVAL);
	CU_ASSERT_EQUAL(shamir_split(secret, 3, 4, y), -EINVAL);
	CU_ASSERT_EQUAL(shamir_split(secret, SHAMIR_SHARES_MAX + 1, 2, y), -EINVAL);
	CU_ASSERT_EQUAL(shamir_combine((uint8_t[]){1, 1}, (const struct secret *[]){secret, secret}, 2, &out), -EINVAL);
	CU_ASSERT_EQUAL(shamir_combine((uint8_t[]){1, 0}, (const struct secret *[]){secret, secret}, 2, &out), -EINVAL);
	CU_ASSERT_EQUAL(shamir_combine((uint8_t[]){1, 2}, (const struct secret *[]){secret, shorter}, 2, &out), -EINVAL);
	CU_ASSERT_EQUAL(shamir_combine((uint8_t[]){1}, (const struct secret *[]){secret}, 0, &out), -EINVAL);
	CU_ASSERT(!out);
}

/* ---- the text ---- */

/* keymgr/share.h once more, without its code */
static void encode(const uint8_t bytes[SHARE_BYTES], char text[SHARE_CHARS + 1])
{
	static const char letters[] = "cbdefghijklnrtuv";
	unsigned nibble = 0;

	for (unsigned group = 0; group < SHARE_GROUPS; group++) {
		unsigned check = group;

		if (group)
			*text++ = '-';
		for (unsigned i = 0; i <= 7; i++) {
			check = check * 2 >= 16 ? check * 2 - 16 == 0 ? 3 : (check * 2 - 16) ^ 3 : check * 2;
			if (i == 7) {
				*text++ = letters[check];
				break;
			}
			unsigned digit = nibble % 2 ? bytes[nibble / 2] & 15u : bytes[nibble / 2] >> 4u;

			check ^= digit;
			*text++ = letters[digit];
			nibble++;
		}
	}
	*text = '\0';
}

static void seal(uint8_t bytes[SHARE_BYTES])
{
	char all[15 + SHARE_BYTES] = "sealdrive share";
	uint8_t sum[32];

	memcpy(all + 15, bytes, 44);
	gcry_md_hash_buffer(GCRY_MD_SHA256, sum, all, 15 + 44);
	memcpy(bytes + 44, sum, 5);
}

static void example(uint8_t bytes[SHARE_BYTES])
{
	static const uint8_t head[] = {1, 0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe, 2, 3, 5};

	memcpy(bytes, head, sizeof(head));
	for (unsigned i = 0; i < 32; i++)
		bytes[12 + i] = (uint8_t)(i * 37 + 11);
	seal(bytes);
}

static int parse(const char *text, struct share *share, struct diag *diag)
{
	CLEANUP_SHARE_TEXT struct share_text typed = SHARE_TEXT_NONE;
	int r = share_text_add(&typed, text, strlen(text), diag);

	return r < 0 ? r : share_text_finish(&typed, share, diag);
}

/* The share in text; and its own text again is normal. */
static bool reads_as(const char *text, const uint8_t bytes[SHARE_BYTES], const char *normal)
{
	CLEANUP_SECRET struct secret *again = NULL;
	struct share share;
	struct diag diag = {0};
	bool same;

	if (parse(text, &share, &diag) != 0)
		return false;
	CU_ASSERT_EQUAL_FATAL(share_encode(&share, &again), 0);
	same = !memcmp(share.set, bytes + 1, 8) && share.index == bytes[9] && share.threshold == bytes[10] &&
	       share.count == bytes[11] && secret_len(share.value) == 32 &&
	       !memcmp(secret_data(share.value), bytes + 12, 32) && secret_len(again) == SHARE_CHARS &&
	       !memcmp(secret_data(again), normal, SHARE_CHARS);
	share_clear(&share);
	return same;
}

static void test_text(void)
{
	uint8_t bytes[SHARE_BYTES];
	char text[SHARE_CHARS + 1], other[SHARE_CHARS + 1], *out = other;

	example(bytes);
	encode(bytes, text);
	CU_ASSERT_EQUAL(strlen(text), SHARE_CHARS);
	CU_ASSERT(reads_as(text, bytes, text));
	for (unsigned i = 0; text[i]; i++)
		other[i] = (char)toupper((unsigned char)text[i]);
	other[SHARE_CHARS] = '\0';
	CU_ASSERT(reads_as(other, bytes, text));
	for (unsigned i = 0; text[i]; i++)
		other[i] = text[i] != '-' ? text[i] : i % 4 ? ' ' : '\n';
	CU_ASSERT(reads_as(other, bytes, text));
	for (unsigned i = 0; text[i]; i++)
		if (text[i] != '-')
			*out++ = text[i];
	*out = '\0';
	CU_ASSERT(reads_as(other, bytes, text));
}

static void test_lines(void)
{
	CLEANUP_SHARE_TEXT struct share_text typed = SHARE_TEXT_NONE;
	uint8_t bytes[SHARE_BYTES];
	char text[SHARE_CHARS + 1];
	struct share share;
	struct diag diag = {0};

	example(bytes);
	encode(bytes, text);
	/* a line that is wrong adds nothing, and is typed again */
	CU_ASSERT_EQUAL(share_text_add(&typed, text, 36, &diag), 0);
	CU_ASSERT_EQUAL(share_text_add(&typed, "cccccccc", 8, &diag), -SDE_SHARE);
	CU_ASSERT_STRING_EQUAL(diag.detail, "group 5 of 14 is wrong");
	CU_ASSERT(!share_text_complete(&typed));
	diag = (struct diag){0};
	CU_ASSERT_EQUAL(share_text_finish(&typed, &share, &diag), -SDE_SHARE);
	CU_ASSERT_STRING_EQUAL(diag.detail, "it has 32 letters of 112");
	CU_ASSERT_EQUAL(share_text_add(&typed, text + 36, SHARE_CHARS - 36, &diag), 0);
	CU_ASSERT(share_text_complete(&typed));
	diag = (struct diag){0};
	CU_ASSERT_EQUAL(share_text_add(&typed, "c", 1, &diag), -SDE_SHARE);
	CU_ASSERT_EQUAL_FATAL(share_text_finish(&typed, &share, &diag), 0);
	CU_ASSERT_EQUAL(share.index, 2);
	share_clear(&share);
}

static bool named(const char *text, unsigned group)
{
	struct share share;
	struct diag diag = {0};
	char wanted[32];

	snprintf(wanted, sizeof(wanted), "group %u of 14 ", group + 1);
	return parse(text, &share, &diag) == -SDE_SHARE && strncmp(diag.detail, wanted, strlen(wanted)) == 0;
}

static void test_every_letter(void)
{
	uint8_t bytes[SHARE_BYTES];
	char text[SHARE_CHARS + 1];

	example(bytes);
	encode(bytes, text);
	for (unsigned i = 0; i < SHARE_CHARS; i++)
		for (unsigned c = 1; c < 256; c++) {
			char right = text[i];

			/* a capital is the same, and gaps mean nothing: but then a letter is missing */
			if (right == '-' || tolower((int)c) == right || strchr("- \t\r\n", (int)c))
				continue;
			text[i] = (char)c;
			if (!named(text, i / 9))
				CU_FAIL("a wrong letter");
			text[i] = right;
		}
}

static void test_places(void)
{
	uint8_t bytes[SHARE_BYTES];
	char text[SHARE_CHARS + 1], other[SHARE_CHARS + 1];

	example(bytes);
	encode(bytes, text);
	/* two letters of a group that changed places */
	for (unsigned i = 0; i < SHARE_CHARS; i++)
		for (unsigned j = i + 1; j < SHARE_CHARS && j / 9 == i / 9; j++) {
			if (text[i] == text[j] || text[i] == '-' || text[j] == '-')
				continue;
			strcpy(other, text);
			other[i] = text[j];
			other[j] = text[i];
			CU_ASSERT(named(other, i / 9));
		}
	/* two groups that did, and one that was left out: seen at the first of them */
	for (unsigned i = 0; i < SHARE_GROUPS; i++) {
		for (unsigned j = i + 1; j < SHARE_GROUPS; j++) {
			strcpy(other, text);
			memcpy(other + 9 * i, text + 9 * j, 8);
			memcpy(other + 9 * j, text + 9 * i, 8);
			CU_ASSERT(named(other, i));
		}
		strcpy(other, text);
		memmove(other + 9 * i, other + 9 * i + 9, i + 1 < SHARE_GROUPS ? SHARE_CHARS + 1 - 9 * i - 9 : 0);
		if (i + 1 < SHARE_GROUPS)
			CU_ASSERT(named(other, i));
	}
}

static void test_every_byte(void)
{
	uint8_t bytes[SHARE_BYTES];
	char text[SHARE_CHARS + 1];

	/* with check letters that fit what is wrong, the checksum finds it */
	example(bytes);
	for (unsigned i = 0; i < SHARE_BYTES; i++)
		for (unsigned other = 0; other < 256; other++) {
			struct share share;
			struct diag diag = {0};
			uint8_t right = bytes[i];

			if (other == right)
				continue;
			bytes[i] = (uint8_t)other;
			encode(bytes, text);
			if (parse(text, &share, &diag) != -SDE_SHARE || !strstr(diag.detail, "checksum"))
				CU_FAIL("a wrong byte");
			bytes[i] = right;
		}
}

static void test_numbers(void)
{
	static const struct {
		uint8_t version, index, threshold, count;
		const char *wanted;
	} rows[] = {
		{1, 1, 2, 2, NULL}, {1, 32, 32, 32, NULL}, {2, 2, 3, 5, "version 2"}, {0, 2, 3, 5, "version 0"},
		{1, 0, 3, 5, "0 of 5"}, {1, 6, 3, 5, "6 of 5"}, {1, 1, 1, 5, "1 needed"}, {1, 1, 0, 5, "0 needed"},
		{1, 1, 6, 5, "6 needed"}, {1, 1, 2, 33, "1 of 33"}, {1, 255, 255, 255, "255 of 255"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t bytes[SHARE_BYTES];
		char text[SHARE_CHARS + 1];
		struct share share = {0};
		struct diag diag = {0};

		example(bytes);
		bytes[0] = rows[i].version;
		bytes[9] = rows[i].index;
		bytes[10] = rows[i].threshold;
		bytes[11] = rows[i].count;
		seal(bytes);
		encode(bytes, text);
		CU_ASSERT_EQUAL(parse(text, &share, &diag), rows[i].wanted ? -SDE_SHARE : 0);
		CU_ASSERT(!rows[i].wanted || strstr(diag.detail, rows[i].wanted));
		share_clear(&share);
	}
}

/* ---- sets ---- */

static void test_made(void)
{
	CLEANUP_SECRET struct secret *passphrase = NULL, *again = NULL, *other = NULL;
	struct share shares[5], pick[3];
	uint8_t digest[2][SHARE_DIGEST_BYTES];

	CU_ASSERT_EQUAL_FATAL(share_make(5, 3, shares, &passphrase), 0);
	CU_ASSERT_EQUAL(secret_len(passphrase), SHARE_PASSPHRASE_CHARS);
	for (unsigned i = 0; i < SHARE_PASSPHRASE_CHARS; i++)
		CU_ASSERT(strchr("0123456789abcdef", ((const char *)secret_data(passphrase))[i]) != NULL);
	pick[0] = shares[4];
	pick[1] = shares[0];
	pick[2] = shares[2];
	CU_ASSERT_EQUAL_FATAL(share_combine(pick, 3, &again), 0);
	CU_ASSERT(secret_equal(passphrase, again));
	/* too few, too many, one twice, one of another set */
	CU_ASSERT_EQUAL(share_combine(pick, 2, &other), -EINVAL);
	CU_ASSERT_EQUAL(share_combine(shares, 5, &other), -EINVAL);
	pick[2] = shares[0];
	CU_ASSERT_EQUAL(share_combine(pick, 3, &other), -EINVAL);
	pick[2] = shares[2];
	pick[2].set[7] ^= 1;
	CU_ASSERT_EQUAL(share_combine(pick, 3, &other), -EINVAL);
	CU_ASSERT_EQUAL(share_digest(&shares[0], digest[0]), 0);
	((uint8_t *)secret_data(shares[0].value))[31] ^= 1;
	CU_ASSERT_EQUAL(share_digest(&shares[0], digest[1]), 0);
	CU_ASSERT(memcmp(digest[0], digest[1], SHARE_DIGEST_BYTES) != 0);
	for (unsigned i = 0; i < 5; i++)
		share_clear(&shares[i]);
	CU_ASSERT_EQUAL(share_make(5, 6, shares, &other), -EINVAL);
	CU_ASSERT(!other);
}

int main(void)
{
	if (crypto_init() < 0)
		return 99;
	leaks_know_secure_memory();
	return UNIT_RUN(UNIT(test_field), UNIT(test_gfshare), UNIT(test_every_subset), UNIT(test_refused), UNIT(test_text),
		UNIT(test_lines), UNIT(test_every_letter), UNIT(test_places), UNIT(test_every_byte), UNIT(test_numbers),
		UNIT(test_made));
}
