/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/base64.h"

#include <errno.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const uint8_t *data, size_t len, char *out)
{
	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t group = (uint32_t)data[i] << 16;

		if (left > 1)
			group |= (uint32_t)data[i + 1] << 8;
		if (left > 2)
			group |= data[i + 2];
		*out++ = alphabet[group >> 18];
		*out++ = alphabet[group >> 12 & 63];
		*out++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
		*out++ = left > 2 ? alphabet[group & 63] : '=';
	}
	*out = '\0';
}

static int digit_value(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

/* One group of four characters to `bytes` bytes (1 to 3). */
static int decode_group(const char *text, unsigned bytes, uint8_t *out)
{
	uint32_t group = 0;

	for (unsigned i = 0; i < 4; i++) {
		int value = i <= bytes ? digit_value(text[i]) : 0;

		if (value < 0 || (i > bytes && text[i] != '='))
			return -EINVAL;
		group = group << 6 | (uint32_t)value;
	}
	for (unsigned i = 0; i < bytes; i++)
		out[i] = (uint8_t)(group >> (16 - 8 * i));
	return group & ((1u << (24 - 8 * bytes)) - 1) ? -EINVAL : 0;
}

int base64_decode(const char *text, uint8_t *out, size_t room, size_t *ret_len)
{
	size_t chars = strlen(text), len = chars / 4 * 3;

	if (chars % 4)
		return -EINVAL;
	if (chars && text[chars - 1] == '=')
		len -= text[chars - 2] == '=' ? 2 : 1;
	if (len > room)
		return -E2BIG;
	for (size_t i = 0, done = 0; i < chars; i += 4, done += 3) {
		size_t left = len - done;

		if (decode_group(text + i, left < 3 ? (unsigned)left : 3, out + done))
			return -EINVAL;
	}
	*ret_len = len;
	return 0;
}
