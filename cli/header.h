/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the sub-commands of `sealdrive header` share; one file per sub-command. */
#ifndef CLI_HEADER_H
#define CLI_HEADER_H

#include "cli/cli.h"
#include "keymgr/luks2.h"

extern const struct command command_header_backup, command_header_check, command_header_convert,
	command_header_restore, command_header_repair;

struct header_args {
	const char *target, *header; /* header: the file that --header names, or NULL */
};

/* The thing that holds the header, for messages. */
static inline const char *header_path(const struct header_args *args)
{
	return args->header ? args->header : args->target;
}

/*
 * Opens what holds the header, for reading and without a lock, so that it works on a drive that is
 * mounted. *ret_data_bytes is the size of what holds the data; 0 when that is not known, because
 * the target is a backup or a file with a header alone.
 */
int header_open_to_read(const struct header_args *args, struct blkdev **ret_dev,
	uint64_t *ret_data_bytes, struct diag *diag) MUST_CHECK;

#endif
