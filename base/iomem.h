/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that drives read from and write to in large pieces. It begins with a huge page and is made of
 * such where the system has any: a transfer of 1 MiB is then one piece for the kernel and the drive
 * instead of 256, and the first use is one page fault. Zeroed; not for secrets.
 */
#ifndef BASE_IOMEM_H
#define BASE_IOMEM_H

#include <stddef.h>

enum { IOMEM_PAGE = 2 * 1024 * 1024 };

/* NULL: no memory. What is not used yet takes none, but a page that is begun is there as a whole. */
void *iomem_map(size_t bytes);
/* bytes: as when it was mapped. */
void iomem_unmap(void *mem, size_t bytes);

#endif
