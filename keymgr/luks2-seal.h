/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The seal of a header: a token with a MAC over all that the header says, keyed from the volume
 * key, so that whoever has no key cannot change anything unnoticed. docs/HEADER.md describes it byte
 * by byte, and what it cannot do.
 */
#ifndef KEYMGR_LUKS2_SEAL_H
#define KEYMGR_LUKS2_SEAL_H

#include <jansson.h>

#include "keymgr/luks2.h"

#define LUKS2_SEAL_TYPE "sealdrive-integrity"

enum { LUKS2_SEAL_SALT_BYTES = 32 };

enum luks2_seal_state {
	LUKS2_SEAL_NONE,    /* there is none, and there need not be one */
	LUKS2_SEAL_RIGHT,
	LUKS2_SEAL_BROKEN,  /* the header was changed by somebody without the volume key */
	LUKS2_SEAL_REMOVED, /* so that there is none any more */
};

/* Whether there is one, right or not: this needs no key. */
bool luks2_seal_present(const struct luks2 *hdr);

/*
 * Judges the header as it was loaded. why (may be NULL) gets what was changed, in words, when
 * something was. -SDE_CRYPTO, -ENOMEM.
 */
int luks2_seal_check(const struct luks2 *hdr, const struct secret *volume_key,
	enum luks2_seal_state *ret_state, struct diag *why) MUST_CHECK;

/*
 * Puts the seal of doc into it, or renews it; the binary header's fields are those of hdr. Also
 * marks the volume key's digest, so that the seal is missed when it is gone. A header with all
 * token numbers taken stays without. -ENOSPC: the JSON area is too small; -SDE_CRYPTO, -ENOMEM.
 */
int luks2_seal_put(
	const struct luks2 *hdr, json_t *doc, const struct secret *volume_key) MUST_CHECK;

/* A salt for a new digest of the volume key, which says that there is a seal. -SDE_CRYPTO, -ENOMEM. */
int luks2_seal_salt(
	const struct secret *volume_key, uint8_t ret_salt[LUKS2_SEAL_SALT_BYTES]) MUST_CHECK;

#endif
