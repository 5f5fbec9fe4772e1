/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/facts-luks1.h"

#include <string.h>

#include "base/bytes.h"

struct memory {
	struct blkdev dev;
	const uint8_t *bytes; /* LUKS1_HDR_BYTES of them; behind them are zeroes */
};

static int memory_read(struct blkdev *dev, void *buf, size_t len, uint64_t off)
{
	const struct memory *memory = container_of(dev, struct memory, dev);
	size_t there = off < LUKS1_HDR_BYTES ? (size_t)min_u64(len, LUKS1_HDR_BYTES - off) : 0;

	memset(buf, 0, len);
	if (there)
		memcpy(buf, memory->bytes + off, there);
	return 0;
}

int facts_luks1_model(const uint8_t bytes[LUKS1_HDR_BYTES], uint64_t size_bytes, struct luks2 **ret_hdr, struct diag *diag)
{
	static const struct blkdev_ops ops = {.read = memory_read};
	struct memory memory = {{.ops = &ops, .size_bytes = size_bytes, .block_bytes = 512, .read_only = true}, bytes};
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	int r = luks2_load(&memory.dev, LUKS2_FOREIGN_OK, &hdr, diag);

	if (r == 0 && hdr->version != 1)
		r = -SDE_NOT_LUKS;
	if (r == 0)
		*ret_hdr = take_ptr(hdr);
	return r;
}
