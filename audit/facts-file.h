/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A facts file: the facts of any number of drives, in canonical form (RFC 8785) with a final newline,
 * under its own SHA-256, so that no byte of it changes unnoticed. Whoever must not be able to make
 * another one signs it. "collected" is when it was made; a drive that was taken from an earlier file keeps its own.
 */
#ifndef AUDIT_FACTS_FILE_H
#define AUDIT_FACTS_FILE_H

#include "audit/facts.h"

/* A whole number of seconds since 1970, as "2026-11-30T21:00:00Z". */
void time_text(int64_t seconds, char out[32]);
bool time_is_text(const char *text);

/* The text of the file. -ENOMEM. The caller frees. */
int facts_file_print(struct facts *const *facts, size_t count, int64_t seconds, char **ret_text, size_t *ret_len)
	MUST_CHECK;
/* Whether a file with these first bytes claims to be one. */
bool facts_file_claims(const char *text, size_t len);
/* The caller frees each, and the array. -SDE_FILE_INVALID with diag. */
int facts_file_parse(const char *text, size_t len, struct facts ***ret_facts, size_t *ret_count,
	struct diag *diag) MUST_CHECK;

#endif
