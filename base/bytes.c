/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/bytes.h"

bool bytes_all_zero(const void *p, size_t len)
{
	const unsigned char *b = p;
	size_t head = len < 16 ? len : 16;

	for (size_t i = 0; i < head; i++)
		if (b[i])
			return false;
	/* The first 16 bytes are zero; the rest is zero if it equals itself shifted by 16. */
	return len <= 16 || memcmp(b, b + 16, len - 16) == 0;
}
