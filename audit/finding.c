/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { OBSERVED_MAX = 4000, EVIDENCE_MAX = 64 };

static const char *const state_names[] = {
	[STATE_NOT_APPLICABLE] = "not-applicable",
	[STATE_PASS] = "pass",
	[STATE_WAIVED] = "waived",
	[STATE_UNKNOWN] = "unknown",
	[STATE_WARN] = "warn",
	[STATE_FAIL] = "fail",
};

const char *finding_state_name(enum finding_state state)
{
	return state_names[state];
}

/* A hostile header has many of everything: what is too much to read is cut. */
static bool add_text(char **text, const char *more)
{
	char *longer, *safe;

	if (*text && strlen(*text) > OBSERVED_MAX)
		return true;
	if (text_sanitize(more, strlen(more), &safe) < 0)
		return false;
	if (asprintf(&longer, "%s%s%s", *text ? *text : "", *text ? "; " : "", safe) < 0)
		longer = NULL;
	free(safe);
	if (!longer)
		return false;
	free(*text);
	*text = longer;
	return true;
}

static bool add_evidence(struct finding *finding, const char *pointer)
{
	size_t count = 0;
	char **more;

	while (finding->evidence && finding->evidence[count])
		if (strcmp(finding->evidence[count++], pointer) == 0)
			return true;
	if (count == EVIDENCE_MAX)
		return true;
	more = reallocarray(finding->evidence, count + 2, sizeof(*more));
	if (!more)
		return false;
	finding->evidence = more;
	more[count] = strdup(pointer);
	more[count + 1] = NULL;
	return more[count] != NULL;
}

void finding_saw(struct finding *finding, enum verdict verdict, const char *pointer, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (verdict > finding->verdict)
		finding->verdict = verdict;
	if ((text[0] && !add_text(&finding->observed, text)) || (pointer && !add_evidence(finding, pointer)))
		finding->no_memory = true;
}

void finding_want(struct finding *finding, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (!finding->threshold && !add_text(&finding->threshold, text))
		finding->no_memory = true;
}

const char *finding_at(char buf[64], const char *section, int id, const char *tail)
{
	snprintf(buf, 64, "/%s/%d%s", section, id, tail);
	return buf;
}

void finding_clear(struct finding *finding)
{
	for (char **pointer = finding->evidence; pointer && *pointer; pointer++)
		free(*pointer);
	free(finding->evidence);
	free(finding->observed);
	free(finding->threshold);
	*finding = (struct finding){0};
}

bool words_match(const json_t *words, const char *name)
{
	json_t *item;
	size_t i;

	json_array_foreach(words, i, item)
	{
		const char *word = json_string_value(item);
		size_t len = strlen(word);

		if (strcmp(word, name) == 0 || (len && word[len - 1] == '*' && strncmp(word, name, len - 1) == 0))
			return true;
	}
	return false;
}

char *words_text(const json_t *words)
{
	char *text = strdup(""), *longer;
	json_t *item;
	size_t i;

	json_array_foreach(words, i, item)
	{
		if (!text || asprintf(&longer, "%s%s%s", text, i ? ", " : "", json_string_value(item)) < 0)
			longer = NULL;
		free(text);
		text = longer;
	}
	return text;
}
