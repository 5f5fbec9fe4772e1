/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading ahead on a file or drive that is read past the kernel's page cache. Threads may call at once.
 */
#ifndef KERNEL_SHIM_STREAMS_H
#define KERNEL_SHIM_STREAMS_H

#include "base/cleanup.h"
#include "kernel-shim/fileio.h"

struct streams;
struct stream;

/* io is the caller's and lives longer. */
int streams_new(struct fileio *io, struct streams **ret_streams) MUST_CHECK;
void streams_free(struct streams *streams); /* NULL is fine */

/* As fileio_read(), but the bytes are at *ret_from: in buf, or in memory of the stream *ret_stream, which
 * keeps them until streams_release(). end: where the file ends. */
int streams_read(struct streams *streams, void *buf, size_t len, uint64_t off, uint64_t end,
	const void **ret_from, struct stream **ret_stream) MUST_CHECK;
void streams_release(struct streams *streams, struct stream *stream); /* NULL is fine */
/* These bytes have been changed: nothing older is given out from now on. */
void streams_forget(struct streams *streams, uint64_t off, uint64_t len);

#endif
