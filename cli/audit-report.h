/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An audit as a document. All of them show the same findings, in the same order. */
#ifndef CLI_AUDIT_REPORT_H
#define CLI_AUDIT_REPORT_H

#include <stdio.h>

#include "audit/audit.h"

/* What is written counts only when the caller has closed out without an error. */
typedef int report_fn(const struct audit *audit, FILE *out);

int report_text(const struct audit *audit, FILE *out) MUST_CHECK;
int report_json(const struct audit *audit, FILE *out) MUST_CHECK;  /* docs/AUDIT.md */
int report_sarif(const struct audit *audit, FILE *out) MUST_CHECK; /* SARIF 2.1.0 */
int report_html(const struct audit *audit, FILE *out) MUST_CHECK;

/* Short facts of a drive for people; sanitized, "" when not known. The caller frees. NULL: no memory. */
char *report_label(const struct audit_drive *drive);
char *report_uuid(const struct audit_drive *drive);
char *report_target(const struct audit_drive *drive);
/* "aes-xts-plain64"; "argon2id", "pbkdf2", or both; "" without a header. */
const char *report_cipher(const struct audit_drive *drive);
const char *report_kdf(const struct audit_drive *drive);
/* States and severities in words. */
const char *report_state_word(enum finding_state state);
const char *report_severity_word(enum severity severity);

#endif
