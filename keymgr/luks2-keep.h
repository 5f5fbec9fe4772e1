/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON text of a document that was changed, in which everything that was not changed is what it was to
 * the byte: numbers that no type of ours holds (1.10, 1e400, 2^64), escapes, spaces.
 */
#ifndef KEYMGR_LUKS2_KEEP_H
#define KEYMGR_LUKS2_KEEP_H

#include "keymgr/luks2-json.h"

/*
 * A new, zero-padded JSON area with doc, which was made from old, whose text was old_text (valid JSON).
 * -ENOSPC when it does not fit. The caller frees.
 */
int luks2_keep_print(const json_t *doc, const json_t *old, const char *old_text, size_t area_bytes,
	char **ret_area) MUST_CHECK;

/*
 * Makes numbers that jansson refuses, because they are too large, the largest that it takes, in the same
 * number of bytes. text is JSON, or is refused afterwards; len bytes.
 */
void luks2_keep_clamp(char *text, size_t len);

#endif
