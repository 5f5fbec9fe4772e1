/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/jsonout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

/* Where it goes. */
static FILE *file_of(const struct jsonout *out)
{
	return out->file ? out->file : stdout;
}

static void put_string(FILE *file, const char *value)
{
	CLEANUP_FREE char *safe = NULL;

	if (!value || text_sanitize(value, strlen(value), &safe) < 0) {
		fputs("null", file);
		return;
	}
	putc('"', file);
	for (const char *c = safe; *c; c++) {
		if (*c == '"' || *c == '\\')
			putc('\\', file);
		putc(*c, file);
	}
	putc('"', file);
}

static void begin_value(struct jsonout *out, const char *key)
{
	if (out->depth > 0)
		fprintf(file_of(out), "%s\n%*s", out->filled ? "," : "", 2 * (int)out->depth, "");
	out->filled = true;
	if (key)
		fprintf(file_of(out), "\"%s\": ", key);
}

static void begin_group(struct jsonout *out, const char *key, char bracket)
{
	begin_value(out, key);
	putc(bracket, file_of(out));
	out->depth++;
	out->filled = false;
}

static void end_group(struct jsonout *out, char bracket)
{
	out->depth--;
	if (out->filled)
		fprintf(file_of(out), "\n%*s", 2 * (int)out->depth, "");
	putc(bracket, file_of(out));
	out->filled = true;
	if (out->depth == 0)
		putc('\n', file_of(out));
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
	put_string(file_of(out), value);
}

void jsonout_number(struct jsonout *out, const char *key, uint64_t value)
{
	begin_value(out, key);
	fprintf(file_of(out), "%" PRIu64, value);
}

void jsonout_bool(struct jsonout *out, const char *key, bool value)
{
	begin_value(out, key);
	fputs(value ? "true" : "false", file_of(out));
}
