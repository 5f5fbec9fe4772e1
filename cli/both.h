/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Key slots that need two things together (keymgr/both.h), on the command line. */
#ifndef CLI_BOTH_H
#define CLI_BOTH_H

#include "cli/cli.h"
#include "keymgr/both.h"

/* Whether hdr has such a key slot (slot -1: any). */
bool cli_both_enrolled(const struct luks2 *hdr, int slot);

/*
 * For the first of them whose first token is plugged in: asks for both and calls unlock with what they make. A second
 * token that is not there is waited for, when somebody can be asked. -SDE_NO_TOKEN: no first token is there.
 */
int cli_both_unlock(const struct cli_passphrase_source *source, const char *target, const struct luks2 *hdr, int slot,
	cli_unlock_fn unlock, void *ctx, struct diag *diag) MUST_CHECK;

#endif
