/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/hex.h"

#include <stdint.h>

int hex_of_secret(const struct secret *bytes, struct secret **ret_text)
{
	CLEANUP_SECRET struct secret *text = NULL;
	const uint8_t *in = secret_data_const(bytes);
	int r = secret_new(2 * secret_len(bytes), &text);

	if (r < 0)
		return r;
	char *out = secret_data(text);

	for (size_t i = 0; i < secret_len(text); i++) {
		unsigned digit = i % 2 ? in[i / 2] & 15 : in[i / 2] >> 4;

		/* beyond 9 the difference is negative, and all its high bits are set */
		out[i] = (char)('0' + digit + ((9 - digit) >> 8 & ('a' - '0' - 10)));
	}
	*ret_text = take_ptr(text);
	return 0;
}
