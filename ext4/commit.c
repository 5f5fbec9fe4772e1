/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing a transaction in place, on a volume without a journal, in an order that a crash does the
 * least harm to:
 *
 *	flush (file data) -> bitmaps and descriptors -> flush -> everything else -> flush
 *
 * What power failure leaves, with blocks freed being reused only after the commit:
 * - before the second flush: space marked used that nobody refers to, or blocks of removed files
 *   marked free that the old metadata still holds, not overwritten by anybody;
 * - after it: some of the new names, inodes and extents, pointing to blocks marked used whose data
 *   is on the medium.
 * No state shows old disk content or one block in two files, but a check is due: the super block
 * says "not cleanly unmounted" for as long as the volume is mounted read-write.
 */
#include "ext4/commit.h"

#include "ext4/blockrun.h"

static int write_class(struct blockrun *run, const struct commit_list *list, bool allocation, size_t *ret_count)
{
	int r = 0;

	*ret_count = 0;
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		if (list->blocks[i].allocation != allocation)
			continue;
		r = blockrun_add(run, list->blocks[i].block, list->blocks[i].data);
		++*ret_count;
	}
	return r == 0 ? blockrun_write(run) : r;
}

int commit_write(struct e4_fs *fs, const struct commit_list *list)
{
	CLEANUP_BLOCKRUN struct blockrun run = {0};
	size_t first = 0, rest = 0;
	int r = fs_flush(fs);

	if (r < 0 || list->count == 0)
		return r;
	r = blockrun_init(&run, fs);
	if (r == 0)
		r = write_class(&run, list, true, &first);
	if (r == 0 && first)
		r = fs_flush(fs);
	if (r == 0)
		r = write_class(&run, list, false, &rest);
	return r == 0 && rest ? fs_flush(fs) : r;
}
