/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/strict.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "base/i18n.h"
#include "base/text.h"

enum { DEPTH_MAX = 32 };

static bool depth_inside(const json_t *json, int left)
{
	json_t *value = (json_t *)(uintptr_t)json, *item;
	const char *key;
	size_t i;

	if (!json_is_object(json) && !json_is_array(json))
		return true;
	if (!left)
		return false;
	json_object_foreach(value, key, item) if (!depth_inside(item, left - 1)) return false;
	json_array_foreach(value, i, item) if (!depth_inside(item, left - 1)) return false;
	return true;
}

int strict_parse(const char *text, size_t len, struct diag *diag, struct strict *ret_strict)
{
	struct strict strict = {.text = text, .len = len, .diag = diag};
	json_error_t error;

	strict.doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!strict.doc && json_error_code(&error) == json_error_out_of_memory)
		return -ENOMEM;
	if (!strict.doc)
		return diag_set(diag, -SDE_FILE_INVALID, _("line %d, column %d: %s"), error.line < 1 ? 1 : error.line,
			error.column < 1 ? 1 : error.column,
			json_error_code(&error) == json_error_duplicate_key ? _("a member appears twice")
									    : error.text);
	if (!json_is_object(strict.doc) || !depth_inside(strict.doc, DEPTH_MAX)) {
		json_decref(strict.doc);
		return diag_set(diag, -SDE_FILE_INVALID, _("line 1, column 1: an object is expected, not nested deeply"));
	}
	*ret_strict = strict;
	return 0;
}

void strict_clear(struct strict *strict)
{
	json_decref(strict->doc);
	*strict = (struct strict){0};
}

/* ---- positions: the text has been parsed, so it is well-formed and not deep ---- */

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

static const char *skip_string(const char *p)
{
	for (p++; *p && *p != '"'; p++)
		if (*p == '\\' && p[1])
			p++;
	return *p ? p + 1 : p;
}

static const char *skip_value(const char *p)
{
	int depth = 0;

	do {
		p = skip_space(p);
		if (*p == '"') {
			p = skip_string(p);
		} else if (*p == '{' || *p == '[') {
			depth++;
			p++;
		} else if (*p == '}' || *p == ']') {
			depth--;
			p++;
		} else if (*p == ',' || *p == ':') {
			p++;
		} else {
			p += strcspn(p, " \t\r\n,:]}");
		}
	} while (*p && depth > 0);
	return p;
}

/* Whether the string at p is name; names with escapes in the text are compared as they mean. */
static bool is_name(const char *p, const char *name)
{
	size_t len = skip_string(p) - p;
	json_t *key = json_loadb(p, len, JSON_DECODE_ANY, NULL);
	bool same = key && strcmp(json_string_value(key), name) == 0;

	json_decref(key);
	return same;
}

/* The value of member (or element) name of the value at p; NULL when it has none. */
static const char *find_inside(const char *p, const char *name)
{
	bool object = *p == '{';
	long index = 0;

	if (!object && *p != '[')
		return NULL;
	for (p = skip_space(p + 1); *p && *p != '}' && *p != ']'; p = skip_space(p), index++) {
		const char *value = object ? skip_space(skip_space(skip_string(p)) + 1) : p;

		if (object ? is_name(p, name) : index == strtol(name, NULL, 10))
			return value;
		p = skip_space(skip_value(value));
		if (*p == ',')
			p++;
	}
	return NULL;
}

static void unescape(char *name)
{
	char *to = name;

	for (; *name; name++)
		*to++ = *name != '~' || !name[1] ? *name : *++name == '1' ? '/' : '~';
	*to = '\0';
}

void strict_where(const struct strict *strict, const char *pointer, int *ret_line, int *ret_column)
{
	const char *at = skip_space(strict->text), *p;
	char name[STRICT_POINTER_MAX];
	int line = 1, column = 1;

	while (*pointer == '/') {
		size_t len = strcspn(++pointer, "/");

		snprintf(name, sizeof(name), "%.*s", (int)len, pointer);
		unescape(name);
		pointer += len;
		p = find_inside(at, name);
		if (!p)
			break;
		at = p;
	}
	for (p = strict->text; p < at; p++) {
		if (*p == '\n') {
			line++;
			column = 1;
		} else if ((*p & 0xc0) != 0x80) {
			column++;
		}
	}
	*ret_line = line;
	*ret_column = column;
}

int strict_fail(const struct strict *strict, const char *pointer, const char *fmt, ...)
{
	char text[320];
	int line, column;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	strict_where(strict, pointer, &line, &column);
	return diag_set(strict->diag, -SDE_FILE_INVALID, _("line %d, column %d: %s"), line, column, text);
}

/* ---- members and types ---- */

