/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What luks2-update.c gives to the files that know what to change. Private to keymgr/. */
#ifndef KEYMGR_LUKS2_UPDATE_DOC_H
#define KEYMGR_LUKS2_UPDATE_DOC_H

#include "keymgr/luks2-json.h"
#include "keymgr/luks2-update.h"

/* The document, to be changed in place. */
json_t *luks2_update_doc(struct luks2_update *update);
/* The fields of the binary header that are written with it: from's, but for the sequence number. */
void luks2_update_identity(struct luks2_update *update, const struct luks2 *from);
/*
 * After each change: validates the document and makes the model anew. On an error the update can only
 * be ended. made: what json functions have said (negative: -ENOMEM is returned).
 */
int luks2_update_changed(struct luks2_update *update, int made, struct diag *diag) MUST_CHECK;
/* Commit overwrites [offset, offset + size) once no header names it. */
int luks2_update_wipe(struct luks2_update *update, uint64_t offset, uint64_t size) MUST_CHECK;
/* [offset, size] pairs that commit will overwrite; for whoever looks for a free area. */
const json_t *luks2_update_wipes(const struct luks2_update *update);

#endif
