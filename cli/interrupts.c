/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/interrupts.h"

#include <stddef.h>
#include <time.h>

static const int deadly_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static sigset_t deadly_set(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(deadly_signals); i++)
		sigaddset(&set, deadly_signals[i]);
	return set;
}

void interrupts_hold(struct interrupts *interrupts)
{
	sigset_t set = deadly_set();

	interrupts->held = sigprocmask(SIG_BLOCK, &set, &interrupts->before) == 0;
}

bool interrupts_came(void)
{
	sigset_t pending;
	bool came = false;

	if (sigpending(&pending) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(deadly_signals); i++)
		came |= sigismember(&pending, deadly_signals[i]) == 1;
	return came;
}

void interrupts_forget(const struct interrupts *interrupts)
{
	const struct timespec now = {0};
	sigset_t set = deadly_set();

	while (interrupts->held && sigtimedwait(&set, NULL, &now) > 0)
		;
}

void interrupts_let_go(struct interrupts *interrupts)
{
	if (interrupts->held)
		sigprocmask(SIG_SETMASK, &interrupts->before, NULL);
	interrupts->held = false;
}
