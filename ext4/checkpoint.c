/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/checkpoint.h"

#include <errno.h>

#include "ext4/blockrun.h"
#include "ext4/cache.h"

static int write_list(struct e4_fs *fs, struct checkpoint_list *list)
{
	CLEANUP_BLOCKRUN struct blockrun run = {0};
	CLEANUP_FREE uint8_t *bytes = malloc(fs->block_bytes);
	int r = bytes ? blockrun_init(&run, fs) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < list->count; i++)
		if (cache_checkpoint_copy(fs, &list->blocks[i], bytes))
			r = blockrun_add(&run, list->blocks[i].buf->block, bytes);
	r = r < 0 ? r : blockrun_write(&run);
	return r < 0 ? r : fs_flush(fs);
}

int checkpoint_write(struct e4_fs *fs)
{
	struct checkpoint_list list;
	int r = cache_checkpoint_begin(fs, &list);

	if (r < 0)
		return r;
	r = write_list(fs, &list);
	cache_checkpoint_end(fs, &list, r == 0);
	return r;
}
