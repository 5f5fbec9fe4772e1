/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Programs of e2fsprogs on a decrypted volume, through fuse/plainfile.h. Each runs in a process group
 * of its own, so that Ctrl-C reaches this program alone, with nothing but the language of the
 * environment, and with none of e2fsck's configuration, which could put plaintext into files.
 */
#ifndef CLI_TOOL_H
#define CLI_TOOL_H

#include <stdbool.h>

#include "base/blkdev.h"

struct tool {
	const char *program;
	const char *arguments[4]; /* NULL-terminated; the file's path is added */
	bool read_only;		  /* the program cannot write */
	const char *progress;	  /* e2fsck only: "Checking", shown on a terminal; NULL: nothing is shown */
	/* What SIGINT and the like are answered with, instead of stopping the program; NULL: stop it. */
	const char *not_now;
};

struct tool_result {
	int status;   /* of its exit; 128 and more: it was killed */
	char *output; /* what it printed, or the first MiB of it */
	bool cut;     /* only that */
	char *path;   /* the file's, as in output */
};
void tool_result_clear(struct tool_result *result);
#define CLEANUP_TOOL_RESULT CLEANUP(tool_result_clear)

/* -SDE_TOOL: it is not installed. */
int tool_check_installed(const char *program, struct diag *diag) MUST_CHECK;

/*
 * Runs the program on dev. When a signal stops it, everything is taken down in order and the signal
 * then ends this process. Negative: it could not run, or dev failed meanwhile (result is filled then,
 * too, as far as the program came).
 */
int tool_run(const struct tool *tool, struct blkdev *dev, struct tool_result *ret_result,
	struct diag *diag) MUST_CHECK;

/* Its output on stdout, safe for the terminal, with the target's name in the place of the file's. */
void tool_print(const struct tool_result *result, const char *target);

#endif