const char *strict_pointer(char buf[STRICT_POINTER_MAX], const char *parent, const char *name)
{
	size_t at = (size_t)snprintf(buf, STRICT_POINTER_MAX, "%s/", parent);

	for (; *name && at + 3 < STRICT_POINTER_MAX; name++) {
		if (*name == '~' || *name == '/') {
			buf[at++] = '~';
			buf[at++] = *name == '/' ? '1' : '0';
		} else {
			buf[at++] = *name;
		}
	}
	if (at < STRICT_POINTER_MAX)
		buf[at] = '\0';
	return buf;
}

static bool is_type(const json_t *value, unsigned type)
{
	json_t *item;
	size_t i;

	switch (type & ~STRICT_OPTIONAL) {
	case STRICT_STRING:
		return json_is_string(value);
	case STRICT_INTEGER:
		return json_is_integer(value) && json_integer_value(value) >= 0;
	case STRICT_BOOL:
		return json_is_boolean(value);
	case STRICT_OBJECT:
		return json_is_object(value);
	case STRICT_ARRAY:
		return json_is_array(value);
	case STRICT_TEXT:
		return json_is_string(value) || json_is_object(value);
	}
	if (!json_is_array(value))
		return false;
	json_array_foreach(value, i, item) if (!json_is_string(item)) return false;
	return true;
}

static const char *type_name(unsigned type)
{
	static const char *const names[] = {
		[STRICT_STRING] = N_("a string"),
		[STRICT_INTEGER] = N_("a whole number that is not negative"),
		[STRICT_BOOL] = N_("true or false"),
		[STRICT_OBJECT] = N_("an object"),
		[STRICT_ARRAY] = N_("an array"),
		[STRICT_STRINGS] = N_("an array of strings"),
		[STRICT_TEXT] = N_("a string, or an object with one for each language"),
	};

	return _(names[type & ~STRICT_OPTIONAL]);
}

int strict_type(const struct strict *strict, const json_t *value, const char *pointer, unsigned type)
{
	if (is_type(value, type))
		return 0;
	return strict_fail(strict, pointer, _("%s must be %s"), pointer, type_name(type));
}

static int printable(const struct strict *strict, const json_t *value, const char *pointer)
{
	char at[STRICT_POINTER_MAX], number[24];
	CLEANUP_FREE char *safe = NULL;
	const char *name;
	json_t *item;
	size_t i;
	int r = 0;

	if (json_is_string(value)) {
		r = text_sanitize(json_string_value(value), json_string_length(value), &safe);
		if (r == 0 && strcmp(safe, json_string_value(value)) != 0)
			r = strict_fail(strict, pointer, _("%s has characters that cannot be shown"), pointer);
	}
	json_array_foreach(value, i, item)
	{
		snprintf(number, sizeof(number), "%zu", i);
		r = printable(strict, item, strict_pointer(at, pointer, number));
		if (r < 0)
			return r;
	}
	json_object_foreach((json_t *)(uintptr_t)value, name, item)
	{
		r = printable(strict, item, strict_pointer(at, pointer, name));
		if (r < 0)
			return r;
	}
	return r;
}

int strict_printable(const struct strict *strict)
{
	return printable(strict, strict->doc, "");
}

int strict_fields(const struct strict *strict, const json_t *object, const char *pointer,
	const struct strict_field *fields, size_t count)
{
	char at[STRICT_POINTER_MAX];
	const char *name;
	json_t *value;
	size_t i;
	int r;

	r = strict_type(strict, object, pointer, STRICT_OBJECT);
	if (r < 0)
		return r;
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		for (i = 0; i < count && strcmp(fields[i].name, name) != 0; i++)
			;
		strict_pointer(at, pointer, name);
		if (i == count)
			return strict_fail(strict, at, _("%s is not known here"), at);
		r = strict_type(strict, value, at, fields[i].type);
		if (r < 0)
			return r;
	}
	for (i = 0; i < count; i++)
		if (!(fields[i].type & STRICT_OPTIONAL) && !json_object_get(object, fields[i].name))
			return strict_fail(strict, pointer, _("%s is missing"),
				strict_pointer(at, pointer, fields[i].name));
	return 0;
}

int strict_read_file(const char *path, size_t max, char **ret_text, size_t *ret_len)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	CLEANUP_FREE char *text = NULL;
	struct stat st;
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -SDE_NOT_REGULAR;
	if ((uint64_t)st.st_size > max)
		return -EFBIG;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (len < (size_t)st.st_size && n > 0) {
		n = read(fd, text + len, (size_t)st.st_size - len);
		if (n < 0)
			return -errno;
		len += (size_t)n;
	}
	text[len] = '\0';
	*ret_text = take_ptr(text);
	*ret_len = len;
	return 0;
}
