/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The organisation's own list of its drives, as far as checks compare with it. */
#ifndef AUDIT_INVENTORY_H
#define AUDIT_INVENTORY_H

#include <jansson.h>

#include "base/error.h"

struct inventory;

/* docs/POLICY.md has the schema. -SDE_FILE_INVALID with diag, -errno. */
int inventory_load(const char *path, struct inventory **ret_inventory, struct diag *diag) MUST_CHECK;
/* The same of a text that was read already, with a zero behind it, as its signature was verified, say. */
int inventory_parse(const char *text, size_t len, struct inventory **ret_inventory, struct diag *diag) MUST_CHECK;
/* The record of the drive with this UUID: members serial, size_bytes, token_slots,
 * key_fingerprint; NULL: none. */
const json_t *inventory_find(const struct inventory *inventory, const char *uuid);
void inventory_free(struct inventory *inventory);

#endif
