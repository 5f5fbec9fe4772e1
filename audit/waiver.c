/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/waiver.h"

#include <errno.h>
#include <string.h>

#include "audit/catalogue.h"
#include "audit/strict.h"
#include "base/i18n.h"
#include "base/text.h"
#include "keymgr/luks2-json.h"

struct waivers {
	json_t *doc; /* the strings lie in it */
	struct waiver *items;
	size_t count;
};

static const struct strict_field file_fields[] = {
	{"schema", STRICT_INTEGER},
	{"waivers", STRICT_ARRAY},
};
static const struct strict_field waiver_fields[] = {
	{"id", STRICT_STRING},
	{"check", STRICT_STRING},
	{"uuid", STRICT_STRING | STRICT_OPTIONAL},
	{"reason", STRICT_STRING},
	{"approved_by", STRICT_STRING},
	{"expires", STRICT_STRING},
};

static const char *get(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* What says which one it is: an id that two have says it of none, and another form of a UUID matches no drive. */
static int check_names(const struct strict *s, const json_t *object, const char *at, json_t *ids)
{
	const char *id = get(object, "id"), *uuid = get(object, "uuid");
	char inside[STRICT_POINTER_MAX];

	if (json_object_get(ids, id))
		return strict_fail(s, strict_pointer(inside, at, "id"), _("there is another waiver '%s'"), id);
	if (uuid[0] && !text_is_uuid(uuid))
		return strict_fail(s, strict_pointer(inside, at, "uuid"),
			_("'%s' is not a UUID as 'sealdrive info' shows it"), uuid);
	return json_object_set_new(ids, id, json_true()) ? -ENOMEM : 0;
}

static int read_one(const struct strict *s, size_t i, const json_t *object, json_t *ids, struct waiver *ret)
{
	char at[STRICT_POINTER_MAX], inside[STRICT_POINTER_MAX], number[24];
	int r;

	snprintf(number, sizeof(number), "%zu", i);
	strict_pointer(at, "/waivers", number);
	r = strict_fields(s, object, at, waiver_fields, ARRAY_SIZE(waiver_fields));
	if (r < 0)
		return r;
	/* an empty UUID is not all drives, and nobody answers for an exception without a reason */
	for (size_t f = 0; f < ARRAY_SIZE(waiver_fields); f++) {
		const char *name = waiver_fields[f].name;

		if (json_object_get(object, name) && !get(object, name)[0])
			return strict_fail(s, strict_pointer(inside, at, name), _("%s is empty"), name);
	}
	r = check_names(s, object, at, ids);
	if (r < 0)
		return r;
	if (check_find(get(object, "check")) == CHECK_COUNT)
		return strict_fail(s, strict_pointer(inside, at, "check"), _("there is no check '%s'"),
			get(object, "check"));
	if (!text_is_date(get(object, "expires")))
		return strict_fail(s, strict_pointer(inside, at, "expires"), _("%s is not a date like 2026-12-31"),
			"expires");
	*ret = (struct waiver){get(object, "id"), get(object, "check"), get(object, "uuid"), get(object, "reason"),
		get(object, "approved_by"), get(object, "expires")};
	return 0;
}

static int read_all(const struct strict *s, struct waivers *waivers)
{
	const json_t *array = json_object_get(s->doc, "waivers");
	CLEANUP_JSON json_t *ids = json_object();
	json_t *item;
	size_t i;
	int r = strict_fields(s, s->doc, "", file_fields, ARRAY_SIZE(file_fields));

	if (r == 0)
		r = strict_printable(s);
	if (r == 0 && json_integer_value(json_object_get(s->doc, "schema")) != 1)
		r = strict_fail(s, "/schema", _("this program knows schema %d only"), 1);
	if (r < 0)
		return r;
	waivers->doc = json_incref(s->doc);
	waivers->items = calloc(json_array_size(array) + 1, sizeof(*waivers->items));
	if (!waivers->items || !ids)
		return -ENOMEM;
	json_array_foreach(array, i, item)
	{
		r = read_one(s, i, item, ids, &waivers->items[waivers->count++]);
		if (r < 0)
			return r;
	}
	return 0;
}

int waivers_parse(const char *text, size_t len, struct waivers **ret_waivers, struct diag *diag)
{
	CLEANUP_STRICT struct strict s = {0};
	struct waivers *waivers;
	int r = strict_parse(text, len, diag, &s);

	if (r < 0)
		return r;
	waivers = calloc(1, sizeof(*waivers));
	r = waivers ? read_all(&s, waivers) : -ENOMEM;
	if (r < 0) {
		waivers_free(waivers);
		return r;
	}
	*ret_waivers = waivers;
	return 0;
}

const struct waiver *waivers_find(const struct waivers *waivers, const char *check, const char *uuid, const char *today)
{
	for (size_t i = 0; waivers && i < waivers->count; i++) {
		const struct waiver *waiver = &waivers->items[i];

		if (strcmp(waiver->check, check) == 0 && (!waiver->uuid[0] || strcmp(waiver->uuid, uuid) == 0) &&
			!waiver_expired(waiver, today))
			return waiver;
	}
	return NULL;
}

bool waiver_expired(const struct waiver *waiver, const char *today)
{
	return strcmp(today, waiver->expires) > 0;
}

size_t waivers_count(const struct waivers *waivers)
{
	return waivers ? waivers->count : 0;
}

const struct waiver *waivers_at(const struct waivers *waivers, size_t i)
{
	return &waivers->items[i];
}

void waivers_free(struct waivers *waivers)
{
	if (!waivers)
		return;
	json_decref(waivers->doc);
	free(waivers->items);
	free(waivers);
}
