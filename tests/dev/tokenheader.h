/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* As little of a header as what reads token objects looks at: one token, and its key slot. */
#ifndef TESTS_DEV_TOKENHEADER_H
#define TESTS_DEV_TOKENHEADER_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "keymgr/luks2.h"

enum { TOKENHEADER_SLOT = 1 };

/* Token 0 is token, which stays the caller's. NULL: no memory. */
static inline struct luks2 *tokenheader_new(json_t *token)
{
	struct luks2 *hdr = calloc(1, sizeof(*hdr));
	const char *type = json_string_value(json_object_get(token, "type"));

	if (!hdr)
		return NULL;
	hdr->version = 2;
	hdr->keyslots[0].id = TOKENHEADER_SLOT;
	hdr->keyslots[0].usable = true;
	hdr->keyslot_count = hdr->token_count = 1;
	hdr->tokens[0].keyslots = 1u << TOKENHEADER_SLOT;
	if (type && strlen(type) < sizeof(hdr->tokens[0].type))
		strcpy(hdr->tokens[0].type, type);
	hdr->json = json_pack("{s:{s:O}}", "tokens", "0", token);
	return hdr;
}

static inline void tokenheader_free(struct luks2 *hdr)
{
	json_decref(hdr->json);
	free(hdr);
}

#endif
