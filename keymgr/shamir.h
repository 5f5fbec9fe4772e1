/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sharing of a secret (A. Shamir, "How to share a secret", CACM 22, 1979) over GF(2^8), a polynomial for each byte:
 * share x has its values at x, and the secret is what they have at 0. Fewer than the threshold say nothing.
 * The shares are those of libgfshare: its gfcombine combines them.
 */
#ifndef KEYMGR_SHAMIR_H
#define KEYMGR_SHAMIR_H

#include <stdint.h>

#include "base/secret.h"

enum { SHAMIR_SHARES_MAX = 32 };

/*
 * count shares (at most SHAMIR_SHARES_MAX), of which threshold (2 to count) make the secret: ret_shares[i] is the
 * share at x = i + 1, as long as the secret. -EINVAL, -ENOMEM, -SDE_CRYPTO.
 */
int shamir_split(const struct secret *secret, unsigned count, unsigned threshold,
	struct secret **ret_shares) MUST_CHECK;

/*
 * The secret from the shares at x[0], x[1], ...: all different and none 0, else -EINVAL, as for shares that are not
 * of one length. Too few shares, or a wrong one, give another secret without any sign of it. -ENOMEM.
 */
int shamir_combine(const uint8_t *x, const struct secret *const *shares, unsigned count,
	struct secret **ret_secret) MUST_CHECK;

#endif
