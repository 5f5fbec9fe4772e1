/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

void progress_show(struct progress *progress, int percent)
{
	if (percent == progress->shown || !isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%s ... %d %%\033[K", progress->what, percent);
	fflush(stderr);
	progress->shown = percent;
}

void progress_end(struct progress *progress)
{
	if (progress->shown < 0)
		return;
	fputs("\r\033[K", stderr);
	progress->shown = -1;
}
