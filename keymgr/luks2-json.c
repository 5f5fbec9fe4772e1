/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/luks2-json.h"

#include <errno.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "keymgr/luks2-disk.h"
#include "keymgr/luks2-keep.h"

enum { JSON_DEPTH_MAX = 32 };

static bool depth_inside(const json_t *json, int left)
{
	const char *key;
	json_t *item;
	size_t i;

	if (!json_is_object(json) && !json_is_array(json))
		return true;
	if (!left)
		return false;
	json_object_foreach((json_t *)(uintptr_t)json, key,
		item) if (!depth_inside(item, left - 1)) return false;
	json_array_foreach(json, i, item) if (!depth_inside(item, left - 1)) return false;
	return true;
}

/* In objects of others there may be larger numbers than ours hold; nobody here reads those. */
static json_t *load_clamped(const char *area, size_t len, json_error_t *error)
{
	CLEANUP_FREE char *copy = strndup(area, len);

	if (!copy)
		return NULL;
	luks2_keep_clamp(copy, len);
	return json_loadb(copy, len, JSON_REJECT_DUPLICATES, error);
}

int luks2_json_parse(const char *area, size_t area_bytes, json_t **ret_doc, struct diag *diag)
{
	size_t len = strnlen(area, area_bytes);
	json_error_t error;

	if (len == area_bytes)
		return diag_set(diag, -SDE_HEADER_INVALID, _("the JSON text has no end"));
	if (!bytes_all_zero(area + len, area_bytes - len))
		return diag_set(
			diag, -SDE_HEADER_INVALID, _("there are bytes after the JSON text"));
	if (area[0] != '{')
		return diag_set(
			diag, -SDE_HEADER_INVALID, _("the JSON text does not start with {"));
	CLEANUP_JSON json_t *doc = json_loadb(area, len, JSON_REJECT_DUPLICATES, &error);

	if (!doc && json_error_code(&error) == json_error_numeric_overflow)
		doc = load_clamped(area, len, &error);

	if (!doc && json_error_code(&error) == json_error_out_of_memory)
		return -ENOMEM;
	if (!doc)
		return diag_set(diag, -SDE_HEADER_INVALID,
			_("the JSON text has a syntax error at byte %d"), error.position);
	if (!depth_inside(doc, JSON_DEPTH_MAX))
		return diag_set(diag, -SDE_HEADER_INVALID, _("the JSON text is nested too deeply"));
	*ret_doc = take_ptr(doc);
	return 0;
}

int luks2_json_print(const json_t *doc, size_t area_bytes, char **ret_area)
{
	CLEANUP_FREE char *area = calloc(1, area_bytes);

	if (!area)
		return -ENOMEM;
	size_t len = json_dumpb(doc, area, area_bytes, JSON_COMPACT);

	if (!len)
		return -ENOMEM;
	if (len >= area_bytes)
		return -ENOSPC;
	*ret_area = take_ptr(area);
	return 0;
}

bool luks2_json_u64(const json_t *json, uint64_t *ret_value)
{
	const char *text = json_string_value(json);
	uint64_t value = 0;

	if (!text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || !mul_u64(value, 10, &value) ||
			!add_u64(value, (uint64_t)(*text - '0'), &value))
			return false;
	}
	*ret_value = value;
	return true;
}
