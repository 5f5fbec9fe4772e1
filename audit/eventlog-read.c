/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit/canon.h"
#include "audit/eventlog.h"
#include "audit/strict.h"
#include "base/i18n.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/luks2-json.h"

static const uint8_t leaf_prefix = 0;

static void read_record(const char *line, size_t len, struct record *record)
{
	record->line = line;
	record->len = len;
	record->doc = len <= EVENT_LINE_MAX ? json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL) : NULL;
	hash256_of(&leaf_prefix, 1, line, len, record->hash);
}

int eventlog_read(const char *path, struct eventlog *ret_log)
{
	struct eventlog log = {0};
	size_t room = 0;
	int r = crypto_init();

	if (r == 0)
		r = strict_read_file(path, SIZE_MAX / 4, &log.text, &log.len);
	if (r < 0)
		return r;
	for (const char *p = log.text, *end; p < log.text + log.len; p = end + 1) {
		end = memchr(p, '\n', (size_t)(log.text + log.len - p));
		if (!end) {
			log.torn = true;
			break;
		}
		if (log.count == room) {
			struct record *more = reallocarray(log.records, room = room ? 2 * room : 64, sizeof(*more));

			if (!more) {
				eventlog_clear(&log);
				return -ENOMEM;
			}
			log.records = more;
		}
		read_record(p, (size_t)(end - p), &log.records[log.count++]);
	}
	*ret_log = log;
	return 0;
}

void eventlog_clear(struct eventlog *log)
{
	for (size_t i = 0; i < log->count; i++)
		json_decref(log->records[i].doc);
	free(log->records);
	free(log->text);
	*log = (struct eventlog){0};
}

static const struct strict_field record_fields[] = {
	{"v", STRICT_INTEGER},
	{"seq", STRICT_INTEGER},
	{"prev", STRICT_STRING},
	{"ts", STRICT_STRING},
	{"actor", STRICT_OBJECT},
	{"op", STRICT_STRING},
	{"result", STRICT_STRING},
};

static bool is_canonical(const struct record *record)
{
	CLEANUP_FREE char *text = NULL;
	size_t len;

	return canon_print(record->doc, &text, &len) == 0 && len == record->len && memcmp(text, record->line, len) == 0;
}

static bool has_fields(const json_t *doc)
{
	for (size_t i = 0; i < ARRAY_SIZE(record_fields); i++) {
		const json_t *value = json_object_get(doc, record_fields[i].name);
		unsigned type = record_fields[i].type;

		if (type == STRICT_INTEGER ? !json_is_integer(value)
		    : type == STRICT_STRING ? !json_is_string(value)
					    : !json_is_object(value))
			return false;
	}
	return true;
}

int eventlog_verify(const struct eventlog *log, size_t *ret_backwards, struct diag *diag)
{
	char prev[HASH256_HEX];
	const char *last = "";

	memset(prev, '0', sizeof(prev) - 1);
	prev[sizeof(prev) - 1] = '\0';
	*ret_backwards = 0;
	for (size_t i = 0; i < log->count; i++) {
		const struct record *record = &log->records[i];
		const char *ts;

		if (!record->doc || !has_fields(record->doc) || !is_canonical(record))
			return diag_set(diag, -SDE_LOG, _("record %zu: not a record, or changed"), i + 1);
		if (json_integer_value(json_object_get(record->doc, "seq")) != (json_int_t)i + 1)
			return diag_set(diag, -SDE_LOG, _("record %zu: its number is %lld: records are missing, swapped or repeated"),
				i + 1, (long long)json_integer_value(json_object_get(record->doc, "seq")));
		if (strcmp(json_string_value(json_object_get(record->doc, "prev")), prev) != 0)
			return diag_set(diag, -SDE_LOG,
				_("record %zu: it does not follow the one before, which was changed or replaced"), i + 1);
		ts = json_string_value(json_object_get(record->doc, "ts"));
		*ret_backwards += strcmp(ts, last) < 0;
		last = ts;
		hex_encode(record->hash, sizeof(record->hash), prev);
	}
	if (log->torn)
		return diag_set(diag, -SDE_LOG, _("behind record %zu: a line without its end; the next event repairs this"),
			log->count);
	return 0;
}
