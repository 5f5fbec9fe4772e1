/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A sheet of paper with a secret on it: as text, and as an SVG page (A4) with a QR code. It is put
 * together in a struct secret; no other copy is made.
 */
#ifndef CLI_SHEET_H
#define CLI_SHEET_H

#include <stddef.h>

#include "base/secret.h"

enum { SHEET_FIELDS_MAX = 8 };

struct sheet_field {
	const char *name, *value; /* translated; values may come from a drive */
};

struct sheet {
	const char *title;
	struct sheet_field fields[SHEET_FIELDS_MAX];
	size_t field_count;
	const struct secret *key; /* printable ASCII in groups with dashes between */
	const char *const *lines; /* what it is for and how it is used: NULL at the end, N_() */
};

/* The part of the key that stands on the n-th line, of four groups; returns its length, 0: there is none. */
size_t sheet_key_line(const struct secret *key, size_t n, const char **ret_line);

/* -ENOMEM, -E2BIG. */
int sheet_text(const struct sheet *sheet, struct secret **ret_text) MUST_CHECK;
int sheet_svg(const struct sheet *sheet, struct secret **ret_text) MUST_CHECK;
/* One of both, as the ending of path has it (.svg). */
int sheet_render(const struct sheet *sheet, const char *path, struct secret **ret_text) MUST_CHECK;

#endif
