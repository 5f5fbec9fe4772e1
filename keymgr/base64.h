/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Base64 as RFC 4648 section 4 has it, and strictly: whole groups of four, padding where it
 * belongs, unused bits zero, no white space.
 */
#ifndef KEYMGR_BASE64_H
#define KEYMGR_BASE64_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Characters for len bytes, without the final zero. */
#define BASE64_CHARS(len) (((len) + 2) / 3 * 4)

/* out has room for BASE64_CHARS(len) + 1. */
void base64_encode(const uint8_t *data, size_t len, char *out);
/* -EINVAL when text is not base64, -E2BIG when it decodes to more than room bytes. */
int base64_decode(const char *text, uint8_t *out, size_t room, size_t *ret_len) MUST_CHECK;

#endif
