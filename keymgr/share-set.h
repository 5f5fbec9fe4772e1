/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a header says of a key that is divided into shares, as a token object of our own: type "sealdrive-shares", the
 * key slot in keyslots, and
 *
 *	set        16 letters of modhex: the set that its shares name
 *	shares     how many there are, 2 to 32
 *	threshold  how many open the key slot, 2 to shares
 *	made       YYYY-MM-DD, or missing
 *	digests    base64 of share_digest() for the shares 1, 2, ...
 *
 * Other programs keep it and do nothing with it. Nothing is needed of it to open the drive: it says which shares belong
 * to it, and which one is forged.
 */
#ifndef KEYMGR_SHARE_SET_H
#define KEYMGR_SHARE_SET_H

#include "keymgr/luks2.h"
#include "keymgr/share.h"

#define SHARE_SET_TYPE "sealdrive-shares"

struct share_set {
	uint8_t set[SHARE_SET_BYTES];
	unsigned count, threshold;
	char made[sizeof("YYYY-MM-DD")]; /* "": not known */
	uint8_t digests[SHAMIR_SHARES_MAX][SHARE_DIGEST_BYTES];
};

/* Token id of hdr: false when it is none, or none that can be used. */
bool share_set_read(const struct luks2 *hdr, int id, struct share_set *ret_set);
/* Of a key slot, the first one. */
bool share_set_of_keyslot(const struct luks2 *hdr, int keyslot, struct share_set *ret_set);
/* The set of these shares and its key slot; *ret_any: whether hdr has sets at all. */
bool share_set_find(const struct luks2 *hdr, const uint8_t set[SHARE_SET_BYTES], struct share_set *ret_set,
	int *ret_keyslot, bool *ret_any);

/* What is to be said of count shares that were made together today. -ENOMEM, -SDE_CRYPTO. */
int share_set_describe(const struct share *shares, unsigned count, struct share_set *ret_set) MUST_CHECK;
/* The JSON text for luks2_token_put(). The caller frees. -ENOMEM. */
int share_set_write(const struct share_set *set, int keyslot, char **ret_text) MUST_CHECK;

#endif
