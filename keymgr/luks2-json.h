/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The JSON edge of the header: text <-> document <-> typed model. Nothing else of keymgr but the
 * validation knows JSON.
 *
 * The text is RFC 8259 and nothing more: duplicate members, NUL escapes, invalid UTF-8, deep
 * nesting and bytes after the document are refused.
 */
#ifndef KEYMGR_LUKS2_JSON_H
#define KEYMGR_LUKS2_JSON_H

#include <jansson.h>

#include "keymgr/luks2.h"

static inline void cleanup_json(json_t **json)
{
	json_decref(*json);
}
#define CLEANUP_JSON CLEANUP(cleanup_json)

/* The document in a JSON area of area_bytes. -SDE_HEADER_INVALID, -ENOMEM. */
int luks2_json_parse(
	const char *area, size_t area_bytes, json_t **ret_doc, struct diag *diag) MUST_CHECK;
/* A new, zero-padded JSON area. -ENOSPC when the text does not fit. The caller frees. */
int luks2_json_print(const json_t *doc, size_t area_bytes, char **ret_area) MUST_CHECK;

/*
 * The whole of what cryptsetup 2.6 demands of a document before it uses or changes it.
 * hdr_bytes is the size that the binary header gives. -SDE_HEADER_INVALID with diag, -ENOMEM.
 */
int luks2_json_validate(const json_t *doc, uint64_t hdr_bytes, struct diag *diag) MUST_CHECK;

/*
 * Fills the model from a valid document; hdr->json takes a reference. Objects whose names are not
 * those that a number of the model's range has (such as "07" or "99") stay in the document only.
 */
int luks2_json_to_model(json_t *doc, struct luks2 *hdr) MUST_CHECK;
/* The typed model of a valid document; all but the document is the binary header's. */
struct luks2_copy;
int luks2_model_new(const struct luks2_copy *copy, json_t *doc, struct luks2 **ret_hdr) MUST_CHECK;
/* The object of one keyslot, without its priority. NULL: no memory. */
json_t *luks2_json_keyslot(const struct luks2_keyslot *slot);
/* A document with exactly what the model holds. -ENOMEM. */
int luks2_json_from_model(const struct luks2 *hdr, json_t **ret_doc) MUST_CHECK;

/* A string of decimal digits that fits in 64 bits. */
bool luks2_json_u64(const json_t *json, uint64_t *ret_value) MUST_CHECK;

#endif
