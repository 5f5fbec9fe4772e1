/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON on stdout for `--json`, or into a file. Values appear in the order of the calls; key is NULL inside an
 * array. Strings are made valid UTF-8 without control characters first; NULL is written as null.
 */
#ifndef CLI_JSONOUT_H
#define CLI_JSONOUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct jsonout {
	FILE *file; /* NULL: stdout */
	unsigned depth;
	bool filled; /* the open object or array has a member already */
};

void jsonout_object(struct jsonout *out, const char *key);
void jsonout_end_object(struct jsonout *out);
void jsonout_array(struct jsonout *out, const char *key);
void jsonout_end_array(struct jsonout *out);
void jsonout_string(struct jsonout *out, const char *key, const char *value);
void jsonout_number(struct jsonout *out, const char *key, uint64_t value);
void jsonout_bool(struct jsonout *out, const char *key, bool value);

#endif
