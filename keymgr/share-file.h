/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A share as somebody keeps it: the sheet that was written (text or page), or its letters alone, and what editors, mail
 * and word processors make of them: UTF-8 and UTF-16 with byte order marks, ends of lines as on Windows, spaces that do
 * not break, long dashes, quoted lines.
 */
#ifndef KEYMGR_SHARE_FILE_H
#define KEYMGR_SHARE_FILE_H

#include "keymgr/share.h"

/* -SDE_SHARE with diag, which says what is wrong without naming the file. -ENOMEM. */
int share_from_file(const void *bytes, size_t len, struct share *ret_share, struct diag *diag) MUST_CHECK;

#endif
