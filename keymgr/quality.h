/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether a new passphrase is hard enough to guess. No rules on kinds of characters (NIST SP 800-63B,
 * section 3.1.1.2: length and a blocklist): several words are good, whatever the language.
 */
#ifndef KEYMGR_QUALITY_H
#define KEYMGR_QUALITY_H

#include "base/secret.h"

enum { QUALITY_CHARS_MIN = 8 };

/*
 * -SDE_WEAK_PASSPHRASE with the reason in diag; -ENOMEM. names: what everybody knows of the drive and its
 * user (label, login), NULL-terminated, empty ones left out.
 */
int quality_judge(const struct secret *passphrase, const char *const *names, struct diag *diag) MUST_CHECK;

#endif
