/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts that making and judging a seal share. Private to luks2-seal*.c. */
#ifndef KEYMGR_LUKS2_SEAL_MAC_H
#define KEYMGR_LUKS2_SEAL_MAC_H

#include "keymgr/hkdf.h"
#include "keymgr/luks2-seal.h"

enum {
	SEAL_VERSION = 1,
	SEAL_SECTIONS = 4,
	/* of a part: enough not to be guessed, little enough for 32 key slots */
	SEAL_TAG_BYTES = 8,
};

/* The sections whose objects get a tag each; the document's other members get one as a whole. */
extern const char *const seal_sections[SEAL_SECTIONS];
bool seal_is_section(const char *name);

bool seal_is(const json_t *token);
/* The token with the lowest number; a second one is a change like any other. NULL: none. */
json_t *seal_find(const json_t *doc, char ret_id[16]);

/* Base64 of exactly len bytes. */
bool seal_take_bytes(const json_t *object, const char *name, uint8_t *to, size_t len);
int seal_put_bytes(json_t *object, const char *name, const uint8_t *data, size_t len) MUST_CHECK;

/* The key of both MACs. */
int seal_key(const struct secret *volume_key, const uint8_t salt[LUKS2_SEAL_SALT_BYTES],
	struct secret **ret_key) MUST_CHECK;
/* The canonical text: members in the order of their names' bytes, no white space. The caller frees. */
char *seal_canonical(const json_t *json);
/* Of name "keyslots" and id "0"; of name "config" and id NULL; of name "label". */
int seal_part_tag(const struct secret *key, const char *name, const char *id, const void *data,
	size_t len, uint8_t ret_tag[SEAL_TAG_BYTES]) MUST_CHECK;
int seal_json_tag(const struct secret *key, const char *name, const char *id, const json_t *json,
	uint8_t ret_tag[SEAL_TAG_BYTES]) MUST_CHECK;
/* Of the whole header, where the MAC itself is left out of the seal. */
int seal_header_mac(const struct luks2 *hdr, const json_t *doc, const struct secret *key,
	uint8_t ret_mac[HMAC_BYTES]) MUST_CHECK;

/*
 * The mark: a salt that only who has the volume key can have chosen. Who has none can neither make
 * another digest of the key, nor change the salt of this one.
 */
int seal_digest_marked(const struct luks2_digest *digest, const struct secret *volume_key,
	bool *ret_marked) MUST_CHECK;
/* The digest of the volume key; NULL: none. */
const struct luks2_digest *seal_data_digest(const struct luks2 *hdr);

#endif
