/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* Length of the well-formed sequence at s (Unicode 15, table 3-7) and its character; 0: none. */
static size_t utf8_decode(const uint8_t *s, size_t len, uint32_t *ret_char)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3
		: s[0] < 0xf8 ? 4 : 0;
	uint32_t c = n == 1 ? s[0] : s[0] & (0x7fu >> n);

	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret_char = c;
	return n;
}

static bool safe_to_show(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return false;
	if (c == 0x200e || c == 0x200f || c == 0x061c) /* direction marks */
		return false;
	if (c >= 0x2028 && c <= 0x202e) /* line separators, embeddings, overrides */
		return false;
	return !(c >= 0x2066 && c <= 0x2069); /* isolates */
}

int text_sanitize(const void *src, size_t len, char **ret_text)
{
	const uint8_t *s = src;
	char *text, *out;
	uint32_t c = 0;

	len = strnlen(src, len);
	if (len > (SIZE_MAX - 1) / 3)
		return -ENOMEM;
	text = out = malloc(3 * len + 1);
	if (!text)
		return -ENOMEM;
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_decode(s + i, len - i, &c);
		if (n > 0 && safe_to_show(c)) {
			memcpy(out, s + i, n);
			out += n;
		} else {
			memcpy(out, replacement, 3);
			out += 3;
			n = n > 0 ? n : 1;
		}
	}
	*out = '\0';
	*ret_text = text;
	return 0;
}

void text_cut(const char *text, char *out, size_t room)
{
	size_t len = strnlen(text, room);

	if (len == room)
		for (len = room - 1; len > 0 && (text[len] & 0xc0) == 0x80;)
			len--;
	memcpy(out, text, len);
	out[len] = '\0';
}

/* len decimal digits. */
static unsigned digits(const char *text, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i++)
		n = n * 10 + (unsigned)(text[i] - '0');
	return n;
}

bool text_is_date(const char *text)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	static const char form[] = "dddd-dd-dd";
	unsigned year, month, day;
	size_t i;

	for (i = 0; form[i]; i++)
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return false;
	year = digits(text, 4);
	month = digits(text + 5, 2);
	day = digits(text + 8, 2);
	if (text[i] || month < 1 || month > 12 || day < 1)
		return false;
	return day <= days[month - 1] || (month == 2 && day == 29 && year % 4 == 0 && (year % 100 || year % 400 == 0));
}

bool text_is_uuid(const char *text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t i;

	for (i = 0; form[i]; i++)
		if (form[i] == 'x' ? !text[i] || !strchr("0123456789abcdef", text[i]) : text[i] != form[i])
			return false;
	return !text[i];
}
