/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * First everything becomes ASCII with '-', ' ' and '\n' as the only gaps, then the lines that are the share are picked out.
 * Both look at the kind of a character and never use one as an index.
 */
#include "keymgr/share-file.h"

#include <errno.h>
#include <string.h>

#include "base/i18n.h"

enum {
	LINE_LETTERS_MIN = 2 * SHARE_GROUP, /* of a share that is printed: the last line has two groups */
	FOREIGN = '?',
};

/* ---- as ASCII ---- */

struct text {
	char *out; /* as long as what it is made of */
	size_t len;
	bool markup; /* between '<' and '>' there is nothing to read */
	bool in_tag;
};

static char plain(uint32_t c)
{
	static const struct {
		uint32_t first, last;
		char plain;
	} kinds[] = {
		{0x0000, 0x007f, 0},				       /* as it is */
		{0x00a0, 0x00a0, ' '}, {0x00ad, 0x00ad, '-'},	       /* no-break space, soft hyphen */
		{0x2000, 0x200d, ' '}, {0x2010, 0x2015, '-'},	       /* spaces, dashes */
		{0x2028, 0x2029, '\n'}, {0x202f, 0x202f, ' '},	       /* separators, narrow space */
		{0x205f, 0x2060, ' '}, {0x2212, 0x2212, '-'},	       /* spaces, minus */
		{0x3000, 0x3000, ' '}, {0xfe58, 0xfe58, '-'},	       /* ideographic space, small dash */
		{0xfe63, 0xfe63, '-'}, {0xfeff, 0xfeff, ' '}, {0xff0d, 0xff0d, '-'}, /* byte order mark */
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (c >= kinds[i].first && c <= kinds[i].last)
			return kinds[i].plain ? kinds[i].plain : (char)c;
	return FOREIGN;
}

static void put(struct text *text, uint32_t c)
{
	char letter = plain(c);

	if (text->markup && (letter == '<' || letter == '>')) {
		text->in_tag = letter == '<';
		letter = '\n';
	} else if (text->in_tag) {
		return;
	}
	text->out[text->len++] = letter == '\t' ? ' ' : letter == '\r' ? '\n' : letter;
}

/* One character of UTF-8; of what is none, one byte. Returns the number of bytes. */
static size_t utf8_char(const uint8_t *in, size_t len, uint32_t *ret_c)
{
	size_t bytes = in[0] < 0x80 ? 1 : in[0] >= 0xe0 && in[0] < 0xf0 ? 3 : in[0] >= 0xc2 && in[0] < 0xe0 ? 2 : 0;
	uint32_t c = bytes == 3 ? in[0] & 15 : bytes == 2 ? in[0] & 31 : in[0];

	*ret_c = UINT32_MAX;
	if (bytes == 0 || bytes > len)
		return 1;
	for (size_t i = 1; i < bytes; i++) {
		if ((in[i] & 0xc0) != 0x80)
			return 1;
		c = c << 6 | (in[i] & 63);
	}
	*ret_c = c;
	return bytes;
}

static void from_utf8(struct text *text, const uint8_t *in, size_t len)
{
	uint32_t c;

	for (size_t at = 0; at < len; put(text, c))
		at += utf8_char(in + at, len - at, &c);
}

static void from_utf16(struct text *text, const uint8_t *in, size_t len, bool big_endian)
{
	for (size_t at = 0; at + 1 < len; at += 2)
		put(text, big_endian ? (uint32_t)in[at] << 8 | in[at + 1] : (uint32_t)in[at + 1] << 8 | in[at]);
}

static bool is_page(const uint8_t *in, size_t len)
{
	return len > 5 && (memcmp(in, "<?xml", 5) == 0 || memcmp(in, "<svg ", 5) == 0);
}

static void to_ascii(struct text *text, const uint8_t *in, size_t len)
{
	if (len >= 2 && in[0] == 0xff && in[1] == 0xfe) {
		from_utf16(text, in + 2, len - 2, false);
	} else if (len >= 2 && in[0] == 0xfe && in[1] == 0xff) {
		from_utf16(text, in + 2, len - 2, true);
	} else {
		text->markup = is_page(in, len);
		from_utf8(text, in, len);
	}
}

/* ---- the lines that are the share ---- */

struct kinds {
	size_t letters, dashes, others;
};

static struct kinds count_kinds(const char *line, size_t len)
{
	static const char letters[] = "cbdefghijklnrtuvCBDEFGHIJKLNRTUV";
	struct kinds kinds = {0};

	for (size_t i = 0; i < len; i++) {
		if (line[i] == '-')
			kinds.dashes++;
		else if (line[i] && strchr(letters, line[i]))
			kinds.letters++;
		else if (line[i] != ' ')
			kinds.others++;
	}
	return kinds;
}

/* With dashes, and of letters for the most part, so that one with a wrong character is not passed over; or, where
 * somebody has left out the dashes, whole groups and nothing else, which no sentence is. */
static bool is_share_line(const char *line, size_t len)
{
	struct kinds kinds = count_kinds(line, len);
	size_t all = kinds.letters + kinds.dashes + kinds.others;

	/* "Drive: ...", whatever the drive is called */
	if (memmem(line, len, ": ", 2))
		return false;
	if (kinds.dashes > 0)
		return all >= LINE_LETTERS_MIN && (kinds.letters + kinds.dashes) * 4 >= all * 3;
	return kinds.others == 0 && kinds.letters >= LINE_LETTERS_MIN && kinds.letters % SHARE_GROUP == 0;
}

/* What mail programs and lists put before a line, too. */
static void trim(const char **line, size_t *len)
{
	while (*len > 0 && strchr(" >|*", **line)) {
		++*line;
		--*len;
	}
	while (*len > 0 && (*line)[*len - 1] == ' ')
		--*len;
}

/* Of a text that has no such line, all of it. */
static int add_lines(const struct text *text, struct share_text *share, struct diag *diag)
{
	bool any = false;
	int r = 0;

	for (size_t at = 0; at < text->len && r == 0;) {
		const char *line = text->out + at, *end = memchr(line, '\n', text->len - at);
		size_t len = end ? (size_t)(end - line) : text->len - at;

		at += len + 1;
		trim(&line, &len);
		if (is_share_line(line, len)) {
			r = share_text_add(share, line, len, diag);
			any = true;
		}
	}
	return r < 0 || any ? r : share_text_add(share, text->out, text->len, diag);
}

int share_from_file(const void *bytes, size_t len, struct share *ret_share, struct diag *diag)
{
	CLEANUP_SHARE_TEXT struct share_text share = SHARE_TEXT_NONE;
	CLEANUP_SECRET struct secret *ascii = NULL;
	struct text text = {0};
	int r = secret_new(len + 1, &ascii);

	if (r < 0)
		return r;
	text.out = secret_data(ascii);
	to_ascii(&text, bytes, len);
	r = add_lines(&text, &share, diag);
	return r < 0 ? r : share_text_finish(&share, ret_share, diag);
}
