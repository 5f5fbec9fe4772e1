/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What each member alone does not tell: numbers and dates of a resolved policy that contradict each other. */
#include <string.h>

#include "audit/policy-doc.h"
#include "base/i18n.h"

/* A drive between the two gets a warning, or is the only one that passes: the other way round nothing means anything. */
static const struct {
	enum check_id check;
	const char *low, *high;
} orders[] = {
	{H05, "min_bytes", "advised_bytes"},
	{H07, "min_sector_bytes", "max_sector_bytes"},
	/* one floor for both hashes: where it is above the lower minimum, of SHA-512, that hash has no warnings */
	{H09, "pbkdf2_floor", "pbkdf2_min_sha256"},
	{H18, "min_rsa_bits", "advised_rsa_bits"},
};

static int check_dates(const struct strict *s)
{
	const char *from = json_string_value(json_object_get(s->doc, "not_before"));
	const char *to = json_string_value(json_object_get(s->doc, "not_after"));

	/* dates of one form compare as text */
	return from && to && strcmp(from, to) > 0 ? strict_fail(s, "/not_after", _("it ends before it begins")) : 0;
}

int policy_check_sense(const struct strict *s)
{
	const json_t *checks = json_object_get(s->doc, "checks");
	int r = check_dates(s);

	for (size_t i = 0; i < ARRAY_SIZE(orders) && r == 0; i++) {
		const char *id = catalogue[orders[i].check].id;
		const json_t *params = json_object_get(json_object_get(checks, id), "params");
		const json_t *low = json_object_get(params, orders[i].low), *high = json_object_get(params, orders[i].high);
		char at[STRICT_POINTER_MAX], inside[STRICT_POINTER_MAX];

		if (!low || !high || json_integer_value(low) <= json_integer_value(high))
			continue;
		strict_pointer(inside, strict_pointer(at, "/checks", id), "params");
		r = strict_fail(s, inside, _("%s: %s is %lld, more than %s, which is %lld"), id, orders[i].low,
			(long long)json_integer_value(low), orders[i].high, (long long)json_integer_value(high));
	}
	return r;
}
