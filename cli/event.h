/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What commands tell the event log (audit/eventlog.h). */
#ifndef CLI_EVENT_H
#define CLI_EVENT_H

#include <jansson.h>

#include "base/error.h"

/* Once, at the start: the system's folder for the log, before the user's own. */
void cli_event_folder(const char *folder);
const char *cli_event_log_folder(void);

/*
 * Records that op was done to target (err 0), or failed. uuid NULL: the one that the header on target says;
 * detail may be NULL, and is taken over.
 * A log that cannot be written is a warning, and nothing more: whether it must be written was asked by
 * cli_gate() before.
 */
void cli_event(const char *op, const char *target, const char *uuid, int err, json_t *detail);

struct cli_event_item {
	const char *target, *uuid; /* uuid NULL: not known */
	int err;		   /* 0: it was done */
	json_t *detail;		   /* taken over; NULL: none */
};
/* One that was done to many at once. */
void cli_event_all(const char *op, const struct cli_event_item *items, size_t count);

enum { CLI_EVENT_PATH_MAX = 4096 };
/* A path as it is in the log: without links, and from the root on also of what is not there any more. */
void cli_event_path(const char *target, char out[CLI_EVENT_PATH_MAX]);

/*
 * The same for whole commands, of those that change keys and headers: called with main()'s arguments
 * before and after. begin remembers which drive it is, as erase leaves nothing to know it by, and asks
 * gate_ready().
 */
int cli_event_begin(int argc, char **argv, struct diag *diag) MUST_CHECK;
void cli_event_end(int argc, char **argv, int exit_status);

#endif
