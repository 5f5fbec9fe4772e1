/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/iomem.h"

#include <stdint.h>
#include <sys/mman.h>

#include "base/bytes.h"

/* mmap knows no alignment: more is mapped, and what hangs over goes. */
void *iomem_map(size_t bytes)
{
	size_t size = round_up_u64(bytes, IOMEM_PAGE), more = size + IOMEM_PAGE, before;
	uint8_t *start = mmap(NULL, more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (start == MAP_FAILED)
		return NULL;
	before = (size_t)(round_up_u64((uintptr_t)start, IOMEM_PAGE) - (uintptr_t)start);
	if (before)
		munmap(start, before);
	if (IOMEM_PAGE - before)
		munmap(start + before + size, IOMEM_PAGE - before);
	/* Where it is refused, pages are small. */
	madvise(start + before, size, MADV_HUGEPAGE);
	return start + before;
}

void iomem_unmap(void *mem, size_t bytes)
{
	munmap(mem, round_up_u64(bytes, IOMEM_PAGE));
}
