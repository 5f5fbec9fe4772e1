/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ctrl-C and its like wait while something is done that must be whole or not at all: files that hold keys, and the
 * header that they belong to. Whoever holds them asks from time to time whether one has come, and then undoes what
 * was done; the signal ends the program once they are let go.
 */
#ifndef CLI_INTERRUPTS_H
#define CLI_INTERRUPTS_H

#include <signal.h>
#include <stdbool.h>

#include "base/cleanup.h"

struct interrupts {
	bool held;
	sigset_t before;
};
#define INTERRUPTS_NONE {false, {{0}}}

void interrupts_hold(struct interrupts *interrupts);
bool interrupts_came(void);
/* It is done: one that came now came too late. */
void interrupts_forget(const struct interrupts *interrupts);
void interrupts_let_go(struct interrupts *interrupts);
#define CLEANUP_INTERRUPTS CLEANUP(interrupts_let_go)

#endif
