/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Canonical forms of Unicode text (UAX #15) that is secret: everything happens in struct secret.
 * Vietnamese input methods differ in whether they type a letter with its marks as one character or as
 * several, which looks the same and is not.
 */
#ifndef KEYMGR_UNICODE_H
#define KEYMGR_UNICODE_H

#include "base/secret.h"

enum unicode_form { UNICODE_NFC, UNICODE_NFD };

/*
 * text in that form. -EILSEQ when text is not UTF-8: then it has no such form; -E2BIG: more than 4096 bytes; -ENOMEM.
 */
int unicode_form(const struct secret *text, enum unicode_form form, struct secret **ret_text) MUST_CHECK;

/* Number of characters; of text that is not UTF-8, of bytes. */
size_t unicode_length(const struct secret *text);

#endif
