/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recovery keys as systemd makes them: 256 random bits in modhex, the letters that lie in the same
 * place on all keyboards. The text, in small letters and with its dashes, is the passphrase.
 *
 *	iefgcelh-biduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgktj
 */
#ifndef KEYMGR_RECOVERY_H
#define KEYMGR_RECOVERY_H

#include <stdint.h>

#include "base/secret.h"

enum { RECOVERY_BYTES = 32, RECOVERY_GROUP = 8, RECOVERY_CHARS = 71 };

/* The digits 0 to 15 in modhex. */
extern const char recovery_letters[17];

#define RECOVERY_TOKEN_TYPE "systemd-recovery"

/* A new one: RECOVERY_CHARS characters, no zero at the end. -ENOMEM, -SDE_CRYPTO. */
int recovery_make(struct secret **ret_text) MUST_CHECK;
/* The same text from bits that are given. */
int recovery_encode(const uint8_t bits[RECOVERY_BYTES], struct secret **ret_text) MUST_CHECK;
/*
 * The text as it was made, from what somebody typed: capitals or small letters, with or without
 * dashes and spaces. -EINVAL: it is no recovery key.
 */
int recovery_normalise(const struct secret *typed, struct secret **ret_text) MUST_CHECK;

#endif
