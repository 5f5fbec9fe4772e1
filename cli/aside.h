/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* helper_run() of token/helper.h for commands: whatever ends the process that asks, the terminal is as it was. */
#ifndef CLI_ASIDE_H
#define CLI_ASIDE_H

#include "token/helper.h"

int aside_run(helper_fn fn, void *ctx, struct secret **ret_secret, void *data, size_t data_room,
	size_t *ret_data_len, struct diag *diag) MUST_CHECK;

#endif
