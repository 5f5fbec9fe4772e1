/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A line on stderr that shows how far long work has come; nothing where stderr is no terminal. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

struct progress {
	const char *what; /* "Formatting" */
	int shown;	  /* per cent on the screen, -1: none yet */
};
#define PROGRESS_INIT(what) {(what), -1}

void progress_show(struct progress *progress, int percent);
/* Removes the line. */
void progress_end(struct progress *progress);

#endif
