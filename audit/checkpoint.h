/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What leaves the machine: a checkpoint says how a log was at one moment (kept elsewhere, it shows later
 * that the log was cut or rewritten), a proof that one record was in it, a proof that one checkpoint's log is the beginning of
 * another's. All are canonical JSON.
 */
#ifndef AUDIT_CHECKPOINT_H
#define AUDIT_CHECKPOINT_H

#include "audit/eventlog.h"

/* A checkpoint of the log, which has been verified. The caller frees. */
int checkpoint_print(const struct eventlog *log, int64_t seconds, char **ret_text, size_t *ret_len) MUST_CHECK;
/* Whether the log is as the checkpoint says, with perhaps more behind. -SDE_LOG, -SDE_FILE_INVALID with diag. */
int checkpoint_verify(const struct eventlog *log, const char *text, size_t len, struct diag *diag) MUST_CHECK;

/* That record number seq (from 1) is in the log as it is. -EINVAL: there is none. The caller frees. */
int proof_print(const struct eventlog *log, uint64_t seq, char **ret_text, size_t *ret_len) MUST_CHECK;
/*
 * Whether the proof leads to the root of the checkpoint (of the same size). ret_record is the record's
 * line, which the caller frees. -SDE_PROOF, -SDE_FILE_INVALID with diag.
 */
int proof_verify(const char *proof, size_t proof_len, const char *checkpoint, size_t checkpoint_len, char **ret_record,
	struct diag *diag) MUST_CHECK;

/* That the first records (from 1 to all) are still the beginning of the log. -EINVAL. The caller frees. */
int consistency_print(const struct eventlog *log, uint64_t first, char **ret_text, size_t *ret_len) MUST_CHECK;
/* Whether a file of a proof says that it is of this kind. */
bool consistency_claims(const char *text, size_t len);

struct checkpoint_text {
	const char *text;
	size_t len;
};
/* Whether the proof leads from one checkpoint to the other. -SDE_PROOF, -SDE_FILE_INVALID with diag. */
int consistency_verify(const char *proof, size_t proof_len, struct checkpoint_text earlier, struct checkpoint_text later,
	uint64_t *ret_first, uint64_t *ret_size, struct diag *diag) MUST_CHECK;

#endif
