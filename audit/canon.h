/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON in the one form that RFC 8785 allows, so that it can be hashed and signed: no white space,
 * members sorted by UTF-16 code units, the shortest escapes. Of numbers only whole ones.
 */
#ifndef AUDIT_CANON_H
#define AUDIT_CANON_H

#include <jansson.h>

#include "base/error.h"

/* -EINVAL when there is a real number in it, -ENOMEM. The caller frees. */
int canon_print(const json_t *json, char **ret_text, size_t *ret_len) MUST_CHECK;

#endif
