/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whole transfers on an open file or block device, past the kernel's page cache where that is
 * possible and pays.
 */
#ifndef KERNEL_SHIM_FILEIO_H
#define KERNEL_SHIM_FILEIO_H

#include <stdatomic.h>

#include "base/blkdev.h"

enum {
	FILEIO_ALIGN = 4096, /* offset, length and memory of what goes past the page cache */
	FILEIO_LARGE = 128 * 1024, /* shorter writes are better collected by the page cache */
};

struct fileio {
	int fd;
	int direct_fd; /* the same with O_DIRECT; -1: all goes through the page cache */
	_Atomic bool direct_refused;
};

/* fd stays the caller's, until whose end fileio_end() is called. */
void fileio_init(struct fileio *io, int fd);
/* Transfers go past the page cache from now on, if the file system is known to do that well: whether. */
bool fileio_use_direct(struct fileio *io);
void fileio_end(struct fileio *io);

/* All of it, or -errno; -ENODATA: unexpectedly met the end. */
int fileio_read(struct fileio *io, void *buf, size_t len, uint64_t off) MUST_CHECK;
int fileio_write(struct fileio *io, const void *buf, size_t len, uint64_t off) MUST_CHECK;

#endif
