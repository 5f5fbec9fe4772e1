/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The part of an audit that needs a passphrase: the volume key, and whether the file system is clean. */
#ifndef CLI_AUDIT_UNLOCK_H
#define CLI_AUDIT_UNLOCK_H

#include "audit/facts.h"
#include "cli/cli.h"

/*
 * Reads the passphrase once and tries it on every drive; those that it does not open stay unknown,
 * with a warning. The keys are wiped as soon as they were looked at. Nothing is written. Drives of saved
 * facts are not opened, and where there are no others nobody is asked for a passphrase.
 * fingerprint_key: see facts_add_key(); NULL: none.
 */
int audit_unlock(struct facts *const *facts, size_t count, const struct cli_passphrase_source *source,
	const struct secret *fingerprint_key, struct diag *diag) MUST_CHECK;

#endif
