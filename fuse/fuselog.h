/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libfuse says why it fails only in its log; its last line, of this thread, goes into the diag. */
#ifndef FUSE_FUSELOG_H
#define FUSE_FUSELOG_H

#include "base/error.h"

/* Before calls of libfuse that can fail. From then on libfuse prints nothing. */
void fuselog_begin(void);
/* -SDE_FUSE with what libfuse said since. */
int fuselog_failed(struct diag *diag) MUST_CHECK;

#endif
