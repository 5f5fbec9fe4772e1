/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/luks2-keep.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- a text that is known to be JSON ---- */

struct span {
	const char *at, *end;
};

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && strchr(" \t\r\n", *p))
		p++;
	return p;
}

/* p is at a quote; returns what is behind the closing one. */
static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p < end ? p + 1 : end;
}

static const char *skip_value(const char *p, const char *end)
{
	int depth = 0;

	do {
		if (p < end && *p == '"') {
			p = skip_string(p, end);
		} else if (p < end && strchr("[{", *p)) {
			depth++;
			p++;
		} else if (p < end && strchr("]}", *p)) {
			depth--;
			p++;
		} else if (depth > 0) {
			p++;
		} else {
			while (p < end && !strchr(" \t\r\n,]}", *p))
				p++;
		}
	} while (depth > 0 && p < end);
	return p;
}

static bool name_is(const char *at, const char *end, const char *name)
{
	CLEANUP_JSON json_t *text = json_loadb(at, (size_t)(end - at), JSON_DECODE_ANY, NULL);

	return json_is_string(text) && !strcmp(json_string_value(text), name);
}

/* The member of an object: its name with the quotes, and its value. */
static bool member_find(struct span object, const char *name, struct span *ret_name, struct span *ret_value)
{
	const char *p = skip_space(object.at + 1, object.end);

	while (p < object.end && *p == '"') {
		struct span found = {p, skip_string(p, object.end)};
		struct span value;

		/* over the colon */
		value.at = skip_space(skip_space(found.end, object.end) + 1, object.end);
		value.end = skip_value(value.at, object.end);
		if (name_is(found.at, found.end, name)) {
			*ret_name = found;
			*ret_value = value;
			return true;
		}
		p = skip_space(value.end, object.end);
		if (p < object.end && *p == ',')
			p = skip_space(p + 1, object.end);
	}
	return false;
}

/* ---- putting it together ---- */

struct out {
	char *area;
	size_t len, room;
	int err;
};

static void put(struct out *out, const char *text, size_t len)
{
	/* the area ends with a zero */
	if (!out->err && len >= out->room - out->len)
		out->err = -ENOSPC;
	if (out->err)
		return;
	memcpy(out->area + out->len, text, len);
	out->len += len;
}

static void put_new(struct out *out, const json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

	if (!text)
		out->err = -ENOMEM;
	else
		put(out, text, strlen(text));
	free(text);
}

static void put_name(struct out *out, const char *name)
{
	CLEANUP_JSON json_t *json = json_string(name);

	if (json)
		put_new(out, json);
	else
		out->err = -ENOMEM;
}

/* Not deeper than luks2_json_parse() lets it be. */
static void put_changed(struct out *out, const json_t *json, const json_t *old, struct span old_text)
{
	const char *name, *comma = "";
	json_t *value;

	if (json_equal(json, old)) {
		put(out, old_text.at, (size_t)(old_text.end - old_text.at));
		return;
	}
	if (!json_is_object(json) || !json_is_object(old)) {
		put_new(out, json);
		return;
	}
	put(out, "{", 1);
	json_object_foreach((json_t *)(uintptr_t)json, name, value)
	{
		const json_t *old_value = json_object_get(old, name);
		struct span name_text, value_text;

		put(out, comma, strlen(comma));
		comma = ",";
		if (old_value && member_find(old_text, name, &name_text, &value_text)) {
			put(out, name_text.at, (size_t)(name_text.end - name_text.at));
			put(out, ":", 1);
			put_changed(out, value, old_value, value_text);
		} else {
			put_name(out, name);
			put(out, ":", 1);
			put_new(out, value);
		}
	}
	put(out, "}", 1);
}

int luks2_keep_print(const json_t *doc, const json_t *old, const char *old_text, size_t area_bytes,
	char **ret_area)
{
	CLEANUP_FREE char *area = calloc(1, area_bytes);
	struct out out = {.area = area, .room = area_bytes, .err = area ? 0 : -ENOMEM};
	const char *end = old_text + strlen(old_text), *start = skip_space(old_text, end);

	put_changed(&out, doc, old, (struct span){start, skip_value(start, end)});
	if (out.err)
		return out.err;
	*ret_area = take_ptr(area);
	return 0;
}

/* ---- numbers that are too large ---- */

static void replace(char *at, size_t len, const char *with)
{
	size_t with_len = strlen(with);

	if (with_len > len)
		return;
	memcpy(at, with, with_len);
	memset(at + with_len, ' ', len - with_len);
}

static void clamp(char *at, size_t len)
{
	char number[400];
	const char *digits = *at == '-' ? at + 1 : at;
	size_t count = len - (size_t)(digits - at);
	bool real = memchr(at, '.', len) || memchr(at, 'e', len) || memchr(at, 'E', len);

	if (!real && (count > 19 || (count == 19 && memcmp(digits, "9223372036854775807", 19) > 0)))
		replace(at, len, *at == '-' ? "-9223372036854775807" : "9223372036854775807");
	if (!real)
		return;
	/* a number of 400 digits is out of range wherever its point is, or so precise that nobody reads it */
	if (len >= sizeof(number)) {
		replace(at, len, "1e308");
		return;
	}
	memcpy(number, at, len);
	number[len] = '\0';
	if (isinf(strtod(number, NULL)))
		replace(at, len, "1e308");
}

void luks2_keep_clamp(char *text, size_t len)
{
	char *p = text, *end = text + len;

	while (p < end) {
		if (*p == '"') {
			p = text + (skip_string(p, end) - text);
		} else if (*p == '-' || (*p >= '0' && *p <= '9')) {
			size_t number = strspn(p, "+-.eE0123456789");

			number = number < (size_t)(end - p) ? number : (size_t)(end - p);
			clamp(p, number);
			p += number;
		} else {
			p++;
		}
	}
}
