/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keyslots of type "luks2": a key, split and encrypted under a passphrase. Sections 4.2, 4.3. */
#ifndef KEYMGR_KEYSLOT_H
#define KEYMGR_KEYSLOT_H

#include "base/blkdev.h"
#include "base/secret.h"
#include "keymgr/luks2.h"

enum { KEYSLOT_KEY_BYTES_MAX = 512, KEYSLOT_ALIGN = 4096 };

/* Bytes of area for a key, as cryptsetup allocates them. */
uint64_t keyslot_area_bytes(uint32_t key_bytes);

/* Whether we can do all that the keyslot asks for. -SDE_CIPHER, -SDE_HEADER_INVALID, with diag. */
int keyslot_check(const struct luks2_keyslot *slot, struct diag *diag) MUST_CHECK;
/* The key of the keyslot's area. -SDE_KDF_MEMORY, -EINVAL, -SDE_CRYPTO, -ENOMEM. */
int keyslot_derive(const struct luks2_keyslot *slot, const struct secret *passphrase,
	struct secret **ret_area_key, struct diag *diag) MUST_CHECK;
/*
 * The key that a checked keyslot holds under area_key. There always is one: only the digest tells
 * whether it is right. -SDE_CRYPTO, I/O errors.
 */
int keyslot_read(const struct luks2_keyslot *slot, struct blkdev *dev,
	const struct secret *area_key, struct secret **ret_key, struct diag *diag) MUST_CHECK;
/* Writes key into the keyslot's area; does not flush. */
int keyslot_write(const struct luks2_keyslot *slot, struct blkdev *dev,
	const struct secret *area_key, const struct secret *key, struct diag *diag) MUST_CHECK;

#endif
