/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/canon.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* RFC 8785 section 3.2.2.2 */
static void put_string(FILE *out, const char *text)
{
	static const char short_ones[] = "btnvfr"; /* 8 to 13; \v has none */

	putc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c >= 8 && c <= 13 && c != 11)
			fprintf(out, "\\%c", short_ones[c - 8]);
		else if (c < 0x20)
			fprintf(out, "\\u%04x", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

/*
 * Bytes of UTF-8 sort like code points, not like UTF-16 units: what needs surrogates (0xf0 and up) comes
 * before U+E000 to U+FFFF (0xee, 0xef). Section 3.2.3.
 */
static int weight(unsigned char c)
{
	return c >= 0xf0 ? c - 0x10 + 0x0e : c >= 0xee ? c + 0x10 : c;
}

static int compare_names(const void *a, const void *b)
{
	const unsigned char *x = *(const unsigned char *const *)a, *y = *(const unsigned char *const *)b;

	while (*x && *x == *y) {
		x++;
		y++;
	}
	return weight(*x) - weight(*y);
}

static int put(FILE *out, const json_t *json);

static int put_object(FILE *out, const json_t *json)
{
	size_t count = json_object_size(json), n = 0;
	CLEANUP_FREE const char **names = calloc(count + 1, sizeof(*names));
	json_t *value;
	const char *name;

	if (!names)
		return -ENOMEM;
	json_object_foreach((json_t *)(uintptr_t)json, name, value) names[n++] = name;
	qsort(names, n, sizeof(*names), compare_names);
	putc('{', out);
	for (size_t i = 0; i < n; i++) {
		if (i)
			putc(',', out);
		put_string(out, names[i]);
		putc(':', out);
		int r = put(out, json_object_get(json, names[i]));

		if (r < 0)
			return r;
	}
	putc('}', out);
	return 0;
}

static int put(FILE *out, const json_t *json)
{
	size_t i;
	json_t *item;

	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return put_object(out, json);
	case JSON_ARRAY:
		putc('[', out);
		json_array_foreach(json, i, item)
		{
			if (i)
				putc(',', out);
			int r = put(out, item);

			if (r < 0)
				return r;
		}
		putc(']', out);
		return 0;
	case JSON_STRING:
		put_string(out, json_string_value(json));
		return 0;
	case JSON_INTEGER:
		fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
		return 0;
	case JSON_REAL:
		return -EINVAL;
	case JSON_TRUE:
		fputs("true", out);
		return 0;
	case JSON_FALSE:
		fputs("false", out);
		return 0;
	case JSON_NULL:
		fputs("null", out);
		return 0;
	}
	return -EINVAL;
}

int canon_print(const json_t *json, char **ret_text, size_t *ret_len)
{
	CLEANUP_FREE char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int r;

	if (!out)
		return -ENOMEM;
	r = put(out, json);
	if (fclose(out) != 0 && r == 0)
		r = -ENOMEM;
	if (r < 0)
		return r;
	*ret_text = take_ptr(text);
	*ret_len = len;
	return 0;
}
