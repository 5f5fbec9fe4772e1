/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/share.h"

#include <errno.h>
#include <gcrypt.h>
#include <string.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/hex.h"
#include "keymgr/recovery.h"

enum {
	SHARE_VERSION = 1,
	DIGITS = 16,
	GROUP_DIGITS = SHARE_GROUP - 1,
	CHECKSUM_BYTES = 5,
	/* where the parts are */
	SET_AT = 1,
	INDEX_AT = SET_AT + SHARE_SET_BYTES,
	THRESHOLD_AT,
	COUNT_AT,
	VALUE_AT,
	CHECKSUM_AT = VALUE_AT + SHARE_SECRET_BYTES,
};
_Static_assert(CHECKSUM_AT + CHECKSUM_BYTES == SHARE_BYTES, "parts");
_Static_assert(2 * SHARE_BYTES == SHARE_GROUPS * GROUP_DIGITS, "groups");

/* ---- letters, without a table that a secret would be the index of ---- */

/* All ones when a and b are equal (both below 256), else 0. */
static unsigned equal_mask(unsigned a, unsigned b)
{
	return ((a ^ b) - 1) >> 8;
}

static char letter_of(unsigned digit)
{
	unsigned letter = 0;

	for (unsigned i = 0; i < DIGITS; i++)
		letter |= (unsigned char)recovery_letters[i] & equal_mask(i, digit);
	return (char)letter;
}

/* 16 for what is none. */
static unsigned digit_of(char typed)
{
	unsigned c = (unsigned char)typed, digit = 0, found = 0;

	for (unsigned i = 0; i < DIGITS; i++) {
		unsigned letter = (unsigned char)recovery_letters[i];
		unsigned same = equal_mask(letter, c) | equal_mask(letter - 'a' + 'A', c);

		digit |= i & same;
		found |= same;
	}
	return digit | (16 & ~found);
}

/* In GF(16) modulo x^4 + x + 1. */
static unsigned twice(unsigned a)
{
	return (a << 1 & 15) ^ (3 & -(a >> 3));
}

/* The check letter's digit; those of the group stand at digits. */
static unsigned check_digit(unsigned group, const uint8_t *digits)
{
	unsigned sum = group;

	for (unsigned i = 0; i < GROUP_DIGITS; i++)
		sum = twice(sum) ^ digits[i];
	return twice(sum);
}

/* ---- bytes ---- */

static void hash(const char *purpose, const uint8_t *bytes, size_t len, uint8_t *out, size_t out_len)
{
	gcry_buffer_t parts[] = {
		{.data = (void *)purpose, .len = strlen(purpose)},
		{.data = (void *)bytes, .len = len},
	};
	uint8_t sum[32];

	gcry_md_hash_buffers(GCRY_MD_SHA256, 0, sum, parts, ARRAY_SIZE(parts));
	memcpy(out, sum, out_len);
	bytes_wipe(sum, sizeof(sum));
}

int share_to_bytes(const struct share *share, struct secret **ret_bytes)
{
	int r = crypto_init();

	if (r == 0)
		r = secret_new(SHARE_BYTES, ret_bytes);
	if (r < 0)
		return r;
	uint8_t *out = secret_data(*ret_bytes);

	out[0] = SHARE_VERSION;
	memcpy(out + SET_AT, share->set, SHARE_SET_BYTES);
	out[INDEX_AT] = share->index;
	out[THRESHOLD_AT] = share->threshold;
	out[COUNT_AT] = share->count;
	memcpy(out + VALUE_AT, secret_data_const(share->value), SHARE_SECRET_BYTES);
	hash("sealdrive share", out, CHECKSUM_AT, out + CHECKSUM_AT, CHECKSUM_BYTES);
	return 0;
}

