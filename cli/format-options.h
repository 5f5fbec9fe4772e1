/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line of `format`. */
#ifndef CLI_FORMAT_OPTIONS_H
#define CLI_FORMAT_OPTIONS_H

#include "cli/cli.h"
#include "cli/kdf-options.h"
#include "keymgr/luks2.h"

struct format_options {
	const char *target_path, *header_path; /* header_path: NULL without --header */
	uint64_t size_bytes;		       /* 0: not given */
	struct luks2_format_params params;
	struct kdf_options kdf;
	uint32_t root_uid, root_gid;
	bool force, allow_weak;
	struct cli_passphrase_source source;
};

/* EXIT_DONE: go on; -1: help was shown; else what to exit with, and the message is out. Strings
 * point into argv. */
int format_options_parse(int argc, char **argv, struct format_options *options);

#endif
