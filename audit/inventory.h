/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The organisation's own list of its drives, as far as checks compare with it. */
#ifndef AUDIT_INVENTORY_H
#define AUDIT_INVENTORY_H

#include <jansson.h>

#include "base/error.h"

struct inventory;

/* The text has a zero behind it; docs/AUDIT.md has an example. -SDE_FILE_INVALID with diag. */
int inventory_parse(const char *text, size_t len, struct inventory **ret_inventory, struct diag *diag) MUST_CHECK;
/* The record of the drive with this UUID: members serial, size_bytes, token_slots,
 * key_fingerprint; NULL: none. */
const json_t *inventory_find(const struct inventory *inventory, const char *uuid);
void inventory_free(struct inventory *inventory);

#endif
