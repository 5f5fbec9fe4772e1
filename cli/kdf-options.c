/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/kdf-options.h"

#include <string.h>

static bool parse_number(const struct command *command, const char *name, const char *text, uint32_t max,
	uint32_t *ret_number)
{
	uint64_t v;

	if (cli_parse_number(text, 1, max, &v) == 0) {
		*ret_number = v;
		return true;
	}
	cli_usage(command, _("--%s: '%s' is not a number from %u to %u"), name, text, 1u, max);
	return false;
}

static bool parse_pbkdf(const struct command *command, const char *text, struct kdf_options *options)
{
	static const enum luks2_kdf_type types[] = {
		LUKS2_KDF_ARGON2ID, LUKS2_KDF_ARGON2I, LUKS2_KDF_PBKDF2};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(text, luks2_kdf_name(types[i])) == 0) {
			options->type = types[i];
			return true;
		}
	cli_usage(command, _("--pbkdf: '%s' is none of argon2id, argon2i, pbkdf2"), text);
	return false;
}

/* A computer with less than this is none that runs us. */
static bool parse_weakest(const struct command *command, const char *text, struct kdf_options *options)
{
	if (cli_parse_size(text, &options->weakest_bytes) == 0 &&
		options->weakest_bytes >= UINT64_C(64) << 20)
		return true;
	cli_usage(command, _("--weakest-computer: '%s' is not a size of at least 64M"), text);
	return false;
}

bool kdf_option(const struct command *command, int option, const char *value, struct kdf_options *options,
	bool *ret_ok)
{
	if (option < KDF_PBKDF || option >= KDF_END)
		return false;
	options->given |= option != KDF_ITER_TIME && option != KDF_WEAKEST;
	switch (option) {
	case KDF_PBKDF:
		*ret_ok = parse_pbkdf(command, value, options);
		break;
	case KDF_ITER_TIME:
		*ret_ok = parse_number(command, "iter-time", value, 600000, &options->iter_time_ms);
		break;
	case KDF_ITERATIONS:
		*ret_ok = parse_number(command, "iterations", value, INT32_MAX, &options->iterations);
		break;
	case KDF_MEMORY:
		*ret_ok = parse_number(command, "memory", value, INT32_MAX, &options->memory_kib);
		break;
	case KDF_PARALLEL:
		*ret_ok = parse_number(command, "parallel", value, INT32_MAX, &options->parallel);
		break;
	default:
		*ret_ok = parse_weakest(command, value, options);
		break;
	}
	return true;
}

bool kdf_options_combine(const struct command *command, const struct kdf_options *options,
	struct luks2_kdf *ret_kdf, bool *ret_default)
{
	bool pbkdf2 = options->type == LUKS2_KDF_PBKDF2;

	if (pbkdf2 && (options->memory_kib || options->parallel)) {
		cli_usage(command, _("--memory and --parallel mean nothing for pbkdf2"));
		return false;
	}
	if (options->iterations && options->iter_time_ms) {
		cli_usage(command, _("--iterations and --iter-time exclude each other"));
		return false;
	}
	*ret_kdf = (struct luks2_kdf){
		.type = options->type,
		.iterations = pbkdf2 ? options->iterations : 0,
		.time = pbkdf2 ? 0 : options->iterations,
		.memory_kib = options->memory_kib,
		.cpus = options->parallel,
	};
	*ret_default = !options->given;
	return true;
}
