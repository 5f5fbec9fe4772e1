/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options that say what guessing a passphrase shall cost; of `format`, `key add` and `key change`. */
#ifndef CLI_KDF_OPTIONS_H
#define CLI_KDF_OPTIONS_H

#include "cli/cli.h"
#include "keymgr/luks2.h"

struct kdf_options {
	enum luks2_kdf_type type;
	bool given; /* a kind or a cost */
	uint32_t iterations, memory_kib, parallel, iter_time_ms;
	uint64_t weakest_bytes; /* RAM of the weakest computer that it shall open on; 0: 4 GiB */
};
#define KDF_OPTIONS_INIT {.type = LUKS2_KDF_ARGON2ID}

/* Values of their options. */
enum { KDF_PBKDF = 600, KDF_ITER_TIME, KDF_ITERATIONS, KDF_MEMORY, KDF_PARALLEL, KDF_WEAKEST, KDF_END };
#define KDF_LONG_OPTIONS                                                                           \
	{"pbkdf", required_argument, NULL, KDF_PBKDF},                                             \
	{"iter-time", required_argument, NULL, KDF_ITER_TIME},                                     \
	{"iterations", required_argument, NULL, KDF_ITERATIONS},                                   \
	{"memory", required_argument, NULL, KDF_MEMORY},                                           \
	{"parallel", required_argument, NULL, KDF_PARALLEL},                                       \
	{"weakest-computer", required_argument, NULL, KDF_WEAKEST}

/* Whether option is one of them; *ret_ok: whether its value is good (a message is out if not). */
bool kdf_option(const struct command *command, int option, const char *value, struct kdf_options *options,
	bool *ret_ok);
/* What they mean together; false when a message is out. */
bool kdf_options_combine(const struct command *command, const struct kdf_options *options,
	struct luks2_kdf *ret_kdf, bool *ret_default);

#endif
