/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys, passphrases and PINs live here and nowhere else: a mapping of its own between two guard
 * pages, locked in memory, left out of core dumps, wiped in a forked child and on free.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"

struct secret;

/* Zeroed room for len bytes (1 to 16 MiB). -ENOMEM when no memory is there. A failure to lock is
 * not an error here: see secret_all_locked(). */
int secret_new(size_t len, struct secret **ret_secret) MUST_CHECK;
/* A copy of len bytes of data; the caller wipes its own. */
int secret_new_copy(const void *data, size_t len, struct secret **ret_secret) MUST_CHECK;
/* Wipes and unmaps; NULL is fine. */
void secret_free(struct secret *secret);

void *secret_data(struct secret *secret);
const void *secret_data_const(const struct secret *secret);
size_t secret_len(const struct secret *secret);
/* Makes it shorter (never longer); what is cut off is wiped at once. */
void secret_truncate(struct secret *secret, size_t len);

/* Equal in length and content; time depends on the lengths only. */
bool secret_equal(const struct secret *a, const struct secret *b);
/* Constant-time compare of two byte strings of one length. */
bool bytes_equal_ct(const void *a, const void *b, size_t len);
/* Wipes memory in a way that the compiler keeps. */
void bytes_wipe(void *p, size_t len);

/* False once any secret of this process could not be locked in memory. */
bool secret_all_locked(void);
/* For keys outside of struct secret (libgcrypt's pool): they could not be locked either. */
void secret_note_unlocked(void);

static inline void cleanup_secret(struct secret **s)
{
	secret_free(*s);
}
#define CLEANUP_SECRET CLEANUP(cleanup_secret)

#endif
