/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signatures of files, detached, in FILE.p7s beside FILE. */
#ifndef CLI_SIGN_H
#define CLI_SIGN_H

#include <stddef.h>

#include "audit/cms.h"

/* Signs a file as it lies on the disk; output NULL: FILE.p7s, which is replaced. */
int sign_file(const char *path, const char *key, const char *cert, const char *output, struct diag *diag) MUST_CHECK;
/* signature NULL: FILE.p7s. ret_text (NULL: not wanted) are the bytes that were verified; the caller frees. */
int verify_file(const char *path, const char *signature, const char *trust, struct cms_signer *ret_signer,
	char **ret_text, size_t *ret_len, struct diag *diag) MUST_CHECK;

#endif
