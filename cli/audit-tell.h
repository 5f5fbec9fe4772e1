/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an audit says beside its report: warnings on standard error, and records in the event log. */
#ifndef CLI_AUDIT_TELL_H
#define CLI_AUDIT_TELL_H

#include "audit/audit.h"
#include "cli/audit-collect.h"

/* Of each drive that could not be read, why: in the report it is "unknown". The exit status of the last; 0: none. */
int audit_tell_unreadable(const struct facts_list *list);
/* A signature was demanded, and there was no file that could have one. */
void audit_tell_untrusted(const struct facts_list *list);
/* Waivers that have expired today and count as of the audit's day. */
void audit_tell_revived(const struct audit *audit, const char *today);
/* One record for each drive; list: where they came from, in their order. */
void audit_record(const struct audit *audit, const struct facts_list *list);

#endif
