/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The event log: what this machine's Sealdrive did. One JSON object a line, in canonical form (RFC
 * 8785), each with the hash of the one before. eventlog.c has the invariants.
 *
 * Never in it: a secret, the length of a passphrase, a PIN.
 */
#ifndef AUDIT_EVENTLOG_H
#define AUDIT_EVENTLOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "audit/hash256.h"

enum { EVENT_LINE_MAX = 64 * 1024 };

struct event {
	const char *op;	    /* "format", "mount", "key add", ... */
	const char *target; /* path as the user named it; NULL: none */
	const char *uuid;   /* of the drive; NULL: not known */
	int exit_status;    /* enum exit_status: 0 done, 5 refused, else failed */
	const char *policy; /* "nist/3" of the policy that binds; NULL: none */
	json_t *detail;	    /* an object of strings and whole numbers, taken over; NULL: none */
};

/*
 * The file that events go to: below folder when that exists and can be written, else below the user's
 * own state folder, which is made. -errno. The caller frees.
 */
int eventlog_path(const char *folder, char **ret_path) MUST_CHECK;

/*
 * Appends, and returns when the record is on the disk; one writer at a time. A last line that was only
 * half written is cut off first, and a record says so. -SDE_LOG (the last line is no record), -errno
 * (-ENOSPC: the log is as it was).
 */
int eventlog_append(const char *path, const struct event *event) MUST_CHECK;
/* The same of many at once: all of them, or none. The details of all are taken over. */
int eventlog_append_all(const char *path, const struct event *events, size_t count) MUST_CHECK;
/* Whether the next append has a chance, without a record. */
int eventlog_check(const char *path) MUST_CHECK;

/* ---- reading ---- */

struct record {
	const char *line; /* without newline, not ended by a zero */
	size_t len;
	json_t *doc; /* NULL: not a record */
	uint8_t hash[HASH256_BYTES]; /* of the line: its leaf (RFC 6962, section 2.1) */
};

struct eventlog {
	char *text;
	size_t len;
	struct record *records;
	size_t count;
	bool torn; /* behind the last record is a line without its end */
};

/* All of the file. -ENOMEM, -errno. Clear with eventlog_clear(). */
int eventlog_read(const char *path, struct eventlog *ret_log) MUST_CHECK;
void eventlog_clear(struct eventlog *log);
#define CLEANUP_EVENTLOG CLEANUP(eventlog_clear)

/*
 * Whether it is whole: every line a canonical record, numbered without a gap, each with the hash of the
 * one before. -SDE_LOG with diag naming the first bad record. ret_backwards: number of records whose
 * time is before that of their predecessor (not an error: clocks are set).
 */
int eventlog_verify(const struct eventlog *log, size_t *ret_backwards, struct diag *diag) MUST_CHECK;

#endif
