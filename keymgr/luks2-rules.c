/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/luks2-rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "keymgr/luks2-json.h"

int rule_broken(const struct place *place, const char *field, const char *why)
{
	const char *dot = place->id ? "." : "", *id = place->id ? place->id : "";

	if (field)
		return diag_set(place->diag, -SDE_HEADER_INVALID, "%s%s%.20s.%s: %s",
			place->section, dot, id, field, why);
	return diag_set(
		place->diag, -SDE_HEADER_INVALID, "%s%s%.20s: %s", place->section, dot, id, why);
}

static bool all_strings(const json_t *array)
{
	json_t *item;
	size_t i;

	if (!json_is_array(array))
		return false;
	json_array_foreach(array, i, item) if (!json_is_string(item)) return false;
	return true;
}

static bool field_ok(const json_t *value, unsigned type)
{
	uint64_t number;

	switch (type & ~FIELD_OPTIONAL) {
	case FIELD_STRING:
		return json_string_length(value) > 0;
	case FIELD_NUMBER:
		return json_string_length(value) > 0 && luks2_json_u64(value, &number);
	case FIELD_INT:
		return json_is_integer(value);
	case FIELD_U32:
		return json_is_integer(value) && json_integer_value(value) >= 0 &&
		       json_integer_value(value) <= UINT32_MAX;
	case FIELD_ARRAY:
		return json_is_array(value);
	case FIELD_STRINGS:
		return all_strings(value);
	case FIELD_OBJECT:
		return json_is_object(value);
	}
	return false;
}

int check_fields(
	const json_t *object, const struct field *fields, size_t count, const struct place *place)
{
	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_object_get(object, fields[i].name);

		if (!value && fields[i].type & FIELD_OPTIONAL)
			continue;
		if (!value)
			return rule_broken(place, fields[i].name, _("is missing"));
		if (!field_ok(value, fields[i].type))
			return rule_broken(place, fields[i].name, _("has a wrong type or value"));
	}
	return 0;
}

const char *get_string(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

uint64_t get_number(const json_t *object, const char *name)
{
	uint64_t value;

	return luks2_json_u64(json_object_get(object, name), &value) ? value : 0;
}

static bool name_numbered(const char *name)
{
	return name[strspn(name, "0123456789")] == '\0';
}

/* Each of names is the name of an object in section. */
static bool refers_inside(const json_t *names, const json_t *section)
{
	json_t *name;
	size_t i;

	json_array_foreach(names, i, name) if (!json_is_object(json_object_get(section,
						       json_string_value(name)))) return false;
	return true;
}

int check_references(
	const json_t *object, const char *field, const json_t *section, const struct place *place)
{
	const json_t *names = json_object_get(object, field);

	if (!all_strings(names))
		return rule_broken(place, field, _("is not a list of names"));
	if (!refers_inside(names, section))
		return rule_broken(place, field, _("names an object that does not exist"));
	return 0;
}

int check_section(const json_t *doc, const char *section, section_check *check, struct diag *diag)
{
	const char *id;
	json_t *object;

	json_object_foreach(json_object_get(doc, section), id, object)
	{
		struct place place = {section, id, diag};

		if (!name_numbered(id))
			return rule_broken(&(struct place){section, NULL, diag}, NULL,
				_("holds an object whose name is not a number"));
		int r = check(doc, object, &place);

		if (r)
			return r;
	}
	return 0;
}

static int interval_compare(const void *a, const void *b)
{
	const struct interval *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

bool intervals_overlap(struct interval *intervals, size_t count)
{
	qsort(intervals, count, sizeof(*intervals), interval_compare);
	for (size_t i = 1; i < count; i++)
		if (intervals[i].start < intervals[i - 1].end)
			return true;
	return false;
}
