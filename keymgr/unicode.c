/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/unicode.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

enum {
	CHAR_BYTES_MAX = 4,
	TEXT_BYTES_MAX = 4096,
	/* no character has more parts than its UTF-8 form has bytes, and a few more do not matter */
	EXPANSION_MAX = 4,
	DEPTH_MAX = 8,
};

/* Characters in a secret: room is for as many as it may ever hold. */
struct chars {
	struct secret *secret;
	ucs4_t *at;
	size_t count, room;
};

static int chars_new(size_t room, struct chars *chars)
{
	int r = secret_new(room * sizeof(*chars->at), &chars->secret);

	if (r == 0)
		chars->at = secret_data(chars->secret);
	chars->count = 0;
	chars->room = room;
	return r;
}

static void chars_free(struct chars *chars)
{
	secret_free(chars->secret);
}
#define CLEANUP_CHARS CLEANUP(chars_free)

/* A character's decomposition, and that of its parts. */
static void decompose_char(struct chars *chars, ucs4_t c, unsigned depth)
{
	ucs4_t parts[UC_DECOMPOSITION_MAX_LENGTH];
	int count = depth < DEPTH_MAX ? uc_canonical_decomposition(c, parts) : -1;

	if (count < 0 && chars->count < chars->room)
		chars->at[chars->count++] = c;
	for (int i = 0; i < count; i++)
		decompose_char(chars, parts[i], depth + 1);
	bytes_wipe(parts, sizeof(parts));
}

static int decompose(const struct secret *text, struct chars *chars)
{
	const uint8_t *p = secret_data_const(text);
	ucs4_t c = 0;
	int r = 0;

	for (size_t left = secret_len(text); left > 0;) {
		int used = u8_mbtoucr(&c, p, left);

		if (used < 0) {
			r = -EILSEQ;
			break;
		}
		decompose_char(chars, c, 0);
		p += used;
		left -= (size_t)used;
	}
	bytes_wipe(&c, sizeof(c));
	return r;
}

/* Marks of one letter in the order of their classes (UAX #15, D109). */
static void order(struct chars *chars)
{
	for (size_t i = 1; i < chars->count; i++) {
		ucs4_t c = chars->at[i];
		int class = uc_combining_class(c);
		size_t to = i;

		while (class && to > 0 && uc_combining_class(chars->at[to - 1]) > class) {
			chars->at[to] = chars->at[to - 1];
			to--;
		}
		chars->at[to] = c;
		bytes_wipe(&c, sizeof(c));
	}
}

/* Letter and mark become one where there is such a character and nothing is in between (D117). */
static void compose(struct chars *chars)
{
	size_t out = 0, starter = SIZE_MAX;
	int previous = 0;

	for (size_t i = 0; i < chars->count; i++) {
		ucs4_t c = chars->at[i], whole = 0;
		int class = uc_combining_class(c);

		if (starter != SIZE_MAX && (out - 1 == starter || previous < class))
			whole = uc_composition(chars->at[starter], c);
		if (whole) {
			chars->at[starter] = whole;
			continue;
		}
		if (!class)
			starter = out;
		previous = class;
		chars->at[out++] = c;
	}
	chars->count = out;
}

static int encode(const struct chars *chars, struct secret **ret_text)
{
	CLEANUP_SECRET struct secret *text = NULL;
	size_t len = 0;
	int r = secret_new(chars->count * CHAR_BYTES_MAX, &text);

	for (size_t i = 0; r == 0 && i < chars->count; i++) {
		int n = u8_uctomb((uint8_t *)secret_data(text) + len, chars->at[i], CHAR_BYTES_MAX);

		if (n < 0)
			return -EILSEQ;
		len += (size_t)n;
	}
	if (r)
		return r;
	secret_truncate(text, len);
	*ret_text = take_ptr(text);
	return 0;
}

int unicode_form(const struct secret *text, enum unicode_form form, struct secret **ret_text)
{
	CLEANUP_CHARS struct chars chars = {0};
	int r = secret_len(text) <= TEXT_BYTES_MAX ? chars_new(secret_len(text) * EXPANSION_MAX, &chars) : -E2BIG;

	if (r == 0)
		r = decompose(text, &chars);
	if (r)
		return r;
	order(&chars);
	if (form == UNICODE_NFC)
		compose(&chars);
	return encode(&chars, ret_text);
}

size_t unicode_length(const struct secret *text)
{
	const uint8_t *p = secret_data_const(text);
	size_t len = secret_len(text);

	return u8_check(p, len) ? len : u8_mbsnlen(p, len);
}
