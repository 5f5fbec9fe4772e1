/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Standard input through the cipher device to standard output, to compare with other programs.
 *
 *	cryptdev-pipe encrypt|decrypt CIPHER KEY_HEX SECTOR_BYTES IV_OFFSET
 */
#include <stdio.h>
#include <string.h>

#include "kernel-shim/cryptdev.h"
#include "tests/dev/memdev.h"

enum { ROOM = 1 << 20 };

static int run(struct blkdev *dev, void *raw, uint8_t *data, size_t len, bool encrypting)
{
	int r;

	if (encrypting) {
		r = blkdev_write(dev, data, len, 0);
		memcpy(data, raw, len);
	} else {
		memcpy(raw, data, len);
		r = blkdev_read(dev, data, len, 0);
	}
	return r;
}

int main(int argc, char **argv)
{
	static uint8_t data[ROOM];
	CLEANUP_SECRET struct secret *key = NULL;
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	struct cryptdev_params params;
	struct blkdev *mem;
	size_t len;

	if (argc != 6 || secret_new(strlen(argv[3]) / 2, &key) < 0)
		return 2;
	for (size_t i = 0; i < secret_len(key); i++)
		if (sscanf(argv[3] + 2 * i, "%2hhx", (uint8_t *)secret_data(key) + i) != 1)
			return 2;
	params = (struct cryptdev_params){.cipher = argv[2],
		.sector_bytes = (uint32_t)strtoul(argv[4], NULL, 0),
		.iv_offset = strtoull(argv[5], NULL, 0)};
	len = fread(data, 1, ROOM, stdin);
	if (memdev_new(len, 512, &mem) < 0)
		return 1;
	if (cryptdev_open(mem, &params, key, &dev, NULL) < 0) {
		blkdev_close(mem);
		return 1;
	}
	if (run(dev, memdev_data(mem), data, len, argv[1][0] == 'e') < 0)
		return 1;
	return fwrite(data, 1, len, stdout) == len ? 0 : 1;
}
