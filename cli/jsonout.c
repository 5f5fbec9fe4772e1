/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/jsonout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static void put_string(const char *value)
{
	CLEANUP_FREE char *safe = NULL;

	if (!value || text_sanitize(value, strlen(value), &safe) < 0) {
		fputs("null", stdout);
		return;
	}
	putchar('"');
	for (const char *c = safe; *c; c++) {
		if (*c == '"' || *c == '\\')
			putchar('\\');
		putchar(*c);
	}
	putchar('"');
}

static void begin_value(struct jsonout *out, const char *key)
{
	if (out->depth > 0)
		printf("%s\n%*s", out->filled ? "," : "", 2 * (int)out->depth, "");
	out->filled = true;
	if (key)
		printf("\"%s\": ", key);
}

static void begin_group(struct jsonout *out, const char *key, char bracket)
{
	begin_value(out, key);
	putchar(bracket);
	out->depth++;
	out->filled = false;
}

static void end_group(struct jsonout *out, char bracket)
{
	out->depth--;
	if (out->filled)
		printf("\n%*s", 2 * (int)out->depth, "");
	putchar(bracket);
	out->filled = true;
	if (out->depth == 0)
		putchar('\n');
}

void jsonout_object(struct jsonout *out, const char *key)
{
	begin_group(out, key, '{');
}

void jsonout_end_object(struct jsonout *out)
{
	end_group(out, '}');
}

void jsonout_array(struct jsonout *out, const char *key)
{
	begin_group(out, key, '[');
}

void jsonout_end_array(struct jsonout *out)
{
	end_group(out, ']');
}

void jsonout_string(struct jsonout *out, const char *key, const char *value)
{
	begin_value(out, key);
	put_string(value);
}

void jsonout_number(struct jsonout *out, const char *key, uint64_t value)
{
	begin_value(out, key);
	printf("%" PRIu64, value);
}

void jsonout_bool(struct jsonout *out, const char *key, bool value)
{
	begin_value(out, key);
	fputs(value ? "true" : "false", stdout);
}
