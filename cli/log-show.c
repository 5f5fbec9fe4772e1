/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/log-show.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/i18n.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/event.h"

/* ---- what is asked for ---- */

/* All operations that this program records, by their first word. */
static const char ops[] = "format, mount, unmount, unlock, key, header, erase, resize, audit, manifest, policy, log-repaired";

const char *log_ops(void)
{
	return ops;
}

bool log_op_known(const char *op)
{
	size_t len = strcspn(op, " ");

	for (const char *at = ops; *at; at += strcspn(at, ","), at += strspn(at, ", "))
		if (len && strcspn(at, ",") == len && strncmp(at, op, len) == 0)
			return true;
	return false;
}

static unsigned two(const char *digits)
{
	return (unsigned)(digits[0] - '0') * 10 + (unsigned)(digits[1] - '0');
}

/* Each part of a time that is there lies in its bounds. */
static bool in_bounds(const char *time, size_t len)
{
	char day[11] = "2024-01-01"; /* what is not given: a leap year, and a day that all months have */

	memcpy(day, time, len < 10 ? len : 10);
	return text_is_date(day) && (len < 13 || two(time + 11) < 24) && (len < 16 || two(time + 14) < 60) &&
	       (len < 19 || two(time + 17) <= 60);
}

int log_time_parse(const char *text, char ret_time[LOG_TIME_MAX])
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.ddd";
	/* where a time may end: behind year, month, day, hour, minute, second, or within a fraction */
	static const char ends[] = "....y..m..d..h..m..s.fff";
	char time[LOG_TIME_MAX];
	size_t len = strlen(text);

	/* they are UTC in any case */
	if (len > 10 && text[len - 1] == 'Z')
		len--;
	if (len >= sizeof(ends) || ends[len] == '.')
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		bool digit = text[i] >= '0' && text[i] <= '9';

		if (form[i] == 'd' ? !digit : text[i] != form[i] && !(form[i] == 'T' && text[i] == ' '))
			return -EINVAL;
		time[i] = form[i] == 'd' ? text[i] : form[i];
	}
	time[len] = '\0';
	if (!in_bounds(time, len))
		return -EINVAL;
	strcpy(ret_time, time);
	return 0;
}

static const char *get(const json_t *doc, const char *name)
{
	const char *text = json_string_value(json_object_get(doc, name));

	return text ? text : "";
}

struct wanted {
	const struct log_filter *filter;
	char path[CLI_EVENT_PATH_MAX]; /* of the drive, as records have it */
};

static bool is_drive(const struct wanted *wanted, const json_t *doc)
{
	const char *drive = wanted->filter->drive, *target = get(doc, "target");

	return !drive || strcasecmp(drive, get(doc, "uuid")) == 0 || strcmp(drive, target) == 0 || strcmp(wanted->path, target) == 0;
}

static bool is_wanted(const struct wanted *wanted, const json_t *doc)
{
	const struct log_filter *filter = wanted->filter;
	const char *ts = get(doc, "ts"), *op = get(doc, "op");
	size_t op_len = filter->op ? strlen(filter->op) : 0;

	/* "key" is for "key add", too; a minute lasts to its end */
	return is_drive(wanted, doc) &&
	       (!filter->op || (strncmp(op, filter->op, op_len) == 0 && (!op[op_len] || op[op_len] == ' '))) &&
	       strncmp(ts, filter->since, strlen(filter->since)) >= 0 && strncmp(ts, filter->until, strlen(filter->until)) <= 0;
}

/* ---- lines ---- */

static const char *result_word(const char *result)
{
	if (strcmp(result, "done") == 0)
		return _("done");
	if (strcmp(result, "refused") == 0)
		return _("refused");
	return strcmp(result, "failed") == 0 ? _("failed") : result;
}

/* A log that somebody else has sent may say anything. */
static void put_column(const char *text, int width)
{
	CLEANUP_FREE char *safe = NULL;

	if (text_sanitize(text, strlen(text), &safe) == 0)
		cli_put_padded(safe, width);
}

static void put_member(const char *name, const char *text)
{
	printf("  ");
	cli_put_safe(name);
	putchar('=');
	cli_put_path(text);
}

/* Which policy bound, how it ended, and why. */
static void show_more(const json_t *doc)
{
	const json_t *exit_status = json_object_get(doc, "exit");
	json_t *value;
	const char *name;

	if (get(doc, "policy")[0])
		put_member("policy", get(doc, "policy"));
	if (json_is_integer(exit_status))
		printf("  exit=%lld", (long long)json_integer_value(exit_status));
	json_object_foreach(json_object_get(doc, "detail"), name, value)
	{
		CLEANUP_FREE char *number = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

		put_member(name, json_is_string(value) ? json_string_value(value) : number ? number : "?");
	}
}

static void show_record(const json_t *doc)
{
	printf("%6lld  ", (long long)json_integer_value(json_object_get(doc, "seq")));
	put_column(get(doc, "ts"), 26);
	put_column(get(json_object_get(doc, "actor"), "name"), 12);
	put_column(get(doc, "op"), 16);
	put_column(result_word(get(doc, "result")), 10);
	cli_put_safe(get(doc, "target"));
	printf("  ");
	cli_put_safe(get(doc, "uuid"));
	show_more(doc);
	putchar('\n');
}

void log_show(const struct eventlog *log, const struct log_filter *filter, const char *path)
{
	struct wanted wanted = {.filter = filter};

	if (filter->drive)
		cli_event_path(filter->drive, wanted.path);
	for (size_t i = 0; i < log->count; i++) {
		const struct record *record = &log->records[i];

		if (!record->doc) {
			cli_warn(path, _("record %zu cannot be read: see 'sealdrive log verify'"), i + 1);
		} else if (is_wanted(&wanted, record->doc)) {
			if (filter->json)
				printf("%.*s\n", (int)record->len, record->line);
			else
				show_record(record->doc);
		}
	}
}
