/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * e4_mkfs() on a plain file, without encryption, so that the tools of e2fsprogs can judge it.
 *
 *	mkfstool IMAGE SECTOR_BYTES [LABEL [UID GID]]
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "ext4/ext4.h"
#include "kernel-shim/filedev.h"

int main(int argc, char **argv)
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	struct e4_mkfs_params params = {.journal = true};
	struct diag diag = {0};
	int r;

	if (argc < 3)
		return EXIT_USAGE;
	params.min_block_bytes = strtoul(argv[2], NULL, 10);
	params.label = argc > 3 ? argv[3] : NULL;
	params.root_uid = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
	params.root_gid = argc > 5 ? strtoul(argv[5], NULL, 10) : 0;
	r = filedev_open(argv[1], 0, 0, &dev, &diag);
	if (r == 0)
		r = e4_mkfs(dev, &params, NULL, NULL, &diag);
	if (r < 0)
		fprintf(stderr, "%s: %s: %s\n", argv[1], error_text(r), diag.detail);
	return error_exit_status(r);
}
