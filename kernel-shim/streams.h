/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading ahead on a file or drive that is read past the kernel's page cache. Threads may call at once.
 */
#ifndef KERNEL_SHIM_STREAMS_H
#define KERNEL_SHIM_STREAMS_H

#include "base/cleanup.h"
#include "kernel-shim/fileio.h"

struct streams;

/* io is the caller's and lives longer. */
int streams_new(struct fileio *io, struct streams **ret_streams) MUST_CHECK;
void streams_free(struct streams *streams); /* NULL is fine */

/* As fileio_read(). end: where the file ends. */
int streams_read(struct streams *streams, void *buf, size_t len, uint64_t off,
	uint64_t end) MUST_CHECK;
/* These bytes have been changed: nothing older is given out from now on. */
void streams_forget(struct streams *streams, uint64_t off, uint64_t len);

#endif
