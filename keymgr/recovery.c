/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/recovery.h"

#include <errno.h>
#include <gcrypt.h>

#include "kernel-shim/cryptdev.h"

const char recovery_letters[17] = "cbdefghijklnrtuv";

/* The dashes come before these. */
static bool group_begins(size_t digits)
{
	return digits && digits % RECOVERY_GROUP == 0;
}

int recovery_encode(const uint8_t bits[RECOVERY_BYTES], struct secret **ret_text)
{
	CLEANUP_SECRET struct secret *text = NULL;
	int r = secret_new(RECOVERY_CHARS, &text);

	if (r)
		return r;
	char *out = secret_data(text);

	for (size_t i = 0; i < 2 * RECOVERY_BYTES; i++) {
		if (group_begins(i))
			*out++ = '-';
		*out++ = recovery_letters[(i % 2 ? bits[i / 2] : bits[i / 2] >> 4) & 15];
	}
	*ret_text = take_ptr(text);
	return 0;
}

int recovery_make(struct secret **ret_text)
{
	CLEANUP_SECRET struct secret *bits = NULL;
	int r = crypto_init();

	if (!r)
		r = secret_new(RECOVERY_BYTES, &bits);
	if (r)
		return r;
	gcry_randomize(secret_data(bits), RECOVERY_BYTES, GCRY_VERY_STRONG_RANDOM);
	return recovery_encode(secret_data(bits), ret_text);
}

/* The value of a letter; -1: it is none. */
static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		c += 'a' - 'A';
	for (int i = 0; i < 16; i++)
		if (recovery_letters[i] == c)
			return i;
	return -1;
}

int recovery_normalise(const struct secret *typed, struct secret **ret_text)
{
	CLEANUP_SECRET struct secret *bits = NULL;
	const char *in = secret_data_const(typed);
	size_t digits = 0;
	int r = secret_new(RECOVERY_BYTES, &bits);

	if (r)
		return r;
	uint8_t *out = secret_data(bits);

	for (size_t i = 0; i < secret_len(typed); i++) {
		if (in[i] == '-' || in[i] == ' ')
			continue;
		int digit = digit_of(in[i]);

		if (digit < 0 || digits == 2 * RECOVERY_BYTES)
			return -EINVAL;
		out[digits / 2] = (uint8_t)(out[digits / 2] << 4 | digit);
		digits++;
	}
	return digits == 2 * RECOVERY_BYTES ? recovery_encode(out, ret_text) : -EINVAL;
}
