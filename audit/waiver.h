/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Exceptions that somebody answers for: what a policy objects to, on which drives, why, until when. */
#ifndef AUDIT_WAIVER_H
#define AUDIT_WAIVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct waiver {
	const char *id, *check, *uuid; /* id: no other one's; uuid: "" for all drives */
	const char *reason, *approved_by, *expires;
};

struct waivers; /* the file of them */

/* The text has a zero behind it; docs/AUDIT.md has an example. -SDE_FILE_INVALID with diag. */
int waivers_parse(const char *text, size_t len, struct waivers **ret_waivers, struct diag *diag) MUST_CHECK;
/* The first one for this check and drive that has not expired; NULL: none (waivers may be NULL). */
const struct waiver *waivers_find(const struct waivers *waivers, const char *check, const char *uuid,
	const char *today);
/* The day after the one that it ends with, or later. */
bool waiver_expired(const struct waiver *waiver, const char *today);
/* In the order of the file; waivers may be NULL for the count. */
size_t waivers_count(const struct waivers *waivers);
const struct waiver *waivers_at(const struct waivers *waivers, size_t i);
void waivers_free(struct waivers *waivers);

#endif
