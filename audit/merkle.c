/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/merkle.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Section 2.1: inner nodes have the prefix 1. */
static void join(const hash256_value left, const hash256_value right, hash256_value out)
{
	uint8_t both[1 + 2 * HASH256_BYTES] = {1};

	memcpy(both + 1, left, HASH256_BYTES);
	memcpy(both + 1 + HASH256_BYTES, right, HASH256_BYTES);
	hash256_of(both, sizeof(both), NULL, 0, out);
}

/* The largest power of two that is smaller than count, which is at least 2. */
static size_t split(size_t count)
{
	size_t k = 1;

	while (k < count - k)
		k *= 2;
	return k;
}

void merkle_root(const hash256_value *leaves, size_t count, hash256_value ret_root)
{
	hash256_value left, right;

	if (count == 0) {
		hash256_of("", 0, NULL, 0, ret_root);
	} else if (count == 1) {
		memcpy(ret_root, leaves[0], HASH256_BYTES);
	} else {
		size_t k = split(count);

		merkle_root(leaves, k, left);
		merkle_root(leaves + k, count - k, right);
		join(left, right, ret_root);
	}
}

size_t merkle_path(const hash256_value *leaves, size_t count, size_t index, hash256_value ret_path[MERKLE_PATH_MAX])
{
	size_t len, k;

	if (count < 2)
		return 0;
	k = split(count);
	if (index < k) {
		len = merkle_path(leaves, k, index, ret_path);
		merkle_root(leaves + k, count - k, ret_path[len]);
	} else {
		len = merkle_path(leaves + k, count - k, index - k, ret_path);
		merkle_root(leaves, k, ret_path[len]);
	}
	return len + 1;
}

/* RFC 9162, section 2.1.3.2, which says how to check what RFC 6962 only says how to make. */
int merkle_climb(const hash256_value leaf, size_t index, size_t count, const hash256_value *path, size_t path_len,
	hash256_value ret_root)
{
	hash256_value node;
	size_t fn = index, sn = count - 1;

	if (index >= count)
		return -EINVAL;
	memcpy(node, leaf, HASH256_BYTES);
	for (size_t i = 0; i < path_len; i++) {
		if (!sn)
			return -EINVAL;
		if (fn & 1 || fn == sn) {
			join(path[i], node, node);
			for (; !(fn & 1) && fn; fn >>= 1, sn >>= 1)
				;
		} else {
			join(node, path[i], node);
		}
		fn >>= 1;
		sn >>= 1;
	}
	if (sn)
		return -EINVAL;
	memcpy(ret_root, node, HASH256_BYTES);
	return 0;
}

/* Whole: these are all the leaves of the earlier tree, whose head the reader knows. */
static size_t subproof(const hash256_value *leaves, size_t first, size_t count, bool whole, hash256_value *path)
{
	size_t len, k;

	if (first == count) {
		if (!whole)
			merkle_root(leaves, count, path[0]);
		return !whole;
	}
	k = split(count);
	if (first <= k) {
		len = subproof(leaves, first, k, whole, path);
		merkle_root(leaves + k, count - k, path[len]);
	} else {
		len = subproof(leaves + k, first - k, count - k, false, path);
		merkle_root(leaves, k, path[len]);
	}
	return len + 1;
}

size_t merkle_consistency(const hash256_value *leaves, size_t first, size_t count, hash256_value ret_path[MERKLE_PATH_MAX])
{
	return subproof(leaves, first, count, true, ret_path);
}

/* RFC 9162, section 2.1.4.2. */
int merkle_climb_both(size_t first, size_t count, const hash256_value old_root, const hash256_value *path, size_t path_len,
	hash256_value ret_first, hash256_value ret_count)
{
	size_t fn = first - 1, sn = count - 1, at = 0;
	hash256_value old, new;

	if (!first || first > count || (first == count) != !path_len)
		return -EINVAL;
	for (; fn & 1; fn >>= 1, sn >>= 1)
		;
	/* a tree of a power of two leaves is a node of the later one, and is left out of the proof */
	memcpy(old, (first & (first - 1)) && path_len ? path[at++] : old_root, HASH256_BYTES);
	memcpy(new, old, HASH256_BYTES);
	for (; at < path_len; at++) {
		if (!sn)
			return -EINVAL;
		if (fn & 1 || fn == sn) {
			join(path[at], old, old);
			join(path[at], new, new);
			for (; !(fn & 1) && fn; fn >>= 1, sn >>= 1)
				;
		} else {
			join(new, path[at], new);
		}
		fn >>= 1;
		sn >>= 1;
	}
	if (sn && first != count)
		return -EINVAL;
	memcpy(ret_first, old, HASH256_BYTES);
	memcpy(ret_count, new, HASH256_BYTES);
	return 0;
}
