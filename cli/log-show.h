/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log show: the events of a log that are asked for, one a line. */
#ifndef CLI_LOG_SHOW_H
#define CLI_LOG_SHOW_H

#include "audit/eventlog.h"

enum { LOG_TIME_MAX = 32 };

struct log_filter {
	bool json; /* the records as they are */
	const char *drive, *op; /* NULL: all */
	char since[LOG_TIME_MAX], until[LOG_TIME_MAX]; /* as much of a time as was given; "": open */
};

/*
 * A time as people write it ("2026-11", "2026-11-30 14:05", "2026-11-30T14:05:00Z") as records have it, with as much
 * of it as was given. -EINVAL.
 */
int log_time_parse(const char *text, char ret_time[LOG_TIME_MAX]) MUST_CHECK;
/* Whether there are events of this name, or of this beginning ("key" for "key add"). */
bool log_op_known(const char *op);
/* "format, mount, ..." for who asked for another one. */
const char *log_ops(void);
/* path: of the log, for messages about records that cannot be read. */
void log_show(const struct eventlog *log, const struct log_filter *filter, const char *path);

#endif
