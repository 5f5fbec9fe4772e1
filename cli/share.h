/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shares on the command line: the passphrase of a key slot from those that several people have. */
#ifndef CLI_SHARE_H
#define CLI_SHARE_H

#include "cli/cli.h"
#include "keymgr/luks2.h"

/*
 * Reads the shares that options name, asks on the terminal for those that are missing, and combines them. A share that is
 * damaged, doubled, forged, or of another set is named: -SDE_SHARE with diag. slot: the key slot that is asked
 * for, -1: any. *ret_slot: the one that hdr says they are for, -1 when it says nothing.
 */
int cli_share_passphrase(const struct cli_passphrase_source *source, const struct luks2 *hdr, int slot,
	struct secret **ret_passphrase, int *ret_slot, struct diag *diag) MUST_CHECK;

#endif
