/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who was given the token that opens a key slot, as a token object of our own: type "sealdrive-custody",
 * the key slot in keyslots, and texts owner, serial, label, model, enrolled and expires (dates as
 * YYYY-MM-DD). Other programs keep it and do nothing with it. It is a note, not a proof.
 */
#ifndef KEYMGR_CUSTODY_H
#define KEYMGR_CUSTODY_H

#include <stdbool.h>

#include "keymgr/luks2.h"

#define CUSTODY_TYPE "sealdrive-custody"

enum { CUSTODY_TEXT_MAX = 128, CUSTODY_DATE_MAX = sizeof("YYYY-MM-DD") };

/* "" where nothing is known. What is not UTF-8 is written with U+FFFD in its place, as is what cannot be shown;
 * from a header: sanitize before showing. */
struct custody {
	char owner[CUSTODY_TEXT_MAX], serial[CUSTODY_TEXT_MAX], label[CUSTODY_TEXT_MAX];
	char model[CUSTODY_TEXT_MAX], enrolled[CUSTODY_DATE_MAX], expires[CUSTODY_DATE_MAX];
};

/* What token object number i of hdr->tokens says; false when it is of another type. */
bool custody_read(const struct luks2 *hdr, int i, struct custody *ret_custody);
/* Of a key slot: false when the header has none. Members that are no such text are left out. */
bool custody_of_keyslot(const struct luks2 *hdr, int keyslot, struct custody *ret_custody);
/* The JSON text for luks2_token_put(). The caller frees. -ENOMEM. */
int custody_write(const struct custody *custody, int keyslot, char **ret_text) MUST_CHECK;

#endif
