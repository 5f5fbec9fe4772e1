/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Merkle trees over the records of a log, as Certificate Transparency has them: RFC 6962 section 2.1. */
#ifndef AUDIT_MERKLE_H
#define AUDIT_MERKLE_H

#include "audit/hash256.h"

typedef uint8_t hash256_value[HASH256_BYTES];

enum { MERKLE_PATH_MAX = 64 };

/* The tree head over count leaf hashes; of none: the hash of nothing. */
void merkle_root(const hash256_value *leaves, size_t count, hash256_value ret_root);
/* The inclusion proof of leaf index (section 2.1.1); index < count. Returns its length. */
size_t merkle_path(const hash256_value *leaves, size_t count, size_t index, hash256_value ret_path[MERKLE_PATH_MAX]);
/* The head that a leaf and its proof lead to; -EINVAL when the proof has not the right length. */
int merkle_climb(const hash256_value leaf, size_t index, size_t count, const hash256_value *path, size_t path_len,
	hash256_value ret_root) MUST_CHECK;
/* The consistency proof between the first leaves and all (section 2.1.2); 0 < first <= count. Returns its length. */
size_t merkle_consistency(const hash256_value *leaves, size_t first, size_t count, hash256_value ret_path[MERKLE_PATH_MAX]);
/*
 * The two heads, of first and of count leaves, that such a proof leads to. old_root is what the first is known to
 * be, for a proof that leaves it out; -EINVAL when the proof has not the right length.
 */
int merkle_climb_both(size_t first, size_t count, const hash256_value old_root, const hash256_value *path, size_t path_len,
	hash256_value ret_first, hash256_value ret_count) MUST_CHECK;

#endif
