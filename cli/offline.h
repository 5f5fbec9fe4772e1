/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the commands have in common that work on a drive that is not mounted. */
#ifndef CLI_OFFLINE_H
#define CLI_OFFLINE_H

#include "cli/cli.h"
#include "fuse/volume.h"

struct offline_args {
	const char *target, *header;
	struct cli_passphrase_source source;
	bool read_only;
};

/* Their options; values from OPT_HELP on are the commands' own. */
enum { OFFLINE_HEADER = 512, OFFLINE_PASSPHRASE_FILE, OFFLINE_KEY_FILE };
#define OFFLINE_OPTIONS                                                                            \
	{"header", required_argument, NULL, OFFLINE_HEADER},                                       \
	{"passphrase-file", required_argument, NULL, OFFLINE_PASSPHRASE_FILE},                     \
	{"key-file", required_argument, NULL, OFFLINE_KEY_FILE}, CLI_TOKEN_OPTION, CLI_PIN_OPTIONS, \
	CLI_SHARE_OPTION, CLI_NO_TOKEN_OPTION
/* Whether it was one of them. */
bool offline_option(int option, struct offline_args *args);

/* Whether everything is there that will be needed: programs (NULL-terminated), FUSE, and a target that is
 * not mounted. */
int offline_check(const struct offline_args *args, const char *const *programs,
	struct diag *diag) MUST_CHECK;
/* Asks for the passphrase and unlocks. */
int offline_unlock(const struct offline_args *args, struct volume *volume,
	struct diag *diag) MUST_CHECK;

#endif
