/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/reveal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "cli/cli.h"
#include "cli/sheet.h"
#include "cli/terminal.h"

enum { LINES_BESIDES = 5 }; /* of the key's own: empty ones, heading and question */

static int write_tty(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_text(int fd, const char *text)
{
	return write_tty(fd, text, strlen(text));
}

/* Takes the lines away again, so that they do not stay in the terminal's memory. */
static void unshow(int fd, size_t lines)
{
	const char *term = getenv("TERM");
	char up[32];
	int len = snprintf(up, sizeof(up), "\033[%zuA\r\033[J", lines);

	if (!term || !strcmp(term, "dumb") || write_tty(fd, up, (size_t)len) < 0)
		cli_warn(NULL, _("the key may still be on the screen: clear it"));
}

int reveal_on_terminal(int fd, const char *heading, const struct secret *key)
{
	size_t lines = 0, len;
	const char *line;
	char answer[8];
	int r = write_text(fd, "\n");

	if (r == 0)
		r = write_text(fd, heading);
	if (r == 0)
		r = write_text(fd, "\n");
	for (; r == 0 && (len = sheet_key_line(key, lines, &line)) > 0; lines++) {
		r = write_text(fd, "\n    ");
		if (r == 0)
			r = write_tty(fd, line, len);
	}
	if (r == 0)
		r = terminal_ask(fd, _("\n\nWrite it down. Press Enter when that is done: "), true, answer,
			sizeof(answer), &len);
	if (r < 0 && r != -E2BIG)
		return r;
	unshow(fd, lines + LINES_BESIDES);
	return 0;
}