int share_from_bytes(const uint8_t *bytes, struct share *ret_share, struct diag *diag)
{
	struct share share = {.index = bytes[INDEX_AT], .threshold = bytes[THRESHOLD_AT], .count = bytes[COUNT_AT]};
	uint8_t checksum[CHECKSUM_BYTES];
	int r;

	hash("sealdrive share", bytes, CHECKSUM_AT, checksum, sizeof(checksum));
	if (!bytes_equal_ct(checksum, bytes + CHECKSUM_AT, sizeof(checksum)))
		return diag_set(diag, -SDE_SHARE, _("its checksum is wrong"));
	if (bytes[0] != SHARE_VERSION)
		return diag_set(diag, -SDE_SHARE, _("it is of version %d, which this program does not know"), bytes[0]);
	if (share.threshold < 2 || share.threshold > share.count || share.count > SHAMIR_SHARES_MAX ||
		share.index < 1 || share.index > share.count)
		return diag_set(diag, -SDE_SHARE, _("its numbers cannot be: %d of %d, %d needed"), share.index,
			share.count, share.threshold);
	memcpy(share.set, bytes + SET_AT, SHARE_SET_BYTES);
	r = secret_new_copy(bytes + VALUE_AT, SHARE_SECRET_BYTES, &share.value);
	if (r == 0)
		*ret_share = share;
	return r;
}

/* ---- text ---- */

int share_encode(const struct share *share, struct secret **ret_text)
{
	CLEANUP_SECRET struct secret *bytes = NULL, *digits = NULL, *text = NULL;
	int r = share_to_bytes(share, &bytes);

	if (r == 0)
		r = secret_new(2 * SHARE_BYTES, &digits);
	if (r == 0)
		r = secret_new(SHARE_CHARS, &text);
	if (r < 0)
		return r;
	const uint8_t *in = secret_data_const(bytes);
	uint8_t *digit = secret_data(digits);
	char *out = secret_data(text);

	for (size_t i = 0; i < SHARE_BYTES; i++) {
		digit[2 * i] = in[i] >> 4;
		digit[2 * i + 1] = in[i] & 15;
	}
	for (unsigned group = 0; group < SHARE_GROUPS; group++, digit += GROUP_DIGITS) {
		if (group)
			*out++ = '-';
		for (unsigned i = 0; i < GROUP_DIGITS; i++)
			*out++ = letter_of(digit[i]);
		*out++ = letter_of(check_digit(group, digit));
	}
	*ret_text = take_ptr(text);
	return 0;
}

