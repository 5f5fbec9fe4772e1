/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One question on a terminal, with echo on or off.
 *
 * Invariants:
 * 1. Whatever ends or stops the process while echo is off, the terminal's settings are put back
 *    first: the signals below are caught, noted, and sent again once all is as it was.
 * 2. No signal is missed: outside of ppoll() they are blocked, and ppoll() unblocks them atomically.
 * 3. Signals that were ignored before (nohup) stay ignored.
 */
#include "cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/secret.h"

static const int caught_signals[] = {
	SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU};

static volatile sig_atomic_t caught;

static void note_signal(int sig)
{
	caught = sig;
}

struct question {
	int fd;
	struct termios settings;
	bool changed; /* settings must be put back */
	struct sigaction actions[ARRAY_SIZE(caught_signals)];
	sigset_t mask;
	int parent_death; /* the signal that is sent then, to go back to; 0: as it is */
};

static void catch_signals(struct question *q)
{
	struct sigaction note = {.sa_handler = note_signal};

	caught = 0;
	for (size_t i = 0; i < ARRAY_SIZE(caught_signals); i++) {
		sigaction(caught_signals[i], NULL, &q->actions[i]);
		if (q->actions[i].sa_handler != SIG_IGN)
			sigaction(caught_signals[i], &note, NULL);
	}
}

static void block_signals(struct question *q)
{
	sigset_t all;

	sigemptyset(&all);
	for (size_t i = 0; i < ARRAY_SIZE(caught_signals); i++)
		sigaddset(&all, caught_signals[i]);
	sigprocmask(SIG_BLOCK, &all, &q->mask);
}

/* A process that is to be killed when its parent ends is asked to end instead, as long as echo is off. */
static void soften_death(struct question *q)
{
	struct sigaction action;
	int signal = 0;

	if (prctl(PR_GET_PDEATHSIG, &signal) == 0 && signal == SIGKILL && sigaction(SIGTERM, NULL, &action) == 0 &&
		action.sa_handler != SIG_IGN && prctl(PR_SET_PDEATHSIG, SIGTERM) == 0)
		q->parent_death = signal;
}

static int begin(struct question *q, bool echo)
{
	struct termios quiet;

	if (tcgetattr(q->fd, &q->settings) < 0)
		return -errno;
	if (echo)
		return 0;
	quiet = q->settings;
	quiet.c_lflag &= ~ECHO;
	quiet.c_lflag |= ECHONL | ICANON | ISIG;
	q->changed = true;
	/* what was typed before the question has been shown already: drop it */
	return tcsetattr(q->fd, TCSAFLUSH, &quiet) < 0 ? -errno : 0;
}

static void end(struct question *q)
{
	if (q->changed)
		tcsetattr(q->fd, TCSADRAIN, &q->settings);
	q->changed = false;
	if (q->parent_death)
		prctl(PR_SET_PDEATHSIG, q->parent_death);
	q->parent_death = 0;
	for (size_t i = 0; i < ARRAY_SIZE(caught_signals); i++)
		sigaction(caught_signals[i], &q->actions[i], NULL);
	sigprocmask(SIG_SETMASK, &q->mask, NULL);
}

/* One byte: 1, 0 at the end of input, -EINTR when a signal came, -errno. */
static int read_byte(struct question *q, uint8_t *ret_byte)
{
	struct pollfd p = {.fd = q->fd, .events = POLLIN};
	ssize_t n;

	for (;;) {
		if (caught)
			return -EINTR;
		if (ppoll(&p, 1, NULL, &q->mask) < 0) {
			if (errno != EINTR)
				return -errno;
			continue;
		}
		n = read(q->fd, ret_byte, 1);
		if (n >= 0)
			return n;
		if (errno != EINTR)
			return -errno;
	}
}

static int read_line(struct question *q, uint8_t *buf, size_t cap, size_t *ret_len)
{
	size_t len = 0;
	bool too_long = false;
	uint8_t byte = 0;
	int r;

	for (;;) {
		r = read_byte(q, len < cap ? &buf[len] : &byte);
		if (r < 0)
			return r;
		if (r == 0 && len == 0)
			return -SDE_CANCELLED;
		if (r == 0 || (len < cap ? buf[len] : byte) == '\n')
			break;
		if (len < cap)
			len++;
		else
			too_long = true;
	}
	bytes_wipe(&byte, sizeof(byte));
	*ret_len = len;
	return too_long ? -E2BIG : 0;
}

static int ask_once(struct question *q, const char *prompt, bool echo, void *buf, size_t cap,
	size_t *ret_len)
{
	size_t len = 0;
	int r;

	catch_signals(q);
	soften_death(q);
	r = begin(q, echo);
	block_signals(q);
	if (r == 0 && !caught && write(q->fd, prompt, strlen(prompt)) < 0)
		r = -errno;
	if (r == 0)
		r = read_line(q, buf, cap, &len);
	end(q);
	if (r < 0) {
		bytes_wipe(buf, cap);
		return r;
	}
	*ret_len = len;
	return 0;
}

int terminal_open(int *ret_fd)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return -SDE_NO_TTY;
	*ret_fd = fd;
	return 0;
}

int terminal_ask(int fd, const char *prompt, bool echo, void *buf, size_t cap, size_t *ret_len)
{
	struct question q = {.fd = fd};
	int r;

	do {
		r = ask_once(&q, prompt, echo, buf, cap, ret_len);
		/* ends the process, stops it for a while, or is the caller's own handler's business */
		if (caught)
			raise(caught);
	} while (r == -EINTR && (caught == SIGTSTP || caught == SIGTTIN || caught == SIGTTOU));
	return r;
}

void terminal_remember(struct terminal_state *state)
{
	if (terminal_open(&state->fd) < 0)
		state->fd = -1;
	else if (tcgetattr(state->fd, &state->settings) < 0)
		close(take_fd(&state->fd));
}

void terminal_restore(struct terminal_state *state)
{
	struct termios now;

	if (state->fd < 0)
		return;
	/* in the background it would stop us, and is somebody else's */
	if (tcgetpgrp(state->fd) == getpgrp() && tcgetattr(state->fd, &now) == 0 &&
		(state->settings.c_lflag & ECHO) && !(now.c_lflag & ECHO))
		tcsetattr(state->fd, TCSADRAIN, &state->settings);
	close(take_fd(&state->fd));
}
