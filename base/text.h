/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text that comes from a drive or a device, made safe to show. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * A malloc'ed copy of len bytes of src as valid UTF-8 without surprises: malformed bytes, control
 * characters, line separators and the invisible characters that change the writing direction
 * become U+FFFD each. Ends at the first zero byte.
 */
int text_sanitize(const void *src, size_t len, char **ret_text) MUST_CHECK;

/* As much of text as fits into out (room bytes with the final zero), cut between two characters. */
void text_cut(const char *text, char *out, size_t room);

/* A day of the Gregorian calendar as YYYY-MM-DD (ISO 8601), and nothing else. */
bool text_is_date(const char *text);
/* A UUID as RFC 9562 writes it, in small letters, and nothing else. */
bool text_is_uuid(const char *text);

#endif
