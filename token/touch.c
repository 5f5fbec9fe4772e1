/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/touch.h"

#include <stddef.h>

static const int deadly_signals[TOUCH_SIGNALS] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static volatile sig_atomic_t caught;

static void note_signal(int sig)
{
	caught = sig;
}

void touch_begin(fido_dev_t *dev, struct touch *touch)
{
	struct sigaction note = {.sa_handler = note_signal};
	sigset_t set;

	touch->dev = dev;
	caught = 0;
	sigemptyset(&set);
	for (size_t i = 0; i < TOUCH_SIGNALS; i++) {
		sigaction(deadly_signals[i], NULL, &touch->actions[i]);
		/* those that are ignored (nohup) stay ignored */
		if (touch->actions[i].sa_handler == SIG_IGN)
			continue;
		sigaction(deadly_signals[i], &note, NULL);
		sigaddset(&set, deadly_signals[i]);
	}
	sigprocmask(SIG_BLOCK, &set, &touch->before);
	/* they are let in only while it waits for the key; who cannot be told that ends when the key has had enough */
	if (fido_dev_set_sigmask(dev, &touch->before) != FIDO_OK)
		return;
}

void touch_end(struct touch *touch)
{
	/* before any further signal can end us */
	if (caught)
		fido_dev_cancel(touch->dev);
	for (size_t i = 0; i < TOUCH_SIGNALS; i++)
		sigaction(deadly_signals[i], &touch->actions[i], NULL);
	sigprocmask(SIG_SETMASK, &touch->before, NULL);
	if (caught)
		raise(caught);
}
