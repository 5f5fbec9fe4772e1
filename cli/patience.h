/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * While a token or its reader does not answer, and nobody is asked anything, the user is told after a while what can be
 * done. Only in the process of token/helper.h: it ends with that.
 */
#ifndef CLI_PATIENCE_H
#define CLI_PATIENCE_H

#include <stdbool.h>

/* Begins to wait, once more. optional: it can do without, with --no-token. */
void patience_begin(bool optional);
/* Somebody is asked, or told what to do: there is nothing to wait for. */
void patience_end(void);

#endif
