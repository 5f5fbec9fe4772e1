/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hexadecimal digits of secret bytes, in small letters: how random secrets become passphrases. */
#ifndef KEYMGR_HEX_H
#define KEYMGR_HEX_H

#include "base/secret.h"

/* Two characters a byte, no zero at the end; no time and no address depends on the bytes. -ENOMEM. */
int hex_of_secret(const struct secret *bytes, struct secret **ret_text) MUST_CHECK;

#endif
