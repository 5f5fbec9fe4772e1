/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A share of a key: what one of several people has in the safe, as text that can be read aloud.
 *
 * The secret that is shared is 32 random bytes; the passphrase of the key slot is their 64 hexadecimal digits in
 * small letters. A share is 49 bytes, integers of one byte:
 *
 *	version (1) | set (8 random bytes) | index (1 ...) | threshold | count | value (32) | checksum (5)
 *
 * value is the point at x = index of keymgr/shamir.h; checksum is the beginning of the SHA-256 of "sealdrive share"
 * and everything before it. As text: 98 digits in modhex (keymgr/recovery.h), high half of a byte first, in 14 groups
 * of seven, after each a check letter, and dashes between:
 *
 *	check = (...((g * 2 + d1) * 2 + d2) ... + d7) * 2 in GF(16) modulo x^4 + x + 1, g the group's number from 0
 *
 * so one wrong letter, two that changed places, a group left out or in the wrong place are found in the group
 * where they are. Capitals, spaces and missing dashes make no difference.
 */
#ifndef KEYMGR_SHARE_H
#define KEYMGR_SHARE_H

#include <stdint.h>

#include "base/secret.h"
#include "keymgr/shamir.h"

enum {
	SHARE_SECRET_BYTES = 32,
	SHARE_SET_BYTES = 8,
	SHARE_BYTES = 49,
	SHARE_GROUPS = 14,
	SHARE_GROUP = 8, /* letters, with the check letter */
	SHARE_LETTERS = SHARE_GROUPS * SHARE_GROUP,
	SHARE_CHARS = SHARE_LETTERS + SHARE_GROUPS - 1,
	SHARE_PASSPHRASE_CHARS = 2 * SHARE_SECRET_BYTES,
	SHARE_DIGEST_BYTES = 16,
	SHARE_SET_CHARS = 2 * SHARE_SET_BYTES + 1, /* in modhex, with the final zero */
};

struct share {
	uint8_t set[SHARE_SET_BYTES];
	uint8_t index, threshold, count; /* 1 <= index <= count, 2 <= threshold <= count <= SHAMIR_SHARES_MAX */
	struct secret *value;
};

void share_clear(struct share *share);

/* count new shares of a new secret, and the passphrase that threshold of them make. -EINVAL, -ENOMEM, -SDE_CRYPTO. */
int share_make(unsigned count, unsigned threshold, struct share *ret_shares,
	struct secret **ret_passphrase) MUST_CHECK;
/* The passphrase from the first count shares: of one set, all different, as many as the threshold. -EINVAL, -ENOMEM. */
int share_combine(const struct share *shares, unsigned count, struct secret **ret_passphrase) MUST_CHECK;

/* SHARE_CHARS characters, no zero at the end. -ENOMEM, -SDE_CRYPTO. */
int share_encode(const struct share *share, struct secret **ret_text) MUST_CHECK;
/* What a header may say of a share: with it nobody learns the share, but a forged one is told from it.
 * -ENOMEM, -SDE_CRYPTO. */
int share_digest(const struct share *share, uint8_t ret_digest[SHARE_DIGEST_BYTES]) MUST_CHECK;
/* The set's name, for people and file names. */
void share_set_name(const uint8_t set[SHARE_SET_BYTES], char ret_name[SHARE_SET_CHARS]);

/* Small letters only; false when it is none. */
bool share_set_parse(const char *name, uint8_t ret_set[SHARE_SET_BYTES]);

/* The SHARE_BYTES bytes. -ENOMEM, -SDE_CRYPTO. */
int share_to_bytes(const struct share *share, struct secret **ret_bytes) MUST_CHECK;
/* Of SHARE_BYTES bytes. -SDE_SHARE with diag: they are no share. -ENOMEM. */
int share_from_bytes(const uint8_t *bytes, struct share *ret_share, struct diag *diag) MUST_CHECK;

/* A share that is typed or read, line by line. */
struct share_text {
	struct secret *digits; /* SHARE_LETTERS of them, one a byte */
	size_t len;
};
#define SHARE_TEXT_NONE {NULL, 0}

void share_text_clear(struct share_text *text);
#define CLEANUP_SHARE_TEXT CLEANUP(share_text_clear)

/* Adds what was typed: -SDE_SHARE with the group and what is wrong with it in diag, and then nothing is added. */
int share_text_add(struct share_text *text, const char *typed, size_t len, struct diag *diag) MUST_CHECK;
bool share_text_complete(const struct share_text *text);
/* The share. -SDE_SHARE with diag: not complete, or not one. -ENOMEM. */
int share_text_finish(const struct share_text *text, struct share *ret_share, struct diag *diag) MUST_CHECK;

#endif
