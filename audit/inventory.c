/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/inventory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit/hash256.h"
#include "audit/strict.h"
#include "base/i18n.h"
#include "base/text.h"

struct inventory {
	json_t *by_uuid;
};

static const struct strict_field file_fields[] = {
	{"schema", STRICT_INTEGER},
	{"drives", STRICT_ARRAY},
};
static const struct strict_field drive_fields[] = {
	{"uuid", STRICT_STRING},
	{"serial", STRICT_STRING | STRICT_OPTIONAL},
	{"size_bytes", STRICT_INTEGER | STRICT_OPTIONAL},
	{"token_slots", STRICT_ARRAY | STRICT_OPTIONAL},
	{"key_fingerprint", STRICT_STRING | STRICT_OPTIONAL},
	{"note", STRICT_STRING | STRICT_OPTIONAL},
};

static int read_one(const struct strict *s, size_t i, json_t *object, json_t *by_uuid)
{
	char at[STRICT_POINTER_MAX], inside[STRICT_POINTER_MAX], number[24];
	uint8_t digest[HASH256_BYTES];
	const char *uuid;
	json_t *slot;
	size_t n;
	int r;

	snprintf(number, sizeof(number), "%zu", i);
	r = strict_fields(s, object, strict_pointer(at, "/drives", number), drive_fields, ARRAY_SIZE(drive_fields));
	if (r < 0)
		return r;
	json_array_foreach(json_object_get(object, "token_slots"), n, slot)
	{
		r = strict_type(s, slot, strict_pointer(inside, at, "token_slots"), STRICT_INTEGER);
		if (r < 0)
			return r;
	}
	uuid = json_string_value(json_object_get(object, "uuid"));
	if (!text_is_uuid(uuid))
		return strict_fail(s, strict_pointer(inside, at, "uuid"),
			_("'%s' is not a UUID as 'sealdrive info' shows it"), uuid);
	if (json_object_get(object, "key_fingerprint") &&
		hex_decode(json_string_value(json_object_get(object, "key_fingerprint")), digest, sizeof(digest)) < 0)
		return strict_fail(s, strict_pointer(inside, at, "key_fingerprint"),
			_("a fingerprint has 64 small hexadecimal digits"));
	if (json_object_get(by_uuid, uuid))
		return strict_fail(s, at, _("the drive %s is listed twice"), uuid);
	return json_object_set(by_uuid, uuid, object) ? -ENOMEM : 0;
}

static int read_all(const struct strict *s, json_t *by_uuid)
{
	json_t *item;
	size_t i;
	int r = strict_fields(s, s->doc, "", file_fields, ARRAY_SIZE(file_fields));

	if (r == 0)
		r = strict_printable(s);
	if (r == 0 && json_integer_value(json_object_get(s->doc, "schema")) != 1)
		r = strict_fail(s, "/schema", _("this program knows schema %d only"), 1);
	if (r < 0)
		return r;
	json_array_foreach(json_object_get(s->doc, "drives"), i, item)
	{
		r = read_one(s, i, item, by_uuid);
		if (r < 0)
			return r;
	}
	return 0;
}

int inventory_parse(const char *text, size_t len, struct inventory **ret_inventory, struct diag *diag)
{
	CLEANUP_STRICT struct strict s = {0};
	struct inventory *inventory;
	int r = strict_parse(text, len, diag, &s);

	if (r < 0)
		return r;
	inventory = calloc(1, sizeof(*inventory));
	if (inventory)
		inventory->by_uuid = json_object();
	r = inventory && inventory->by_uuid ? read_all(&s, inventory->by_uuid) : -ENOMEM;
	if (r < 0) {
		inventory_free(inventory);
		return r;
	}
	*ret_inventory = inventory;
	return 0;
}

const json_t *inventory_find(const struct inventory *inventory, const char *uuid)
{
	return json_object_get(inventory->by_uuid, uuid);
}

void inventory_free(struct inventory *inventory)
{
	if (!inventory)
		return;
	json_decref(inventory->by_uuid);
	free(inventory);
}