static bool is_gap(char c)
{
	return c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int share_text_add(struct share_text *text, const char *typed, size_t len, struct diag *diag)
{
	size_t now = text->len;
	int r = text->digits ? 0 : secret_new(SHARE_LETTERS, &text->digits);

	if (r < 0)
		return r;
	uint8_t *digits = secret_data(text->digits);

	for (size_t i = 0; i < len; i++) {
		unsigned group = (unsigned)(now / SHARE_GROUP), digit;

		if (is_gap(typed[i]))
			continue;
		if (now == SHARE_LETTERS)
			return diag_set(diag, -SDE_SHARE, _("it is longer than %d letters"), SHARE_LETTERS);
		digit = digit_of(typed[i]);
		if (digit > 15)
			return diag_set(diag, -SDE_SHARE, _("group %u of %d has a character that no share has"),
				group + 1, SHARE_GROUPS);
		digits[now++] = (uint8_t)digit;
		if (now % SHARE_GROUP == 0 && check_digit(group, digits + now - SHARE_GROUP) != digit)
			return diag_set(diag, -SDE_SHARE, _("group %u of %d is wrong"), group + 1, SHARE_GROUPS);
	}
	text->len = now;
	return 0;
}

bool share_text_complete(const struct share_text *text)
{
	return text->len == SHARE_LETTERS;
}

int share_text_finish(const struct share_text *text, struct share *ret_share, struct diag *diag)
{
	CLEANUP_SECRET struct secret *bytes = NULL;
	int r;

	if (!share_text_complete(text))
		return diag_set(diag, -SDE_SHARE, _("it has %zu letters of %d"), text->len, SHARE_LETTERS);
	r = crypto_init();
	if (r == 0)
		r = secret_new(SHARE_BYTES, &bytes);
	if (r < 0)
		return r;
	const uint8_t *digits = secret_data_const(text->digits);
	uint8_t *out = secret_data(bytes);

	for (size_t i = 0, n = 0; i < SHARE_LETTERS; i++) {
		if (i % SHARE_GROUP == GROUP_DIGITS)
			continue;
		out[n / 2] = (uint8_t)(out[n / 2] << 4 | digits[i]);
		n++;
	}
	return share_from_bytes(out, ret_share, diag);
}

void share_text_clear(struct share_text *text)
{
	secret_free(text->digits);
	*text = (struct share_text)SHARE_TEXT_NONE;
}

int share_digest(const struct share *share, uint8_t ret_digest[SHARE_DIGEST_BYTES])
{
	CLEANUP_SECRET struct secret *bytes = NULL;
	int r = share_to_bytes(share, &bytes);

	if (r == 0)
		hash("sealdrive share digest", secret_data_const(bytes), SHARE_BYTES, ret_digest, SHARE_DIGEST_BYTES);
	return r;
}

void share_set_name(const uint8_t set[SHARE_SET_BYTES], char ret_name[SHARE_SET_CHARS])
{
	for (size_t i = 0; i < SHARE_SET_BYTES; i++) {
		ret_name[2 * i] = recovery_letters[set[i] >> 4];
		ret_name[2 * i + 1] = recovery_letters[set[i] & 15];
	}
	ret_name[2 * SHARE_SET_BYTES] = '\0';
}

bool share_set_parse(const char *name, uint8_t ret_set[SHARE_SET_BYTES])
{
	uint8_t set[SHARE_SET_BYTES] = {0};

	if (strlen(name) != SHARE_SET_CHARS - 1)
		return false;
	for (unsigned i = 0; i < 2 * SHARE_SET_BYTES; i++) {
		const char *letter = strchr(recovery_letters, name[i]);

		if (!letter)
			return false;
		set[i / 2] = (uint8_t)(set[i / 2] << 4 | (letter - recovery_letters));
	}
	memcpy(ret_set, set, sizeof(set));
	return true;
}

/* ---- sets ---- */

void share_clear(struct share *share)
{
	secret_free(share->value);
	*share = (struct share){0};
}

/* Shares that would not make the passphrase again are not given out. */
static int prove(const struct share *shares, unsigned count, unsigned threshold, const struct secret *passphrase)
{
	for (unsigned first = 0; first + threshold <= count; first++) {
		CLEANUP_SECRET struct secret *again = NULL;
		int r = share_combine(shares + first, threshold, &again);

		if (r < 0)
			return r;
		if (!secret_equal(again, passphrase))
			return -SDE_CRYPTO;
	}
	return 0;
}

int share_make(unsigned count, unsigned threshold, struct share *ret_shares, struct secret **ret_passphrase)
{
	CLEANUP_SECRET struct secret *secret = NULL, *passphrase = NULL;
	struct secret *values[SHAMIR_SHARES_MAX] = {NULL};
	uint8_t set[SHARE_SET_BYTES];
	int r = crypto_init();

	if (r == 0)
		r = secret_new(SHARE_SECRET_BYTES, &secret);
	if (r < 0)
		return r;
	gcry_randomize(secret_data(secret), SHARE_SECRET_BYTES, GCRY_VERY_STRONG_RANDOM);
	gcry_randomize(set, sizeof(set), GCRY_STRONG_RANDOM);
	r = shamir_split(secret, count, threshold, values);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < count; i++) {
		ret_shares[i] = (struct share){.index = (uint8_t)(i + 1), .threshold = (uint8_t)threshold,
			.count = (uint8_t)count, .value = values[i]};
		memcpy(ret_shares[i].set, set, sizeof(set));
	}
	r = hex_of_secret(secret, &passphrase);
	if (r == 0)
		r = prove(ret_shares, count, threshold, passphrase);
	for (unsigned i = 0; i < count && r < 0; i++)
		share_clear(&ret_shares[i]);
	if (r == 0)
		*ret_passphrase = take_ptr(passphrase);
	return r;
}

int share_combine(const struct share *shares, unsigned count, struct secret **ret_passphrase)
{
	CLEANUP_SECRET struct secret *secret = NULL;
	const struct secret *values[SHAMIR_SHARES_MAX];
	uint8_t x[SHAMIR_SHARES_MAX];
	int r;

	if (count < 2 || count > SHAMIR_SHARES_MAX || count != shares[0].threshold)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++) {
		if (memcmp(shares[i].set, shares[0].set, SHARE_SET_BYTES) != 0)
			return -EINVAL;
		x[i] = shares[i].index;
		values[i] = shares[i].value;
	}
	r = shamir_combine(x, values, count, &secret);
	return r < 0 ? r : hex_of_secret(secret, ret_passphrase);
}
