/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Work with tokens happens in a process of its own that lives for that long: modules of card makers,
 * which are loaded into it, get neither the drive nor the keys that are in memory, and what they leave
 * behind ends with it.
 */
#ifndef TOKEN_HELPER_H
#define TOKEN_HELPER_H

#include <stddef.h>

#include "base/error.h"
#include "base/secret.h"

enum { HELPER_DATA_MAX = 64 * 1024 };

/*
 * What is done in the other process. It may talk to the user. A secret that it returns is handed over
 * and wiped; data (public) may be filled with up to data_room bytes.
 */
typedef int (*helper_fn)(void *ctx, struct secret **ret_secret, void *data, size_t data_room,
	size_t *ret_data_len, struct diag *diag);

/*
 * Runs fn in a child that has the standard descriptors only, waits for its end, and returns what it
 * returned. ret_secret is set when fn returned one; data receives up to data_room bytes (at most
 * HELPER_DATA_MAX). -SDE_TOKEN when the child died (a module that crashes, say). The caller
 * has a single thread.
 */
int helper_run(helper_fn fn, void *ctx, struct secret **ret_secret, void *data, size_t data_room,
	size_t *ret_data_len, struct diag *diag) MUST_CHECK;

#endif
