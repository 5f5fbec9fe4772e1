/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/fuselog.h"

#include <fuse3/fuse_log.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last_line[200];

static void keep(enum fuse_log_level level, const char *fmt, va_list args)
{
	size_t len;

	vsnprintf(last_line, sizeof(last_line), fmt, args);
	len = strlen(last_line);
	while (len > 0 && (last_line[len - 1] == '\n' || last_line[len - 1] == '.'))
		last_line[--len] = '\0';
}

void fuselog_begin(void)
{
	fuse_set_log_func(keep);
	last_line[0] = '\0';
}

int fuselog_failed(struct diag *diag)
{
	if (last_line[0] == '\0')
		return -SDE_FUSE_REFUSED;
	return diag_set(diag, -SDE_FUSE_REFUSED, "%s", last_line);
}
