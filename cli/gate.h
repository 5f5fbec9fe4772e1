/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The policy that binds this computer (policy.json in the configuration folder, with waivers.json beside
 * it), asked before something is done. Without one, everything here says yes.
 *
 *	gate_install()		once: from then on no header is written that the policy forbids
 *	gate_ready()		before format, key, mount: the policy can be read, and the log written
 *	gate_log()		before an audit: the log can be written, where a policy that can be read requires it
 *	gate_drive()		before a drive is mounted
 *	gate_passphrase()	before a passphrase is set
 *
 * All return 0, or -SDE_POLICY with diag: check, what was seen, what is wanted, clause, remedy.
 */
#ifndef CLI_GATE_H
#define CLI_GATE_H

#include "base/secret.h"

void gate_install(void);
int gate_ready(struct diag *diag) MUST_CHECK;
int gate_log(struct diag *diag) MUST_CHECK;
int gate_drive(const char *target, const char *header, struct diag *diag) MUST_CHECK;
int gate_passphrase(const struct secret *passphrase, struct diag *diag) MUST_CHECK;

/* "nist/3"; NULL when no policy binds, or it cannot be read. */
const char *gate_policy_name(void);

#endif
