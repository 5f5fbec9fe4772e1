/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A thread, because a module that hangs does not come back, and may have blocked every signal. It has all signals blocked
 * itself: they are for the thread that asks.
 */
#include "cli/patience.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "base/i18n.h"

enum { PATIENCE_SECONDS = 10 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool waiting, instead; /* under lock, as all that follows */
static unsigned round_;	/* of waiting: a new one has all its time */
static bool started;

/* False when nothing has changed until then. */
static bool wait_for_change(void)
{
	unsigned before = round_;
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_SECONDS;
	while (waiting && round_ == before && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&changed, &lock, &until);
	return !waiting || round_ != before;
}

static void *watch(void *arg)
{
	pthread_mutex_lock(&lock);
	for (;;) {
		while (!waiting)
			pthread_cond_wait(&changed, &lock);
		if (wait_for_change())
			continue;
		fprintf(stderr,
			instead ? _("A token or its reader has not answered for %d seconds. Wait, or press Ctrl-C; with "
				    "--no-token only the passphrase is asked for.\n")
				: _("A token or its reader has not answered for %d seconds. Wait, or press Ctrl-C.\n"),
			PATIENCE_SECONDS);
		waiting = false;
	}
	return arg;
}

/* Without it there is no notice, and all else is as with it. */
static void start(void)
{
	sigset_t all, before;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	if (pthread_create(&thread, NULL, watch, NULL) == 0)
		pthread_detach(thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	started = true;
}

void patience_begin(bool optional)
{
	pthread_mutex_lock(&lock);
	waiting = true;
	instead = optional;
	round_++;
	if (!started)
		start();
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
}

void patience_end(void)
{
	pthread_mutex_lock(&lock);
	waiting = false;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
}
