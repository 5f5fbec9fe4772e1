/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/aside.h"

#include "base/cleanup.h"
#include "cli/terminal.h"

int aside_run(helper_fn fn, void *ctx, struct secret **ret_secret, void *data, size_t data_room,
	size_t *ret_data_len, struct diag *diag)
{
	struct terminal_state state;
	int r;

	terminal_remember(&state);
	r = helper_run(fn, ctx, ret_secret, data, data_room, ret_data_len, diag);
	terminal_restore(&state);
	return r;
}
