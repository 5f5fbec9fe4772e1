/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions on a terminal. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "base/error.h"

/* The controlling terminal, whatever stdin and stdout are; -SDE_NO_TTY. The caller closes it. */
int terminal_open(int *ret_fd) MUST_CHECK;

/*
 * Writes prompt and reads one line, without its newline and not terminated, into buf; unbuffered,
 * so that buf is the only copy in this process. Signals that end or stop the process do so with the
 * terminal as it was before; after a stop the question is put again. -SDE_CANCELLED: end of input
 * before anything was typed; -E2BIG: more than cap bytes (the line is consumed); -errno.
 */
int terminal_ask(int fd, const char *prompt, bool echo, void *buf, size_t cap, size_t *ret_len)
	MUST_CHECK;

/* How the controlling terminal is, for when somebody else asks on it and may be killed: put back is only echo that is off
 * and was on. Without a terminal nothing happens. */
struct terminal_state {
	int fd; /* -1: there is none */
	struct termios settings;
};
void terminal_remember(struct terminal_state *ret_state);
void terminal_restore(struct terminal_state *state);

#endif
